"""Everything that an app printed in its last run, kept where it can be read.

The screen shows the beginning and the end. The whole is in `.workshop/output/`, one
file for each lesson, without control codes and without passwords.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from workshop import paths
from workshop.progress import disk
from workshop.terminal.output import safe_plain

if TYPE_CHECKING:
    from workshop.grading import LessonVerdict


def with_kept_output(verdict: LessonVerdict) -> LessonVerdict:
    """Keep what was printed in the run, and return *verdict* with its file.

    When nothing was printed, or it cannot be written, there is no file: never one of
    an earlier run.
    """
    file = paths.home() / "output" / f"{verdict.lesson.slug}.txt"
    text = printout(verdict)
    with contextlib.suppress(OSError):
        if text:
            file.parent.mkdir(parents=True, exist_ok=True)
            disk.replace(file, text.encode("utf-8"))
            return replace(verdict, output_file=file)
        file.unlink(missing_ok=True)
    return replace(verdict, output_file=None)


def printout(verdict: LessonVerdict) -> str:
    """Return what was printed in the run of *verdict*, test by test."""
    outputs = [
        (f"step {step.number}, {test.test.id}: {test.verdict}", test.output)
        for step in verdict.steps
        for test in step.tests
    ]
    outputs.append(("outside the tests", verdict.output))
    return "\n".join(
        f"=== {name} ===\n{safe_plain(output)}\n" for name, output in outputs if output
    )
