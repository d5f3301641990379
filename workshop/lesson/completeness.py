"""Check whether a folder is a complete lesson.

Incomplete folders are skipped, so that an unfinished lesson, or a file that was deleted
by mistake, does not break the other lessons. These checks are the first authoring
rules. The others are in `workshop.check`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from workshop.lesson.model import Gap, Lesson, LessonError, read

# Git leaves such a folder behind when it deletes a lesson.
_LEFTOVERS = {"__pycache__", ".DS_Store", ".ipynb_checkpoints", "Thumbs.db"}


def gaps(lesson: Lesson) -> Iterator[Gap]:
    """Yield the gaps of *lesson*, the most basic first; none if it is complete.

    Gaps that only follow from an unreadable file are left out.
    """
    if not lesson.folder.is_dir():
        fix = "Make it a folder that holds the lesson's files."
        yield Gap(lesson.folder, "is not a folder", fix)
        return
    parts: tuple[Callable[[], object], ...] = (
        lambda: lesson.brief,
        lambda: lesson.minutes,
        lambda: lesson.step_numbers,
        lambda: lesson.tests,
        lambda: lesson.steps,
        lambda: lesson.hints,
    )
    # Every check of an unreadable file would report the same gap.
    found = dict.fromkeys(gap for gap in map(_gap_of, parts) if gap is not None)
    yield from found
    if found:
        return
    yield from _steps_without_hints(lesson)
    for number in (*lesson.step_numbers, 0):
        path = lesson.state_file(number)
        if is_file(path):
            gap = _gap_of(partial(read, path))
            if gap is not None:
                yield gap
            continue
        what = f"is missing: the app after {number} of its steps are repaired"
        if number == 0:
            what = "is missing: the starter, which `reset` restores"
        if path == lesson.solution_file:
            what = "is missing: the repaired app"
        yield Gap(path, what, "Write it, or restore it with `git checkout`.")


def _gap_of(part: Callable[[], object]) -> Gap | None:
    try:
        part()
    except LessonError as problem:
        return problem.gap
    return None


def _steps_without_hints(lesson: Lesson) -> Iterator[Gap]:
    for section in lesson.brief.sections:
        if not lesson.hints.get(section.number):
            yield Gap(
                lesson.folder / "hints.md",
                f"has no hints for step {section.number}",
                f"Add '## Step {section.number} · {section.title}' and three hints, "
                "numbered 1. to 3.",
            )


def is_leftover(folder: Path) -> bool:
    """Return whether *folder* holds only files that other programs left behind."""
    try:
        names = {path.name for path in folder.iterdir()}
    except OSError:
        return False
    return bool(names) and names <= _LEFTOVERS


def is_file(path: Path) -> bool:
    """Return whether *path* is a file that can be accessed."""
    try:
        return path.is_file()
    except OSError:
        return False
