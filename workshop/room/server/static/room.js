// Keeps a page up to date, and submits its forms without leaving the page.
// Every page also works without this script, if it is reloaded.
"use strict";

const page = document.body;
const status = document.getElementById("status");
const title = document.title;
// The timer uses the server's clock, because the browser's may be wrong.
const skew = page.dataset.now ? new Date(page.dataset.now) - new Date() : 0;
let hiding = 0;

function say(text, { stays = false } = {}) {
  status.textContent = text;
  clearTimeout(hiding);
  if (!stays) hiding = setTimeout(() => { status.textContent = ""; }, 6000);
}

function lost(text) {
  page.classList.add("lost");
  say(text, { stays: true });
}

function element(html) {
  const template = document.createElement("template");
  template.innerHTML = html.trim(); // escaped by the server; the CSP allows no scripts
  return template.content.firstElementChild;
}

// Keep the keyboard focus where it is, even if its element is replaced. If the element
// is gone, focus its successor (`data-then`), or else the part that contained it.
function keepingFocus(change) {
  const active = document.activeElement;
  const part = active?.parentElement?.closest("[id]");
  const ids = [active?.id, active?.dataset.then, part?.id];
  change();
  if (!active || active === page || document.contains(active)) return;
  for (const id of ids) {
    const next = id && document.getElementById(id);
    if (!next) continue;
    next.focus();
    if (document.activeElement === next) return;
  }
}

function place(row) {
  const rows = document.getElementById("rows");
  const old = document.getElementById(row.id);
  if (old && old.dataset.name === row.dataset.name) { old.replaceWith(row); return; }
  if (old) old.remove();
  const key = row.dataset.name.toLocaleLowerCase();
  const next = [...rows.children].find((it) => it.dataset.name.toLocaleLowerCase() > key);
  rows.insertBefore(row, next || null);
}

const waiting = () => Number(document.querySelector("[data-waiting]")?.dataset.waiting || 0);

function apply(change) {
  const before = waiting();
  if (change.rows !== undefined && document.getElementById("rows"))
    document.getElementById("rows").innerHTML = change.rows;
  for (const [id, html] of Object.entries(change.parts)) {
    if (id.startsWith("row-")) place(element(html));
    else if (document.getElementById(id)) document.getElementById(id).innerHTML = html;
  }
  for (const id of change.removed) document.getElementById(id)?.remove();
  count(before);
  tick();
}

function count(before) {
  const now = waiting();
  document.title = now ? `(${now}) ${title}` : title;
  if (now > before) say(now === 1 ? "A learner is waiting for help." : `${now} learners are waiting for help.`);
}

async function refreshPanel() {
  try {
    const response = await fetch(page.dataset.panel);
    if (response.ok) {
      const html = await response.text();
      keepingFocus(() => { document.getElementById("panel").innerHTML = html; });
      tick();
    } else if (response.status === 401) location.reload();
  } catch {
    // The stream reports a lost connection, and refreshes the panel when it reopens.
  }
}

const SILENCE = 40000; // the server sends something every ten seconds
const OPENING = 10000;
let source = null;
let isOpen = false;
let heard = Date.now();

function listen() {
  source?.close();
  const current = source = new EventSource(page.dataset.stream);
  heard = Date.now();
  isOpen = false;
  current.addEventListener("open", () => {
    heard = Date.now();
    isOpen = true;
    if (page.classList.contains("lost")) say("Reconnected.");
    page.classList.remove("lost");
    // The stream does not repeat missed events, so load the current panel.
    if (page.dataset.panel) refreshPanel();
  });
  current.addEventListener("error", () => {
    if (current !== source) return;
    lost("Connection lost. Reconnecting…");
    if (current.readyState === EventSource.CLOSED)
      setTimeout(again, 2000 + 2000 * Math.random());
  });
  current.addEventListener("bye", () => lost("The room's server has stopped. Reconnecting…"));
  for (const name of ["alive", "changes", "focus", "message", "poll", "no_poll", "help"])
    current.addEventListener(name, () => { heard = Date.now(); });
  current.addEventListener("changes", (event) => {
    keepingFocus(() => apply(JSON.parse(event.data)));
  });
  if (page.dataset.panel)
    for (const name of ["focus", "message", "poll", "no_poll", "help"])
      current.addEventListener(name, refreshPanel);
}

// The server refused the stream, because it is full or the session has ended.
async function again() {
  try {
    const options = { redirect: "manual", headers: { accept: "text/html" } };
    const response = await fetch(location.href, options);
    if (response.type === "opaqueredirect") { location.reload(); return; }
  } catch {
    // The server is still unreachable.
  }
  listen();
}

function tick() {
  const now = new Date();
  for (const it of document.querySelectorAll("[data-clock]"))
    it.textContent = now.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  for (const it of document.querySelectorAll("[data-ends]")) {
    const left = Math.round((new Date(it.dataset.ends) - now - skew) / 1000);
    const minutes = Math.floor(left / 60), seconds = String(left % 60).padStart(2, "0");
    it.textContent = left > 0 ? `${minutes}:${seconds} left` : "Time is up";
    it.classList.toggle("over", left <= 0);
  }
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (form.method !== "post" || !page.dataset.stream || form.dataset.reload) return;
  event.preventDefault();
  const body = new URLSearchParams(new FormData(form, event.submitter));
  try {
    const response = await fetch(form.action, { method: "POST", body, redirect: "manual" });
    if (response.type === "opaqueredirect" || response.ok) {
      say("Done.");
      if (form.dataset.clear) form.reset();
      if (page.dataset.panel) refreshPanel();
    } else if (response.status === 401) location.reload();
    else {
      const problem = await response.json().catch(() => ({}));
      say(problem.detail || `The server refused this (status ${response.status}). Reload the page and try again.`);
    }
  } catch {
    say("The server did not respond, so this was probably not saved. Try again.");
  }
});

if (page.dataset.stream) {
  listen();
  window.addEventListener("online", listen);
  window.addEventListener("offline", () => lost("This device is offline. Reconnecting…"));
  // If the network fails without closing the connection, or the laptop sleeps, the
  // stream stays open but receives nothing.
  const check = () => {
    if (Date.now() - heard > (isOpen ? SILENCE : OPENING)) listen();
  };
  setInterval(check, 5000);
  document.addEventListener("visibilitychange", check);
}
if (page.dataset.alive)
  setInterval(() => {
    fetch("/me/alive", { method: "POST" }).catch(() => {});
  }, 1000 * page.dataset.alive);
tick();
setInterval(tick, 1000);
