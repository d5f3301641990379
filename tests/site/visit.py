"""Look at pages as a browser does, and write down what happened."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.site.chromium import axe, browser

if TYPE_CHECKING:
    from playwright.sync_api import ConsoleMessage, Page, Response, ViewportSize

WIDTHS = (1280, 390)
_DATA = ("data:", "blob:")


@dataclass
class Visit:
    """The result of opening a page: its messages, requests and size."""

    name: str
    width: int
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    weight: int = 0
    """Bytes, uncompressed, with an empty cache."""
    needs: int = 0
    """The page's width in pixels; more than the window's means scrolling sideways."""
    violations: list[str] = field(default_factory=list)

    def outside(self, home: str) -> list[str]:
        """Return the requests that did not go to *home*."""
        return [it for it in self.asked if not it.startswith((home, *_DATA))]


def page_names(site: Path) -> list[str]:
    """Return the pages of a built *site*, by their path in it."""
    found = (it.relative_to(site).as_posix() for it in site.rglob("*.html"))
    return sorted(it for it in found if not it.startswith("assets/"))


def visit_all(home: str, names: list[str]) -> list[Visit]:
    """Open every page, on a screen and on a phone.

    On the way each is judged by axe: by all its rules in the light, and by
    contrast alone in the dark, where nothing else is different.
    """
    script = axe()
    # A browser for each: they take turns at being idle.
    with ThreadPoolExecutor(len(WIDTHS)) as pool:
        both = pool.map(lambda width: _visit(home, names, width, script), WIDTHS)
        return [visit for visits in both for visit in visits]


def _visit(home: str, names: list[str], width: int, script: str) -> list[Visit]:
    visits = []
    size: ViewportSize = {"width": width, "height": 900}
    with (
        browser() as chromium,
        chromium.new_context(viewport=size, reduced_motion="reduce") as context,
    ):
        context.add_init_script(script)
        page = context.new_page()
        notes = Notes(page)
        for name in names:
            notes.visit = Visit(name, width)
            page.emulate_media(color_scheme="light")
            page.goto(f"{home}/{name}")
            wait_for_scheme(page, "default")
            notes.visit.needs = page.evaluate("document.documentElement.scrollWidth")
            problems = [f"light: {it}" for it in judge(page)]
            page.emulate_media(color_scheme="dark")
            wait_for_scheme(page, "slate")
            problems += [f"dark: {it}" for it in judge(page, "color-contrast")]
            notes.visit.violations = problems
            visits.append(notes.visit)
    for visit in visits:
        # What one page has fetched, the next one has in its cache.
        visit.weight = sum(notes.sizes.get(it, 0) for it in set(visit.asked))
    return visits


class Notes:
    """Records a page's messages and requests in the current `visit`."""

    def __init__(self, page: Page) -> None:
        self.visit = Visit("", 0)
        self.sizes: dict[str, int] = {}
        page.on("console", self._say)
        page.on("pageerror", lambda error: self.visit.said.append(f"uncaught: {error}"))
        page.on("request", lambda request: self.visit.asked.append(request.url))
        page.on("response", self._weigh)

    def _say(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.visit.said.append(f"{message.type}: {message.text}")

    def _weigh(self, response: Response) -> None:
        size = int(response.headers.get("content-length", "0"))
        self.sizes[response.url] = max(size, self.sizes.get(response.url, 0))


def search_for(page: Page, word: str) -> None:
    """Search for *word* by keyboard.

    The theme looks at its field when a key is released and when its index is
    ready; text that is inserted without a key after that is never searched for.
    The first letters come at once, because the theme's search warns that a
    single "t" is no valid query.
    """
    page.keyboard.press("/")
    page.keyboard.insert_text(word[:-1])
    page.keyboard.press(word[-1])


def wait_for_scheme(page: Page, name: str) -> None:
    """Wait until the page has the theme *name*, because it follows the system late."""
    page.locator(f"body[data-md-color-scheme={name}]").wait_for()


def judge(page: Page, *rules: str) -> list[str]:
    """Return axe-core's findings on *page*, by all its rules or by *rules*."""
    options: dict[str, Any] = {"resultTypes": ["violations"]}
    if rules:
        options["runOnly"] = {"type": "rule", "values": rules}
    found = page.evaluate("options => axe.run(document, options)", options)
    return [
        f"{it['id']} ({it['impact']}): {node['target'][0]} {node['html'][:120]}"
        for it in found["violations"]
        for node in it["nodes"]
    ]
