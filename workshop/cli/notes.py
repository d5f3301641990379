"""Notes on standard error, beside the output of a verb."""

from __future__ import annotations

from collections.abc import Iterable

import click

from workshop import course, paths
from workshop.lesson import Lesson


def say(sentence: str) -> None:
    """Print a note."""
    click.echo(sentence, err=True)


def print_notes(notes: Iterable[str]) -> None:
    """Print *notes*: what was noticed about the progress file, for example."""
    for note in notes:
        say(note)


def complete_lessons() -> list[Lesson]:
    """Return the complete lessons, and print a note on each folder that is skipped.

    For verbs that process all lessons. Each calls it only once, so that the notes
    are not repeated.
    """
    complete, left_out = course.catalogue().complete_and_left_out()
    for lesson, gap in left_out:
        where = lesson.folder.relative_to(paths.ROOT).as_posix()
        say(
            f"Skipping {where}: {course.gap_in_words(gap)}. "
            f"{course.how_to_list_gaps(lesson)}"
        )
    return complete
