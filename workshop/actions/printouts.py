"""Save the complete output of an app in its last run to a file.

The screen shows only the beginning and the end. `.workshop/output/` has one file per
lesson with everything, without control codes and passwords.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from workshop import files, paths
from workshop.terminal.output import safe_plain

if TYPE_CHECKING:
    from workshop.grading import LessonVerdict


def with_kept_output(verdict: LessonVerdict) -> LessonVerdict:
    """Save the output of the run, and return *verdict* with the file.

    If nothing was printed, or the file cannot be written, there is no file. A file of
    an earlier run is never kept.
    """
    file = paths.home() / "output" / f"{verdict.lesson.slug}.txt"
    text = printout(verdict)
    with contextlib.suppress(OSError):
        if text:
            file.parent.mkdir(parents=True, exist_ok=True)
            files.replace(file, text.encode("utf-8"))
            return replace(verdict, output_file=file)
        file.unlink(missing_ok=True)
    return replace(verdict, output_file=None)


def printout(verdict: LessonVerdict) -> str:
    """Return the output of the run, test by test."""
    outputs = [
        (f"step {step.number}, {test.test.id}: {test.verdict}", test.output)
        for step in verdict.steps
        for test in step.tests
    ]
    outputs.append(("outside the tests", verdict.output))
    return "\n".join(
        f"=== {name} ===\n{safe_plain(output)}\n" for name, output in outputs if output
    )
