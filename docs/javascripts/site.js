/* Works from a web server and from a file, without anything from elsewhere.
   Without it, pages are complete: instructors' parts stand open, run sheets
   count from 0:00. */
"use strict";

/* What the theme leaves for us: two places of one name, tables that scroll and
   cannot be reached by keyboard. */
function mendTheTheme() {
  const search = document.querySelector(".md-search[role=dialog], .md-search [role=dialog]");
  search?.setAttribute("aria-label", "Search");
  document.querySelectorAll("nav.md-nav[aria-labelledby]").forEach((nav) => {
    const name = nav.querySelector(":scope > .md-nav__title")?.textContent.trim();
    if (!name) return;
    nav.setAttribute("aria-label", name);
    nav.removeAttribute("aria-labelledby");
  });
  // Every code block gets a <nav> for its one button: no places to jump to.
  const calm = () => {
    document.querySelectorAll(".md-code__nav:not([role])").forEach((it) => {
      it.setAttribute("role", "none");
    });
  };
  new MutationObserver(calm).observe(document.body, { childList: true, subtree: true });
  const reach = () => {
    document.querySelectorAll(".md-typeset__scrollwrap").forEach((it) => {
      if (it.scrollWidth > it.clientWidth) it.tabIndex = 0;
      else it.removeAttribute("tabindex");
    });
  };
  addEventListener("load", reach); // the theme wraps tables when all is there
  addEventListener("resize", reach);
}

/* ?view=instructor opens what is for instructors, here and on the next pages;
   ?view=learner folds it again. */
function chooseView() {
  const asked = new URLSearchParams(location.search).get("view");
  let view = asked;
  try {
    if (asked) sessionStorage.setItem("view", asked);
    view = sessionStorage.getItem("view") ?? asked;
  } catch {
    /* Some browsers keep nothing for files: then the address decides alone. */
  }
  const instructs = view === "instructor";
  document.documentElement.dataset.view = instructs ? "instructor" : "learner";
  const parts = document.querySelectorAll("details.instructor");
  const here = location.hash && document.querySelector(location.hash.replace(/[^#\w-]/g, ""));
  parts.forEach((part) => {
    part.open = instructs || (here ? part.contains(here) : false);
  });
  if (!instructs) return;
  const leave = document.createElement("a");
  leave.className = "view-switch";
  leave.href = "?view=learner";
  leave.textContent = "Instructor's view · leave it";
  document.querySelector(".md-content__inner")?.prepend(leave);
}

function asClock(minutes) {
  const within = ((minutes % 1440) + 1440) % 1440;
  return `${String(Math.floor(within / 60)).padStart(2, "0")}:${String(within % 60).padStart(2, "0")}`;
}

/* The agendas, by the clock: choose one, say when it starts, print it. */
function runSheets() {
  const place = document.querySelector(".run-sheet-settings");
  const sheets = [...document.querySelectorAll(".run-sheet")];
  if (!place || !sheets.length) return;
  const asked = new URLSearchParams(location.search);
  const plans = [...document.querySelectorAll(".md-content h2")];
  const sections = plans.map((heading) => {
    const section = [heading];
    for (let it = heading.nextElementSibling; it && it.tagName !== "H2"; it = it.nextElementSibling) {
      section.push(it);
    }
    return section;
  });

  place.innerHTML = `
    <label>Agenda <select name="agenda"><option value="">all of them</option></select></label>
    <label>Starts at <input type="time" name="start" value="09:00" required></label>
    <button type="button" class="md-button md-button--primary">Print</button>`;
  const [agenda, start, print] = place.querySelectorAll("select, input, button");
  for (const heading of plans) agenda.append(new Option(heading.firstChild.textContent, heading.id));
  if (/^\d\d:\d\d$/.test(asked.get("start") ?? "")) start.value = asked.get("start");
  if (plans.some((it) => it.id === asked.get("agenda"))) agenda.value = asked.get("agenda");

  function show() {
    if (!start.value) return;
    const [hours, minutes] = start.value.split(":").map(Number);
    for (const sheet of sheets) {
      for (const row of sheet.querySelectorAll("tbody tr")) {
        const cell = row.cells[0];
        cell.dataset.after ??= cell.textContent.trim();
        const [h, m] = cell.dataset.after.split(":").map(Number);
        cell.textContent = asClock(hours * 60 + minutes + h * 60 + m);
      }
    }
    sections.forEach((section, index) => {
      const hidden = agenda.value !== "" && plans[index].id !== agenda.value;
      section.forEach((it) => { it.hidden = hidden; });
    });
    const address = new URLSearchParams({ agenda: agenda.value, start: start.value });
    try {
      history.replaceState(null, "", `?${address}${location.hash}`);
    } catch {
      /* An address that cannot be changed changes nothing else. */
    }
  }
  agenda.addEventListener("change", show);
  start.addEventListener("change", show);
  print.addEventListener("click", () => window.print());
  show();
}

mendTheTheme();
chooseView();
runSheets();
