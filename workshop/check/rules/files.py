"""Rules about which files a lesson has, and about its name in them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from workshop.check.finding import Finding
from workshop.check.rules.places import (
    below,
    every_text,
    hints_of,
    notebook_text_of,
    text_of,
    variants_of,
)
from workshop.lesson import Catalogue, Lesson
from workshop.lesson.completeness import gaps, is_file
from workshop.scenario import ScriptError, read_scenes

PLACEHOLDER = "DRAFT:"
"""Marks text from `new-lesson` that has to be replaced."""


def readable(lesson: Lesson, root: Path) -> Iterator[Finding]:
    """A lesson can be read: README, steps, tests, hints and solution exist."""
    found = list(gaps(lesson))
    own_number = Catalogue(root).first_gap(lesson)
    if not found and own_number is not None:
        found = [own_number]  # another lesson has the same number
    for gap in found:
        missing = gap.what.startswith("is missing")
        yield Finding(
            lesson.slug,
            "complete" if missing else "readable",
            gap.what,
            below(gap.file, root),
            gap.line,
            gap.fix,
        )


def complete(lesson: Lesson, root: Path) -> Iterator[Finding]:
    """A lesson has the same name everywhere."""
    wanted = {
        lesson.app_file: "Copy the starter from the solution's steps/0.py.",
        lesson.solution / "README.md": "Say for each step why the repair works.",
        variants_of(lesson, root): "Write wrong and right variants of the solution.",
        lesson.page: "Write the page that explains the lesson.",
        notebook_text_of(lesson, root): "Write the notebook as text.",
    }
    for path, fix in wanted.items():
        if not is_file(path):
            yield Finding(
                lesson.slug, "complete", "is missing", below(path, root), fix=fix
            )


def titles(lesson: Lesson, root: Path) -> Iterator[Finding]:
    """Every text begins with the lesson's number and title."""
    wanted = {
        lesson.folder / "README.md": f"# {lesson.number} · {lesson.title}",
        hints_of(lesson): f"# Hints · {lesson.number} · {lesson.title}",
        lesson.solution / "README.md": f"# Solution · {lesson.number} · {lesson.title}",
        lesson.page: f"# {lesson.number} · {lesson.title}",
    }
    for path, title in wanted.items():
        text = text_of(path)
        if text is None:
            continue
        first = text.lstrip("\ufeff\n").partition("\n")[0].strip()
        if first != title:
            yield Finding(
                lesson.slug,
                "titles",
                f"begins with {first!r}",
                below(path, root),
                1,
                f"Begin it with {title!r}.",
            )


def scenes(lesson: Lesson, root: Path) -> Iterator[Finding]:
    """A scenario, if there is one, has a scene."""
    if not is_file(lesson.scenario_file):
        return
    try:
        read_scenes(lesson.scenario_file)
    except ScriptError as problem:
        yield Finding(lesson.slug, "scenes", str(problem))


def placeholders(lesson: Lesson, root: Path) -> Iterator[Finding]:
    """No text from `new-lesson` is left to be replaced."""
    found: dict[str, list[tuple[Path, int]]] = defaultdict(list)
    for path in every_text(lesson, root):
        for number, line in enumerate((text_of(path) or "").splitlines(), 1):
            _, mark, words = line.partition(PLACEHOLDER)
            if mark:
                found[words.strip().strip('"')].append((path, number))
    for words, ((path, number), *others) in found.items():
        # A sentence in the app also appears in the state after each step.
        more = {it.name for it, _ in others}
        also = f" (also in {len(others)} other places)" if more else ""
        yield Finding(
            lesson.slug,
            "draft",
            f"still to write: {words.rstrip('.') or 'this'}{also}",
            below(path, root),
            number,
        )
