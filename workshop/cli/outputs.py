"""What the commands on lesson pages print today."""

from __future__ import annotations

from workshop.check.gate import grade_source
from workshop.lesson import Lesson
from workshop.screen.report import verdict_text

WIDTH = 72
"""A phone and a projector both show so many columns."""


def outputs_of(lesson: Lesson) -> dict[str, str]:
    """Return what `make lesson-NN test` prints on the starter, by command.

    The published starter is graded, and shown under the name of the file
    that learners edit.
    """
    starter = lesson.state_file(0).read_text(encoding="utf-8")
    verdict = grade_source(lesson, starter)
    text = verdict_text(verdict, lesson.app_file, WIDTH)
    return {f"make lesson-{lesson.number} test": text}
