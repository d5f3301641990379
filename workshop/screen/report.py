"""Print a verdict so that the next action is obvious."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from workshop.commands import command
from workshop.grading import LessonVerdict, StepVerdict, TestVerdict, Verdict
from workshop.lesson import Lesson
from workshop.screen.console import colour, mark, out
from workshop.screen.failure import FailingStep
from workshop.screen.pages import short
from workshop.screen.printed import printed

BROKEN = (Verdict.STOPPED, Verdict.CRASHED, Verdict.TIMED_OUT, Verdict.ERROR)
"""Verdicts that say more about the app as a whole than about one step."""


def verdict_text(verdict: LessonVerdict, answer: Path, width: int) -> str:
    """Return the output of `make lesson-NN test`, uncoloured and *width* wide."""
    console = Console(width=width, highlight=False, file=StringIO(), no_color=True)
    print_verdict(verdict, answer, console=console, make=True)
    assert isinstance(console.file, StringIO)
    lines = console.file.getvalue().splitlines()
    return "\n".join(line.rstrip() for line in lines) + "\n"


def print_verdict(
    verdict: LessonVerdict,
    answer: Path,
    *,
    console: Console | None = None,
    traceback: bool = False,
    every_step: bool = False,
    only: int | None = None,
    own: bool = True,
    make: bool | None = None,
) -> None:
    """Print *verdict* on the file *answer*.

    The first step that has not passed is shown in full, the others in one line each.
    *every_step* shows all in full; *only* is the number of the one step to show. *own*
    says that the file is the learner's, so that hints are offered. *make* shows
    commands for make, by default if the user typed make.
    """
    lesson = verdict.lesson
    console = console or out()
    console.print(
        Text.assemble(
            (f"Lesson {lesson.number} · {lesson.title}", "bold"),
            ("   " + short(answer), "dim"),
        ),
        soft_wrap=True,
    )
    console.print()
    if verdict.note_on_tests:
        console.print(Text(verdict.note_on_tests, colour("error")))
        console.print()
    current = verdict.current if only is None else verdict.steps[only - 1]
    common = common_error(verdict)
    if common is not None:
        _print_common(console, common, traceback)
    for step in verdict.steps:
        word = step.verdict
        console.print(
            Text.assemble(
                (f"{mark(word)} ", colour(word)),
                f"Step {step.number} · {step.title}: ",
                (str(word), colour(word)),
            ),
            soft_wrap=True,
        )
        broken = word in BROKEN
        in_full = every_step or step is current or (broken and only is None)
        if word is not Verdict.PASSED and in_full and common is None:
            console.print(FailingStep(step, verdict, traceback, every_step, make))
            console.print()
    if verdict.verdict is not Verdict.PASSED and traceback and verdict.output:
        console.print(Text("Printed outside the tests", "bold"))
        console.print(Padding(said_by_app(verdict.output, verdict), (0, 0, 0, 4)))
    console.print()
    _print_closing(console, verdict, only=only, own=own, make=make)


def said_by_app(output: str, verdict: LessonVerdict) -> Text:
    """Return the shortened output of the app, in its own colours."""
    return Text.from_ansi(printed(output, verdict.output_file))


def common_error(verdict: LessonVerdict) -> TestVerdict | None:
    """Return the failure that kept every test from running, if there is one."""
    tests = [test for step in verdict.steps for test in step.tests]
    same = {(test.verdict, test.seen) for test in tests}
    if len(tests) > 1 and len(same) == 1 and tests[0].verdict is Verdict.ERROR:
        return tests[0]
    return None


def _print_common(console: Console, test: TestVerdict, traceback: bool) -> None:
    """Print the failure that all tests share, without the steps."""
    console.print(Padding(Text(test.seen), (0, 0, 0, 4), expand=False))
    if test.line:
        line = Text.assemble(("Your line ", "bold"), test.line)
        console.print(Padding(line, (0, 0, 0, 4), expand=False))
    if traceback and test.traceback:
        console.print(Padding(Text(test.traceback.rstrip()), (0, 0, 0, 4)))
    console.print()


def print_step(lesson: Lesson, step: StepVerdict) -> None:
    """Print the result of *step* alone, whose output was shown as it ran."""
    console = out()
    console.print(FailingStep(step, LessonVerdict(lesson, (step,), 0.0)))
    word = str(step.verdict)
    console.print()
    console.print(
        Text.assemble(
            (f"{mark(word)} Step {step.number} · {step.title}: ", "bold"),
            (word, colour(word)),
        ),
        soft_wrap=True,
    )


def _print_closing(
    console: Console,
    verdict: LessonVerdict,
    *,
    only: int | None,
    own: bool,
    make: bool | None,
) -> None:
    number = verdict.lesson.number
    passed = sum(step.verdict is Verdict.PASSED for step in verdict.steps)
    total = len(verdict.steps)
    seconds = f"{verdict.seconds:.1f} s"
    if verdict.passed:
        console.print(
            Text.assemble(
                (f"{mark('passed')} Passed: ", "bold green"),
                f"all {total} steps of lesson {number}, in {seconds}.",
            )
        )
        if own:
            rows = (
                ("Why it works", command("solution", number, make=make)),
                ("Explained", short(verdict.lesson.page)),
                ("To continue", command("learn", make=make)),
            )
            for name, text in rows:
                console.print(f"{name + ':':<15}{text}", soft_wrap=True)
        return
    one = None if only is None else verdict.steps[only - 1]
    word = str(verdict.verdict if one is None else one.verdict)
    said = "" if one is None else f"step {one.number}. "
    console.print(
        Text.assemble(
            (f"{mark(word)} {word.capitalize()}: ", f"bold {colour(word)}"),
            f"{said}{passed} of {total} steps passed, in {seconds}.",
        )
    )
    if own and one is not None and one.passed:
        console.print(f"The others:    {command('test', number, make=make)}")
    elif own:
        which = "" if one is None else f"--step {one.number}"
        trace = f"{which} --traceback".strip()
        ways = [
            ("A hint", command("hint", number, which, make=make)),
            ("The traceback", command("test", number, trace, make=make)),
            ("The solution", command("solution", number, which, make=make)),
        ]
        if verdict.lesson.scenario_file.is_file():
            ways.insert(1, ("The timeline", command("timeline", number, make=make)))
        for name, text in ways:
            console.print(f"{name + ':':<15}{text}", soft_wrap=True)
