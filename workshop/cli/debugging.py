"""Give a learner's app the terminal, so that `breakpoint()` opens a debugger there."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from workshop.cli import place
from workshop.cli.app import NOT_PASSED, PASSED
from workshop.lesson import Lesson
from workshop.screen.console import command

if TYPE_CHECKING:
    from workshop.actions.services import Choice

COMMAND = "WORKSHOP_DEBUG_COMMAND"
"""Environment variable of a server: the command that enables breakpoints."""

AT_TERMINAL = "WORKSHOP_DEBUG"
"""Environment variable of a server: whether the app has the terminal."""


def debug_step(
    lesson: Lesson,
    answer: Path,
    step: int | None,
    database: Choice | None,
    *,
    as_json: bool,
) -> int:
    """Run the tests of one step in this terminal, and print the result.

    The default is the current step. The result is not recorded, because a debugger can
    change variables and so make any test pass.
    """
    from workshop.actions.services import services_for_tests
    from workshop.cli.learner import say
    from workshop.grading.debugged import debug
    from workshop.screen.report import print_step

    if as_json:
        raise click.UsageError("Either --debug or --json, not both.")
    need_terminal()
    if step is None:
        record = place.store().load().of(lesson.slug)
        step = record.current_step(len(lesson.steps))
    wanted = lesson.steps[step - 1]
    say(f"Step {step} · {wanted.title}: its tests run here, without time limits.")
    say("At a breakpoint: p NAME prints, n runs a line, c continues, q quits.")
    with services_for_tests(lesson, database, say=say) as environment:
        judged = debug(lesson, answer, wanted, environment)
    print_step(lesson, judged)
    check = command("test", lesson.number)
    say(f"A debugging run does not count. For a verdict: {check}")
    return PASSED if judged.passed else NOT_PASSED


def need_terminal() -> None:
    """Raise `click.UsageError` unless a debugger could read from a terminal."""
    if not (sys.stdin and sys.stdin.isatty() and sys.stdout.isatty()):
        raise click.UsageError(
            "--debug needs a terminal, because a debugger reads what you type. Run it "
            "in a terminal window, without a pipe."
        )


def debugging_environment(verb: str, number: str, *, debug: bool) -> dict[str, str]:
    """Return the variables that tell the app what to do at a breakpoint."""
    if debug:
        return {AT_TERMINAL: "1"}
    return {COMMAND: command(verb, number, "--debug"), AT_TERMINAL: ""}
