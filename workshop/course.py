"""The lessons of this checkout, and what is kept of the learner's work on them."""

from __future__ import annotations

from workshop import paths
from workshop.lesson import Catalogue, Gap, Lesson, LessonError
from workshop.progress import Snapshots, Store


def catalogue() -> Catalogue:
    """Return the lessons of the checkout."""
    return Catalogue(paths.ROOT)


def complete(lesson: Lesson) -> Lesson:
    """Return *lesson* if it is complete.

    Raises:
        LessonError: with its first gap otherwise.

    """
    gap = catalogue().first_gap(lesson)
    if gap is None:
        return lesson
    raise LessonError(
        f"Lesson {lesson.number} is not complete: {gap_in_words(gap)}. {gap.fix} "
        f"{how_to_list_gaps(lesson)}"
    )


def gap_in_words(gap: Gap) -> str:
    """Return the gap's location, relative to the checkout, and what is wrong."""
    file, root = gap.file, paths.ROOT
    where = file.relative_to(root).as_posix() if file.is_relative_to(root) else file
    return f"{where}{f':{gap.line}' if gap.line else ''} {gap.what}"


def how_to_list_gaps(lesson: Lesson) -> str:
    """Return a sentence with the command that lists the gaps of *lesson*."""
    return (
        f"To list all its problems: `python -m workshop check {lesson.number} --draft`"
    )


def store() -> Store:
    """Return where the learner's progress is kept."""
    return Store(paths.home() / "progress.json")


def snapshots() -> Snapshots:
    """Return where the learner's files are kept before one of them is replaced."""
    return Snapshots(paths.home() / "kept")
