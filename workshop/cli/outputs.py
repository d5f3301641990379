"""What pages show of the command line: what it prints today, and its verbs."""

from __future__ import annotations

from pathlib import Path

from workshop.check.answers import grade_source
from workshop.check.generated import Part
from workshop.cli.app import command_line
from workshop.commands import VERBS
from workshop.lesson import Lesson
from workshop.screen.report import verdict_text
from workshop.site.reference import command_line_page

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


def verb_parts(root: Path) -> list[Part]:
    """Return what pages of the checkout *root* tell about the verbs."""
    page = root / "docs" / "reference" / "command_line.md"
    return [
        Part(page, "verbs", lambda: command_line_page(command_line().commands, VERBS))
    ]
