"""The built site in a real browser: nothing asked of others, everybody can read it."""

from __future__ import annotations

import contextlib
import itertools
import re
import shlex
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.exceptions import MissingParameter, NoArgsIsHelpError

from tests.site.chromium import ROOT, browser, needed, served
from tests.site.visit import Notes, Visit, page_names, search_for, visit_all
from workshop.cli.app import command_line
from workshop.site.build import build

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

LIMIT = 400_000
_BLOCK = re.compile(r"<pre\b.*?<code>(.*?)</code></pre>", re.DOTALL)
_TAG = re.compile(r"<[^>]+>")
LESSON = "lessons/04_concurrent_operations.html"
FIGURE = """
document.querySelector(".md-content__inner").insertAdjacentHTML("afterbegin",
  '<figure class="loop" id="here"><div><div class="wide">wide</div>' +
  '<div class="narrow">narrow</div></div></figure>')
"""

# Follows the system as the theme does: a moment late.
LATE_AND_DARK = """<!doctype html>
<html lang="en"><title>Seats</title>
<style>[data-md-color-scheme=slate] { background: #1b2625; color: #33413f }</style>
<body data-md-color-scheme="default"><main><h1>Seats</h1><p>A1 is free.</p></main>
<script>
matchMedia("(prefers-color-scheme: dark)").onchange = (asked) => setTimeout(() => {
  document.body.dataset.mdColorScheme = asked.matches ? "slate" : "default";
}, 100);
</script></body></html>
"""


# A browser is slow to start, and npm fetches what judges accessibility.
pytestmark = pytest.mark.slow

pytest.importorskip("material", reason="mkdocs-material needs Python 3.11.5")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with needed(), browser() as started:
        yield started


@pytest.fixture(scope="module")
def site(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    assert build(ROOT, folder)
    return folder


@pytest.fixture(scope="module")
def home(site: Path) -> Iterator[str]:
    with served(site) as address:
        yield address


@pytest.fixture(scope="module")
def visits(home: str, site: Path) -> list[Visit]:
    with needed():
        return visit_all(home, page_names(site))


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    with chromium.new_context(
        viewport={"width": 1280, "height": 900},
        reduced_motion="reduce",
        permissions=["clipboard-read", "clipboard-write"],
    ) as fresh:
        fresh.set_default_timeout(10_000)
        yield fresh


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


def test_no_page_loads_external_files_or_logs_errors(
    visits: list[Visit], home: str
) -> None:
    assert len(visits) > 30
    assert {it.name: it.outside(home) for it in visits if it.outside(home)} == {}
    assert {it.name: it.said for it in visits if it.said} == {}


def test_no_lesson_asks_for_a_room_that_does_not_serve_it(
    page: Page, home: str
) -> None:
    notes = Notes(page)
    page.goto(f"{home}/{LESSON}", wait_until="networkidle")

    # A request that has no file would also have logged an error.
    assert f"{home}/javascripts/room.js" in notes.visit.asked
    assert [it for it in notes.visit.asked if "/me" in it or "/static/" in it] == []
    assert page.locator(".room-poll").count() == 0
    assert notes.visit.said == []


def test_every_page_is_small(visits: list[Visit]) -> None:
    assert all(it.weight > 50_000 for it in visits), "that was not weighed"
    assert {it.name: it.weight for it in visits if it.weight > LIMIT} == {}


def test_every_page_is_accessible(visits: list[Visit]) -> None:
    found = {f"{it.name} {it.width}": it.violations for it in visits if it.violations}

    assert found == {}


def test_low_contrast_in_the_dark_theme_is_found(tmp_path: Path) -> None:
    (tmp_path / "late.html").write_text(LATE_AND_DARK, encoding="utf-8")

    with needed(), served(tmp_path) as address:
        found = [it.violations for it in visit_all(address, ["late.html"])]

    assert [len(it) for it in found] == [2, 2]
    assert all("dark: color-contrast" in it for each in found for it in each)


def test_no_page_scrolls_sideways(visits: list[Visit]) -> None:
    assert {it.name: it.needs for it in visits if it.needs > it.width} == {}


@pytest.mark.parametrize("way", ["served", "opened as a file"])
def test_search_finds_pages(way: str, page: Page, home: str, site: Path) -> None:
    root = home if way == "served" else site.as_uri()
    notes = Notes(page)
    page.goto(f"{root}/index.html")

    search_for(page, "turnstiles")
    page.locator(".md-search-result__link[href*='h=turnstiles']").first.wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url("**/*h=turnstiles*")

    page.locator("mark", has_text="turnstiles").first.wait_for()
    assert notes.visit.outside(root) == []
    assert notes.visit.said == []


@pytest.mark.parametrize(
    "word", ["timeout", "session", "lifespan", "cancel", "blocking", "stream"]
)
def test_search_finds_a_lesson_first(word: str, page: Page, home: str) -> None:
    page.goto(f"{home}/index.html")

    search_for(page, word)
    first = page.locator(f".md-search-result__link[href*='h={word}']").first

    assert f"{home}/lessons/" in (first.get_attribute("href") or "")


def test_search_still_finds_the_reference_of_a_function(page: Page, home: str) -> None:
    page.goto(f"{home}/index.html")

    search_for(page, "until_stalled")

    page.locator(".md-search-result__link[href*='reference/test_kit']").first.wait_for()


def test_the_search_index_is_loaded_on_first_search(page: Page, home: str) -> None:
    notes = Notes(page)
    page.goto(f"{home}/index.html", wait_until="networkidle")
    assert [it for it in notes.visit.asked if "/search" in it] == [
        f"{home}/javascripts/search-later.js"
    ]

    with page.expect_response("**/search/search_index.json"):
        page.locator(".md-search__input").focus()


@pytest.mark.parametrize("way", ["served", "opened as a file"])
def test_each_folder_is_a_tab(way: str, page: Page, home: str, site: Path) -> None:
    root = home if way == "served" else site.as_uri()
    page.goto(f"{root}/{LESSON}")
    tabs = page.locator(".md-tabs__link")
    assert tabs.all_inner_texts() == [
        *("Start here", "Lessons", "Notebooks", "Reference", "Teach")
    ]

    for tab, heading in [("Notebooks", "Notebooks"), ("Reference", "Command line")]:
        page.locator(".md-tabs").get_by_text(tab, exact=True).click()
        page.get_by_role("heading", level=1, name=heading).wait_for()
        assert page.locator(".md-tabs__item--active").inner_text() == tab


@pytest.mark.parametrize("width", [1280, 390])
def test_no_lesson_is_twice_in_a_menu(width: int, page: Page, home: str) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"{home}/{LESSON}")
    if width == 390:
        page.locator(".md-header [for=__drawer]").click()

    # On a phone, the page itself is a label that opens its table of contents.
    links = page.locator(".md-nav--primary .md-nav__item > .md-nav__link:visible")
    titles = [it for it in links.all_inner_texts() if it[:1].isdecimal()]
    numbers = [it.split()[0] for it in titles]
    assert len(numbers) > 7
    assert sorted(set(numbers)) == numbers


def test_every_block_for_make_has_a_twin_for_windows_that_exists(site: Path) -> None:
    verbs = command_line().commands
    found = 0
    for name in page_names(site):
        html = (site / name).read_text(encoding="utf-8")
        blocks = [unescape(_TAG.sub("", it)) for it in _BLOCK.findall(html)]
        for block, following in itertools.pairwise([*blocks, ""]):
            if not re.search(r"^make ", block, re.MULTILINE):
                continue
            found += 1
            assert "make " not in following
            twins = re.findall(r"^py -m workshop (.+)$", following, re.MULTILINE)
            assert twins, f"{name}: {block}"
            for twin in twins:
                verb, *arguments = shlex.split(re.sub(r"[\[\]]", "", twin))
                # Some of them need a name or a verb of their own as well.
                with contextlib.suppress(NoArgsIsHelpError, MissingParameter):
                    verbs[verb].make_context(verb, arguments)
    assert found > 30


def test_a_chosen_tab_stays_chosen(page: Page, home: str) -> None:
    page.goto(f"{home}/index.html")
    make, windows = page.get_by_text("make learn"), page.get_by_text("py -m workshop")
    assert make.is_visible()
    assert not windows.is_visible()

    page.get_by_text("Windows", exact=True).click()
    page.reload()

    assert windows.is_visible()
    assert not make.is_visible()


def test_copied_commands_have_no_prompt(page: Page, home: str) -> None:
    page.goto(f"{home}/index.html")

    page.locator(".tabbed-block >> nth=0").locator(".md-code__button").click()
    page.get_by_text("Copied to clipboard").wait_for()

    copied = page.evaluate("navigator.clipboard.readText()").splitlines()
    assert [line.split()[0] for line in copied] == ["git", "cd", "make"]


def test_the_theme_follows_the_system_until_the_user_chooses(
    page: Page, home: str
) -> None:
    def scheme() -> str | None:
        return page.locator("body").get_attribute("data-md-color-scheme")

    page.emulate_media(color_scheme="dark")
    page.goto(f"{home}/index.html")
    assert scheme() == "slate"

    page.locator("label[title$='Switch to light']").click()
    page.goto(f"{home}/{LESSON}")

    assert scheme() == "default"


def test_the_content_can_be_reached_with_one_key(page: Page, home: str) -> None:
    page.goto(f"{home}/{LESSON}")

    page.keyboard.press("Tab")
    skip = page.locator(":focus")
    assert skip.inner_text() == "Skip to content"
    assert skip.is_visible()

    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('.md-content') !== null")


def test_a_term_has_a_tooltip(page: Page, home: str) -> None:
    page.goto(f"{home}/lessons/00_event_loop.html")

    page.locator(".md-content abbr:visible").first.hover()

    page.locator(".md-tooltip2, .md-tooltip").filter(has_text=".").first.wait_for()


def test_instructors_sections_open_for_instructors_and_stay_open(
    page: Page, home: str
) -> None:
    part = page.locator("details.instructor")
    opened = "details.instructor[open]"

    page.goto(f"{home}/{LESSON}")
    assert part.count() == 1
    assert page.locator(opened).count() == 0
    page.goto(f"{home}/{LESSON}?view=instructor")
    assert page.locator(opened).count() == 1
    page.goto(f"{home}/lessons/00_event_loop.html")
    assert page.locator(opened).count() == 1

    page.get_by_text("leave it").click()

    page.wait_for_url("**view=learner")
    assert page.locator(opened).count() == 0


def test_a_link_into_a_folded_section_opens_it(page: Page, home: str) -> None:
    page.goto(f"{home}/{LESSON}#for-the-instructor")

    assert page.locator("details.instructor[open]").count() == 1


def test_everything_is_readable_without_javascript(
    chromium: Browser, home: str
) -> None:
    with chromium.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{home}/{LESSON}")
        assert page.get_by_text("What to cut.").is_visible()

        page.goto(f"{home}/teach/agendas.html")
        assert page.locator(".run-sheet td").first.inner_text() == "0:00"
        assert not page.locator(".run-sheet-settings").is_visible()


def test_a_run_sheet_shows_clock_times_and_prints_the_chosen_agenda(
    page: Page, home: str
) -> None:
    page.goto(f"{home}/teach/agendas.html")
    page.get_by_label("Starts at").fill("13:30")
    page.locator("select[name=agenda]").select_option(label="Half a day")

    times = page.locator(".run-sheet >> nth=0").locator("td:first-child")
    assert times.all_inner_texts()[:2] == ["13:30", "13:45"]
    headings = page.locator("h2:visible").all_inner_texts()
    assert [it.rstrip("¶") for it in headings] == ["Half a day"]

    # The address is the run sheet: it can be sent to the other instructor.
    page.reload()
    assert times.first.inner_text() == "13:30"
    assert page.locator("h2:visible").count() == 1

    page.emulate_media(media="print")
    assert not page.locator(".run-sheet-settings").is_visible()
    assert not page.locator(".md-header").is_visible()
    assert times.first.is_visible()


@pytest.mark.parametrize("size", ["A4", "Letter"])
@pytest.mark.parametrize("agenda", ["half-a-day", "a-day"])
def test_the_run_sheet_of_a_day_prints_on_one_page(
    agenda: str, size: str, page: Page, home: str
) -> None:
    page.goto(f"{home}/teach/agendas.html?agenda={agenda}&start=09:00")
    page.locator(".run-sheet-settings select").wait_for()

    paper = page.pdf(format=size)

    assert len(re.findall(rb"/Type\s*/Page\b", paper)) == 1


@pytest.mark.parametrize(("width", "shown"), [(1280, "wide"), (390, "narrow")])
def test_a_picture_fits_its_screen(
    width: int, shown: str, page: Page, home: str
) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(f"{home}/index.html")
    page.evaluate(FIGURE)

    visible = page.locator("#here div div:visible")
    assert visible.all_inner_texts() == [shown]
