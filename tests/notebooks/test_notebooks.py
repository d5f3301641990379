"""Notebooks are what their texts say, whole, and free of anybody's machine."""

from __future__ import annotations

import pytest

from workshop.check.generated import check_generated
from workshop.check.rules import notebook
from workshop.check.rules.all import Rule
from workshop.lesson import Catalogue, Lesson
from workshop.notebooks.pairing import texts
from workshop.paths import ROOT

TEXTS = texts(ROOT)


def test_every_lesson_has_a_notebook_and_its_text() -> None:
    lessons = [it.slug for it in Catalogue(ROOT).lessons()]

    assert [it.stem for it in TEXTS] == lessons
    assert sorted(it.stem for it in (ROOT / "notebooks").glob("*.ipynb")) == lessons


RULES = (
    notebook.paired,
    notebook.executed,
    notebook.errors,
    notebook.machines,
    notebook.sizes,
    notebook.experiments,
    notebook.spoilers,
)


@pytest.mark.parametrize("rule", RULES, ids=lambda it: it.__name__)
@pytest.mark.parametrize("lesson", Catalogue(ROOT).lessons(), ids=lambda it: it.slug)
def test_a_notebook_keeps_every_rule(lesson: Lesson, rule: Rule) -> None:
    assert [str(it) for it in rule(lesson, ROOT)] == []


def test_the_pages_of_notebooks_are_up_to_date() -> None:
    stale = [it for it in check_generated(ROOT) if it.lesson in PAGES]

    assert stale == []


PAGES = {f"{it.stem}.md" for it in TEXTS} | {"index.md"}
