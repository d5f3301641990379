"""Every page there is keeps to what pages promise."""

from __future__ import annotations

from pathlib import Path

import pytest

from workshop.check.pages import check_page, pages_below
from workshop.paths import ROOT
from workshop.site.glossary import read_terms
from workshop.site.picture import is_drawn

PAGES = pages_below(ROOT)


@pytest.mark.parametrize("page", PAGES, ids=lambda it: it.stem)
def test_its_quotes_are_up_to_date(page: Path) -> None:
    # What commands print is run again in tests/check, lesson by lesson.
    assert [str(it) for it in check_page(page, ROOT, outputs=None)] == []


def test_the_glossary_can_be_parsed() -> None:
    page = ROOT / "docs" / "reference" / "glossary.md"

    terms = read_terms(page.read_text(encoding="utf-8"))

    assert "event loop" in terms
    assert terms["coroutine"] == terms["coroutines"]
    # Meanings fit into a tooltip, and begin like sentences.
    assert all(10 < len(it) < 300 and it[0].isupper() for it in terms.values())


@pytest.mark.parametrize(
    ("source", "drawn"),
    [
        ("../pictures/04-before.svg", True),
        ("pictures/04-before.svg", True),
        ("../pictures/room.png", False),
        ("logo.svg", False),
    ],
)
def test_only_recorded_pictures_are_embedded(source: str, drawn: bool) -> None:
    assert is_drawn(source) == drawn
