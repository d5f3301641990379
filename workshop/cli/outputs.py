"""What pages show of the command line, and whether it is up to date."""

from __future__ import annotations

from pathlib import Path

import click

from workshop import paths
from workshop.check import Finding
from workshop.check.answers import grade_source
from workshop.check.generated import Part, check_generated, planned, write
from workshop.check.pages import PageError, check_page, fill_page, pages_below
from workshop.cli.notes import complete_lessons, say
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


def verb_parts(root: Path, group: click.Group) -> list[Part]:
    """Return what pages of the checkout *root* tell about the verbs of *group*."""
    page = root / "docs" / "reference" / "command_line.md"
    return [Part(page, "verbs", lambda: command_line_page(group.commands, VERBS))]


def pages_findings(*, quick: bool, renewing: bool = False) -> list[Finding]:
    """Return what is out of date, missing or without a source on the pages.

    With *renewing*, first update the generated parts: all of them, or none if one
    cannot be generated. With *quick*, run nothing, and do not check the outputs of
    commands.
    """
    group = click.get_current_context().find_root().command
    assert isinstance(group, click.Group)
    verbs = verb_parts(paths.ROOT, group)
    outputs: dict[str, str] = {}
    lessons = complete_lessons()
    for it in () if quick else lessons:
        say(f"Lesson {it.number}: running its commands")
        outputs |= outputs_of(it)
    if renewing:
        try:
            changed = planned(
                paths.ROOT, verbs, lambda text: fill_page(text, paths.ROOT, outputs)
            )
        except PageError as problem:
            say("Nothing was written.")
            return [Finding("pages", "generated", str(problem))]
        for path in write(changed):
            say(f"Updated {path.relative_to(paths.ROOT)}.")
    findings = list(check_generated(paths.ROOT, verbs))
    for path in pages_below(paths.ROOT):
        findings += check_page(path, paths.ROOT, None if quick else outputs)
    return findings
