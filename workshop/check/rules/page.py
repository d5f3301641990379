"""Rules about a lesson's page, and about the tables that list it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from workshop.check.finding import Finding
from workshop.check.generated import check_cut, check_tables
from workshop.check.pages import check_page
from workshop.check.rules.places import below, text_of
from workshop.lesson import Lesson
from workshop.lesson.completeness import is_file
from workshop.lesson.text import read_key_points
from workshop.scenario import ScriptError, read_scenes

HEADINGS = (
    *("Predict", "Run", "Explain", "Your turn", "Wrap-up", "For the instructor"),
)
_PICTURE = re.compile(r"!\[[^\]]*\]\((?P<file>\.\./pictures/[^)]+)\.svg\)")


def parts(lesson: Lesson, root: Path) -> Iterator[Finding]:
    """A page has the required sections, and says what to keep and what to cut."""
    text = text_of(lesson.page)
    if text is None:
        return
    file = below(lesson.page, root)

    def finding(what: str, fix: str) -> Finding:
        return Finding(lesson.slug, "page", what, file, fix=fix)

    there = re.findall(r"^## +(.+?)\s*$", text, re.MULTILINE)
    for heading in HEADINGS:
        if heading not in there:
            yield finding(f"has no section '{heading}'", f"Add '## {heading}'.")
    in_order = [it for it in there if it in HEADINGS]
    if in_order != [it for it in HEADINGS if it in there]:
        order = ", ".join(HEADINGS)
        yield finding("has its sections in another order", f"The order is: {order}.")
    explained = text.partition("\n## Explain\n")[2].partition("\n## ")[0]
    for step in lesson.steps:
        # A verdict refers to this heading.
        if f"\n### Step {step.number}\n" not in explained:
            yield finding(
                f"does not explain step {step.number}",
                f"Add '### Step {step.number}' to '## Explain'.",
            )
    points = len(read_key_points(text))
    if not 2 <= points <= 4:
        yield finding(
            f"has {points} things to keep in its wrap-up",
            "Begin '## Wrap-up' with a list of 2 to 4 sentences.",
        )
    yield from check_cut(lesson)


def sources(lesson: Lesson, root: Path) -> Iterator[Finding]:
    """The code on a page is quoted from files that tests run."""
    if is_file(lesson.page):
        yield from check_page(lesson.page, root, outputs=None)


def pictures(lesson: Lesson, root: Path) -> Iterator[Finding]:
    """The pictures on a page exist, for wide and narrow screens."""
    text = text_of(lesson.page) or ""
    for number, line in enumerate(text.splitlines(), 1):
        for match in _PICTURE.finditer(line):
            stem = lesson.page.parent / match["file"]
            for path in (f"{stem}.svg", f"{stem}-narrow.svg"):
                if not is_file(Path(path)):
                    yield Finding(
                        lesson.slug,
                        "pictures",
                        f"there is no picture {Path(path).name}",
                        below(lesson.page, root),
                        number,
                        "`python -m workshop pictures` records those of scenario.py.",
                    )


def recorded(lesson: Lesson, root: Path) -> Iterator[Finding]:
    """Each scene has its pictures: before and after, wide and narrow."""
    if not is_file(lesson.scenario_file):
        return
    try:
        scenes = read_scenes(lesson.scenario_file)
    except ScriptError:
        return  # reported by another rule
    for number, scene in enumerate(scenes):
        own = f"-{scene.name}" if number else ""
        for state in ("before", "after", "before-narrow", "after-narrow"):
            picture = f"docs/pictures/{lesson.number}{own}-{state}.svg"
            if not is_file(root / picture):
                yield Finding(
                    lesson.slug,
                    "pictures",
                    f"the scene '{scene.name}' has no picture yet",
                    picture,
                    fix="`python -m workshop pictures` records it.",
                )
                break


def tables(lesson: Lesson, root: Path) -> Iterator[Finding]:
    """The tables of lessons, the agendas and the notebook's page are up to date."""
    yield from check_tables(root, lesson)
