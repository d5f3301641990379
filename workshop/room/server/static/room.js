// Keeps a page of the room up to date, and sends its forms without leaving it.
// Every page also works without this script, by reloading.
"use strict";

const status = document.getElementById("status");
const say = (text) => { status.textContent = text; };

function element(html) {
  const template = document.createElement("template");
  template.innerHTML = html.trim(); // escaped by the server; the CSP allows no scripts
  return template.content.firstElementChild;
}

// The keyboard's focus stays where it is, even if its element is replaced.
function keepingFocus(change) {
  const id = document.activeElement && document.activeElement.id;
  change();
  const again = id && document.getElementById(id);
  if (again && again !== document.activeElement) again.focus();
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

function apply(change) {
  if (change.rows !== undefined && document.getElementById("rows"))
    document.getElementById("rows").innerHTML = change.rows;
  for (const [id, html] of Object.entries(change.parts)) {
    if (id.startsWith("row-")) place(element(html));
    else if (document.getElementById(id)) document.getElementById(id).innerHTML = html;
  }
  for (const id of change.removed) document.getElementById(id)?.remove();
  tick();
}

async function refreshPanel() {
  const response = await fetch(document.body.dataset.panel);
  if (response.ok) {
    const html = await response.text();
    keepingFocus(() => { document.getElementById("panel").innerHTML = html; });
  } else if (response.status === 401) location.reload();
}

function listen(address, panel) {
  const source = new EventSource(address);
  let wasLost = false;
  source.addEventListener("open", () => {
    if (wasLost) say("Connected again.");
    wasLost = false;
  });
  source.addEventListener("error", () => {
    wasLost = true;
    say("The connection is lost. Trying again…");
    if (source.readyState === EventSource.CLOSED)
      setTimeout(() => listen(address, panel), 2000 + 2000 * Math.random());
  });
  source.addEventListener("bye", () => say("The room's server restarts."));
  source.addEventListener("changes", (event) => {
    keepingFocus(() => apply(JSON.parse(event.data)));
  });
  if (panel)
    for (const name of ["focus", "message", "poll", "help"])
      source.addEventListener(name, refreshPanel);
}

function tick() {
  const now = new Date();
  for (const it of document.querySelectorAll("[data-clock]"))
    it.textContent = now.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  for (const it of document.querySelectorAll("[data-ends]")) {
    const left = Math.round((new Date(it.dataset.ends) - now) / 1000);
    const minutes = Math.floor(left / 60), seconds = String(left % 60).padStart(2, "0");
    it.textContent = left > 0 ? `${minutes}:${seconds} left` : "Time is up";
  }
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (form.method !== "post" || !document.body.dataset.stream || form.dataset.reload) return;
  event.preventDefault();
  const body = new URLSearchParams(new FormData(form, event.submitter));
  try {
    const response = await fetch(form.action, { method: "POST", body, redirect: "manual" });
    if (response.type === "opaqueredirect" || response.ok) {
      say("Done.");
      if (form.dataset.clear) form.reset();
      if (document.body.dataset.panel) setTimeout(refreshPanel, 600);
    } else {
      const problem = await response.json().catch(() => ({}));
      const detail = problem.detail;
      say(typeof detail === "string" ? detail : "The server did not accept this.");
    }
  } catch {
    say("The server does not respond. Nothing was sent; try again.");
  }
});

if (document.body.dataset.stream)
  listen(document.body.dataset.stream, Boolean(document.body.dataset.panel));
tick();
setInterval(tick, 1000);
