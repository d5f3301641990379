"""Print a verdict so that the next thing to do is plain."""

from __future__ import annotations

from pathlib import Path

from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from workshop.grading import LessonVerdict, StepVerdict, TestVerdict, Verdict
from workshop.screen.console import colour, command, mark, out
from workshop.screen.pages import short

_OUTPUT_LINES = 30


def print_verdict(
    verdict: LessonVerdict,
    answer: Path,
    *,
    traceback: bool = False,
    every_step: bool = False,
    own: bool = True,
) -> None:
    """Print *verdict* on the file *answer*.

    The first step that has not passed is shown in full, the others by a line
    each; *every_step* shows all in full. *own* says that the answer is the
    learner's file, so that hints make sense.
    """
    lesson = verdict.lesson
    console = out()
    console.print(
        Text.assemble(
            (f"Lesson {lesson.number} · {lesson.title}", "bold"),
            ("   " + short(answer), "dim"),
        ),
        soft_wrap=True,
    )
    console.print()
    current = verdict.current
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
        if word is not Verdict.PASSED and (every_step or step is current):
            _print_step(step, verdict, answer, traceback)
    if verdict.verdict is not Verdict.PASSED and traceback and verdict.output:
        _print_block("Printed outside the tests", verdict.output)
    console.print()
    _print_closing(verdict, own=own)


def _print_step(
    step: StepVerdict, verdict: LessonVerdict, answer: Path, traceback: bool
) -> None:
    said: set[str] = set()
    for test in step.tests:
        if test.verdict is Verdict.PASSED:
            continue
        _print_test(test, verdict, answer, traceback, repeated=test.message in said)
        said.add(test.message)


def _print_test(
    test: TestVerdict,
    verdict: LessonVerdict,
    answer: Path,
    traceback: bool,
    *,
    repeated: bool,
) -> None:
    lesson = verdict.lesson
    table = Table.grid(padding=(0, 1))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")

    def row(name: str, text: str) -> None:
        table.add_row(name, escape(text))

    row("Test", f"{test.test.id} ({test.verdict})")
    row("Fact", test.test.fact)
    if repeated:
        row("Seen", "The same as above.")
    else:
        row("Seen", test.seen)
        if test.expected:
            row("Expected", test.expected)
        if test.line:
            row("Your line", test.line)
        for raised in test.raised:
            row("Raised", raised)
        if test.output:
            row("Printed", _clip(test.output))
        if traceback and test.traceback:
            row("Traceback", test.traceback.rstrip())
        row("Read", f"{short(lesson.folder / 'README.md')}, step {test.test.step}")
    out().print(Padding(table, (1, 0, 1, 4)))


def _print_block(title: str, text: str) -> None:
    out().print(Text(title, "bold"))
    out().print(Padding(Text(_clip(text)), (0, 0, 0, 4)))


def _print_closing(verdict: LessonVerdict, *, own: bool) -> None:
    console = out()
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
            console.print(
                f"Why it works, and other right answers: {command('solution', number)}",
                soft_wrap=True,
            )
        return
    word = str(verdict.verdict)
    console.print(
        Text.assemble(
            (f"{mark(word)} {word.capitalize()}: ", f"bold {colour(word)}"),
            f"{passed} of {total} steps passed, in {seconds}.",
        )
    )
    if own:
        rows = (
            ("A hint", command("hint", number)),
            ("The traceback", command("test", number, "--traceback")),
            ("Our answer", command("solution", number)),
        )
        for name, text in rows:
            console.print(f"{name + ':':<15}{text}", soft_wrap=True)


def _clip(text: str) -> str:
    lines = text.splitlines()
    if len(lines) <= _OUTPUT_LINES:
        return "\n".join(lines)
    half = _OUTPUT_LINES // 2
    left_out = len(lines) - 2 * half
    return "\n".join(
        [*lines[:half], f"[... {left_out} lines left out ...]", *lines[-half:]]
    )
