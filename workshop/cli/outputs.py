"""The command line as the pages show it: current outputs, and the list of verbs."""

from __future__ import annotations

from pathlib import Path

from workshop.check.gate import grade_source
from workshop.check.generated import Part
from workshop.cli.app import command_line
from workshop.commands import VERBS
from workshop.lesson import Lesson
from workshop.screen.report import verdict_text
from workshop.site.reference import command_line_page

WIDTH = 72
"""The number of columns that phones and projectors show."""


def outputs_of(lesson: Lesson) -> dict[str, str]:
    """Return the output of `make lesson-NN test` on the starter, by command.

    The published starter is graded, but named like the file that learners edit.
    """
    starter = lesson.state_file(0).read_text(encoding="utf-8")
    verdict = grade_source(lesson, starter)
    text = verdict_text(verdict, lesson.app_file, WIDTH)
    return {f"make lesson-{lesson.number} test": text}


def verb_parts(root: Path) -> list[Part]:
    """Return the generated parts about the verbs in the checkout *root*."""
    page = root / "docs" / "reference" / "command_line.md"
    return [
        Part(page, "verbs", lambda: command_line_page(command_line().commands, VERBS))
    ]
