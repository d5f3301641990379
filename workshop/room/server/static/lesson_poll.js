// The room's poll below the question of a lesson's page. The room serves this script in
// place of the site's empty `javascripts/room.js`, so no other server ever runs it.
"use strict";

(() => {
  const lesson = location.pathname.match(/\/lessons\/(\d\d)_[^/]*$/)?.[1];
  const answer = document.querySelector("#predict ~ details");
  if (!lesson || !answer) return;

  const style = document.createElement("link");
  style.rel = "stylesheet";
  style.href = "/static/lesson_poll.css";
  document.head.append(style);
  const place = document.createElement("div");
  place.className = "room-poll";
  place.innerHTML = '<div class="ballot" hidden></div><p role="status"></p>';
  const [ballot, status] = place.children;
  answer.before(place);

  function show(html) {
    if (html === ballot.dataset.shown) return;
    const active = ballot.contains(document.activeElement) && document.activeElement;
    const wasOpen = Boolean(ballot.querySelector("form"));
    ballot.innerHTML = html; // escaped by the server; the CSP allows no scripts
    ballot.hidden = !html;
    const isOpen = Boolean(ballot.querySelector("form"));
    if (isOpen !== wasOpen) {
      const changed = isOpen ? "You can vote on this question now." : "The poll is closed.";
      status.textContent = ballot.dataset.shown === undefined ? "" : changed;
    }
    ballot.dataset.shown = html;
    if (!active) return;
    // If the button is gone, because the poll is closed, the result gets the focus.
    const next = document.getElementById(active.id) ?? document.getElementById("poll-title");
    next?.focus();
  }

  let joined = false;
  let latest = 0;
  let saying = 0;

  async function refresh() {
    const mine = ++latest;
    try {
      const response = await fetch(`/me/poll?lesson=${lesson}`);
      if (!response.ok) return;
      const state = await response.json();
      if (mine !== latest) return;
      show(state.html);
      joined = state.joined;
      if (joined && !saying) {
        const say = () => fetch("/me/alive", { method: "POST" }).catch(() => {});
        saying = setInterval(() => { if (joined) say(); }, 1000 * state.seconds);
      }
      check();
    } catch {
      // The stream notices that the server is away, and comes back with it.
    }
  }

  const SILENCE = 40000; // the server sends something every ten seconds
  let source = null;
  let heard = 0;

  function close() {
    source?.close();
    source = null;
  }

  function listen() {
    close();
    const current = source = new EventSource("/me/stream");
    heard = Date.now();
    for (const name of ["open", "alive", "focus", "message", "poll", "no_poll", "help"])
      current.addEventListener(name, () => { heard = Date.now(); });
    // What happened in the meantime is not sent again, but `refresh` gets it.
    for (const name of ["open", "poll", "no_poll"]) current.addEventListener(name, refresh);
    current.addEventListener("error", () => {
      // It was refused: the streams are full, or the learner has left.
      if (current === source && current.readyState === EventSource.CLOSED) refresh();
    });
  }

  // Only the visible tab keeps a connection: a browser has six for each server, and
  // people read several lessons at once.
  function check() {
    if (document.hidden || !joined) close();
    else if (!source || Date.now() - heard > SILENCE) listen();
  }

  ballot.addEventListener("submit", async (event) => {
    event.preventDefault();
    const body = new URLSearchParams(new FormData(event.target, event.submitter));
    try {
      const options = { method: "POST", body, redirect: "manual" };
      const response = await fetch(event.target.action, options);
      if (response.type === "opaqueredirect") {
        status.textContent = `Your vote is stored: ${body.get("choice")}.`;
      } else {
        const problem = await response.json().catch(() => ({}));
        status.textContent = problem.detail || "The room did not accept this vote.";
      }
      await refresh();
    } catch {
      status.textContent = "The room does not respond. Your vote was not sent; try again.";
    }
  });

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) close();
    else refresh();
  });
  setInterval(() => {
    if (source?.readyState === EventSource.CLOSED) close();
    check();
  }, 5000 + 2000 * Math.random());
  refresh();
})();
