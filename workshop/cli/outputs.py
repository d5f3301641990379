"""What pages show of the command line, and whether it is up to date."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
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

_RUNS = 3
"""How often commands run for a page that differs."""


def outputs_of(lesson: Lesson) -> dict[str, str]:
    """Return the output of `make lesson-NN test` on the starter, by command.

    The published starter is graded, but named like the file that learners edit. Tests
    that were edited count as published, because pages are published with them.
    """
    starter = lesson.state_file(0).read_text(encoding="utf-8")
    verdict = replace(grade_source(lesson, starter), edited_tests=())
    text = verdict_text(verdict, lesson.app_file, WIDTH)
    return {f"make lesson-{lesson.number} test": text}


def check_outputs(pages: Iterable[Path], lessons: Iterable[Lesson]) -> list[Finding]:
    """Return what is wrong on *pages*, given what the commands of *lessons* print.

    For pages that differ, the commands run again: on a busy machine, a drawing of
    threads may show another order. A page that is out of date never agrees.
    """
    lessons = list(lessons)
    found: dict[Path, list[Finding]] = {page: [] for page in pages}
    for _ in range(_RUNS):
        outputs = _outputs(lessons)
        checked = {page: list(check_page(page, paths.ROOT, outputs)) for page in found}
        found = {page: findings for page, findings in checked.items() if findings}
        if not found:
            break
    return [finding for findings in found.values() for finding in findings]


def _outputs(lessons: Iterable[Lesson]) -> dict[str, str]:
    outputs: dict[str, str] = {}
    for it in lessons:
        say(f"Lesson {it.number}: running its commands")
        outputs |= outputs_of(it)
    return outputs


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
    lessons = complete_lessons()
    outputs = _outputs(lessons) if renewing and not quick else {}
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
    pages = list(pages_below(paths.ROOT))
    if not quick and not renewing:
        return findings + check_outputs(pages, lessons)
    for path in pages:
        findings += check_page(path, paths.ROOT, None if quick else outputs)
    return findings
