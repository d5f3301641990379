"""Pictures as a browser lays them out, with the fonts that are here.

Skipped where there is no Chromium.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.timeline.examples import ALL, ONE_BY_ONE, TOGETHER
from workshop.timeline import svg, svg_pair

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))),
    None,
)
if BROWSER is None:
    pytest.skip("There is no Chromium.", allow_module_level=True)
playwright = pytest.importorskip("playwright.sync_api")

FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update"),
    "--disable-sync",
)
PICTURES = Path(__file__).resolve().parents[2] / "docs" / "pictures"
LOOK = """() => [...document.querySelectorAll("svg")].map(svg => {
    const box = it => {
        const {left, top, right, bottom} = it.getBoundingClientRect();
        return {left, top, right, bottom, words: it.textContent};
    };
    const texts = [...svg.querySelectorAll("text")];
    const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
    const size = it => parseFloat(getComputedStyle(it).fontSize) * scale;
    return {
        whole: box(svg),
        texts: texts.map(box),
        smallest: Math.min(...texts.map(size)),
        paper: getComputedStyle(svg.querySelector(".paper")).fill,
    };
})"""
Seen = list[dict[str, Any]]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as tools:
        started = tools.chromium.launch(executable_path=BROWSER, args=FLAGS)
        yield started
        started.close()


def drawings(*, narrow: bool) -> list[str]:
    """Every picture of a page, and what no page has."""
    checked_in = [
        path.read_text(encoding="utf-8")
        for path in sorted(PICTURES.glob("*-*.svg"))
        if re.match(r"\d\d|state", path.name)
        and path.stem.endswith("-narrow") == narrow
    ]
    return [
        *checked_in,
        *(svg(it, title=title * 2, narrow=narrow) for title, it in ALL.items()),
        svg_pair(ONE_BY_ONE, TOGETHER, title="A pair", narrow=narrow),
    ]


def look(browser: Any, pictures: list[str], width: int, scheme: str = "light") -> Seen:
    page = browser.new_page(
        viewport={"width": width, "height": 800}, color_scheme=scheme
    )
    page.set_content(f'<body style="margin: 0">{"".join(pictures)}</body>')
    seen: Seen = page.evaluate(LOOK)
    page.close()
    assert len(seen) == len(pictures)
    return seen


# A text column is so wide on a desk, and on a phone of 390 pixels.
@pytest.mark.parametrize(("narrow", "width"), [(False, 688), (True, 358)])
def test_words_are_large_enough_inside_and_beside_each_other(
    browser: Any, narrow: bool, width: int
) -> None:
    for picture in look(browser, drawings(narrow=narrow), width):
        assert picture["smallest"] >= (11 if narrow else 10)
        whole, texts = picture["whole"], picture["texts"]
        for text in texts:
            assert text["left"] >= whole["left"], text
            assert text["right"] <= whole["right"], text
        pairs = ((a, b) for n, a in enumerate(texts) for b in texts[:n])
        for one, other in pairs:
            across = min(one["right"], other["right"]) - max(one["left"], other["left"])
            down = min(one["bottom"], other["bottom"]) - max(one["top"], other["top"])
            # Lines of text may touch: their boxes have room for accents.
            assert across <= 1 or down <= 4, (one, other)


def test_a_picture_follows_the_page_it_is_in_and_else_the_system(browser: Any) -> None:
    picture = svg(TOGETHER, title="x")
    pages = {
        "dark": f'<div data-md-color-scheme="slate">{picture}</div>',
        "light": f'<div data-md-color-scheme="default">{picture}</div>',
        "system": picture,
    }
    (dark,), (light,) = (
        {it["paper"] for it in look(browser, [pages[kind], pages[kind]], 700, scheme)}
        for kind, scheme in (("dark", "light"), ("light", "dark"))
    )
    (by_day,), (by_night,) = (
        look(browser, [pages["system"]], 700, scheme) for scheme in ("light", "dark")
    )

    assert dark != light
    assert by_day["paper"] == light
    assert by_night["paper"] == dark
