"""The folders of the lessons and of the learner's progress."""

from __future__ import annotations

import sys
from pathlib import Path

from workshop import paths
from workshop.lesson import Catalogue, Gap, Lesson, LessonError
from workshop.progress import Snapshots, Store

ROOT = paths.ROOT
"""The checkout."""


def home() -> Path:
    """Return the folder for all that the tool stores outside of lessons."""
    return paths.folder_named_by("WORKSHOP_HOME") or ROOT / ".workshop"


def catalogue() -> Catalogue:
    """Return the lessons of the checkout."""
    return Catalogue(ROOT)


def lessons() -> list[Lesson]:
    """Return the complete lessons, and print a note on each folder that is skipped.

    For verbs that process all lessons. Each calls it only once, so that the notes
    are not repeated.
    """
    complete, left_out = catalogue().complete_and_left_out()
    for lesson, gap in left_out:
        where = lesson.folder.relative_to(ROOT).as_posix()
        print(  # noqa: T201 -- a note beside the verb's own output
            f"Skipping {where}: {first_words(gap)}. To list all its problems: "
            f"{draft_command(lesson)}",
            file=sys.stderr,
        )
    return complete


def whole(lesson: Lesson) -> Lesson:
    """Return *lesson* if it is complete.

    Raises:
        LessonError: It is incomplete; the message has the first gap.

    """
    gap = catalogue().first_gap(lesson)
    if gap is None:
        return lesson
    raise LessonError(
        f"Lesson {lesson.number} is not complete: {first_words(gap)}. {gap.fix} "
        f"To list all its problems: {draft_command(lesson)}"
    )


def first_words(gap: Gap) -> str:
    """Return the gap's place, relative to the current folder, and what is wrong."""
    file = gap.file
    where = file.relative_to(ROOT).as_posix() if file.is_relative_to(ROOT) else file
    return f"{where}{f':{gap.line}' if gap.line else ''} {gap.what}"


def draft_command(lesson: Lesson) -> str:
    """Return the command that lists the gaps of *lesson*."""
    return f"`python -m workshop check {lesson.number} --draft`"


def store() -> Store:
    """Return the store of the learner's progress."""
    return Store(home() / "progress.json")


def snapshots() -> Snapshots:
    """Return the snapshots of the learner's files."""
    return Snapshots(home() / "kept")
