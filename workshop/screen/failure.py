"""Explain a failing step: the cause first, and no more than fits on a screen."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from rich.console import Console, ConsoleOptions, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from workshop.commands import command
from workshop.grading import LessonVerdict, StepVerdict, TestVerdict, Verdict
from workshop.screen.pages import short
from workshop.screen.printed import OUTPUT_LINES, printed, without_exceptions
from workshop.timeline import TimelineText

LINES = 24
"""How many lines a failing step has at most, unless everything is asked for."""

_SERVER_ERROR = re.compile(r"\b500\b")
_TIMES = re.compile(r"(?:, \d+ times)?$")
_PRINTED_LINES = 8
_NAME_WIDTH = len("Your line")

_Count = Callable[[Sequence[Sequence["Row"]]], int]

_ALWAYS, _BACKGROUND, _PICTURE, _FURTHER, _OUTPUT = range(5)
"""What is left out last, and what first, when there are too many lines."""


@dataclass(frozen=True)
class Row:
    """One line of an explanation: what it is, its content, and its rank.

    Rows of a higher rank are left out before those of a lower one.
    """

    name: str
    content: str | Text | TimelineText
    rank: int = _ALWAYS


@dataclass(frozen=True)
class FailingStep:
    """The explanation of a step that has not passed, for Rich.

    Attributes:
        step: The step.
        verdict: The verdict that it belongs to.
        traceback: Whether to show tracebacks, too.
        whole: Whether to show everything, however long it is.
        make: Whether commands are shown for make; by default if the user typed make.
        indent: How many columns it is indented.
    """

    step: StepVerdict
    verdict: LessonVerdict
    traceback: bool = False
    whole: bool = False
    make: bool | None = None
    indent: int = 4

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> RenderResult:
        """Yield a table for each test that has not passed."""
        blocks = explained(self.step, self.verdict, whole=self.whole)
        if self.traceback:
            blocks = [
                [*block, Row("Traceback", test.traceback.rstrip())]
                for block, test in zip(blocks, failing(self.step), strict=True)
            ]
        elif not self.whole:
            width = max(options.max_width - self.indent, 1)
            inner = options.update(width=width)

            def count(blocks: Sequence[Sequence[Row]]) -> int:
                return sum(
                    separated + len(console.render_lines(_table(block), inner))
                    for separated, block in _separated(blocks)
                )

            blocks = self._on_one_screen(blocks, count)
        for separated, block in _separated(blocks):
            if separated:
                yield Text()
            yield Padding(_table(block), (0, 0, 0, self.indent), expand=False)

    def _on_one_screen(self, blocks: list[list[Row]], count: _Count) -> list[list[Row]]:
        """Return *blocks* without the rows that do not fit, and say how to see them."""
        everything = command(
            "test", self.verdict.lesson.number, "--all", make=self.make
        )
        more = [Row("All of it", everything)]
        if count(blocks) <= LINES:
            return blocks
        for rank in (_OUTPUT, _FURTHER, _PICTURE, _BACKGROUND):
            blocks = [[row for row in block if row.rank != rank] for block in blocks]
            if count([*blocks, more]) <= LINES:
                break
        return [*blocks, more]


def failing(step: StepVerdict) -> list[TestVerdict]:
    """Return the tests of *step* that have not passed, in their order."""
    return [test for test in step.tests if test.verdict is not Verdict.PASSED]


def explained(
    step: StepVerdict, verdict: LessonVerdict, *, whole: bool = False
) -> list[list[Row]]:
    """Return the rows about each test of *step* that has not passed.

    The first test is explained. Of the others only what differs is said, unless
    everything is asked for with *whole*.
    """
    blocks: list[list[Row]] = []
    told: list[TestVerdict] = []
    for test in failing(step):
        same = _same(test, told)
        if same:
            blocks.append([Row("Test", f"{test.test.id} ({test.verdict} {same})")])
            continue
        rows = list(_rows(test, verdict, whole=whole))
        if told and not whole:
            kept = ("Raised", "Your line", "Your route", "Seen", "Expected")
            rows = [
                rows[0],
                *(replace(it, rank=_FURTHER) for it in rows[1:] if it.name in kept),
            ]
        told.append(test)
        blocks.append(rows)
    if blocks:
        page = f"{short(verdict.lesson.page)}#step-{step.number}"
        blocks[0].append(Row("Read", page))
    return blocks


def exception_explains(test: TestVerdict) -> bool:
    """Return whether an exception of the app is why *test* failed.

    Stand-ins raise exceptions on purpose, so one counts only if a statement of the app
    itself has failed, or if the message quotes the 500 that a customer got. If the test
    expected a 500, it caused the exception, and something else is wrong.
    """
    if not test.raised:
        return False
    unexpected = not _SERVER_ERROR.match(test.expected)
    return test.mistake or (unexpected and _SERVER_ERROR.search(test.seen) is not None)


def _same(test: TestVerdict, told: Sequence[TestVerdict]) -> str:
    """Return in what *test* equals one of those that were *told*; "" if in nothing."""
    if any(test.message == it.message for it in told):
        return "in the same way"
    if exception_explains(test) and any(
        exception_explains(it) and _first_raised(it) == _first_raised(test)
        for it in told
    ):
        return "with the same exception"
    return ""


def _first_raised(test: TestVerdict) -> str:
    """Return the first exception of *test*, however often it was raised."""
    return _TIMES.sub("", test.raised[0], count=1)


def _rows(test: TestVerdict, verdict: LessonVerdict, *, whole: bool) -> Iterator[Row]:
    yield Row("Test", f"{test.test.id} ({test.verdict})")
    by_exception = exception_explains(test)
    if by_exception:
        yield from _raised(test)
        yield from _line(test)
        yield from _not_awaited(test)
    yield Row("Seen", test.seen)
    if test.expected:
        yield Row("Expected", test.expected)
    if test.timeline is not None and (whole or not by_exception):
        drawn = TimelineText([("", test.timeline)], compact=True)
        yield Row("In order", drawn, _PICTURE)
    if not by_exception:
        yield from _line(test)
        if test.on_topic:
            yield Row("Fact", test.test.fact, _BACKGROUND)
        yield from _raised(test)
    if test.verdict is Verdict.STOPPED and test.line:
        yield Row("To use it", command("test", verdict.lesson.number, "--debug"))
    if not by_exception:
        yield from _not_awaited(test)
    said = without_exceptions(test.output, test.raised)
    if said.strip():
        limit = OUTPUT_LINES if whole else _PRINTED_LINES
        text = printed(said, verdict.output_file, limit)
        yield Row("Printed", Text.from_ansi(text), _OUTPUT)


def _raised(test: TestVerdict) -> Iterator[Row]:
    place = f" ({test.line.partition('  ')[0]})"
    for raised in test.raised:
        text = _TIMES.sub("", raised, count=1)
        times = raised.removeprefix(text)
        yield Row("Raised", text.removesuffix(place) + times)


def _not_awaited(test: TestVerdict) -> Iterator[Row]:
    for forgot in test.forgot:
        yield Row("No await", forgot)


def _line(test: TestVerdict) -> Iterator[Row]:
    if test.line:
        source = test.line.partition("  ")[2]
        route = source.startswith(("def ", "async def "))
        yield Row("Your route" if route else "Your line", test.line)


def _separated(
    blocks: Sequence[Sequence[Row]],
) -> Iterator[tuple[bool, Sequence[Row]]]:
    """Yield each block, and whether an empty line belongs before it.

    Blocks of one row stand together.
    """
    before = 0
    for block in blocks:
        yield not before == len(block) == 1, block
        before = len(block)


def _table(rows: Sequence[Row]) -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_column(style="bold", no_wrap=True, min_width=_NAME_WIDTH)
    table.add_column(overflow="fold")
    for row in rows:
        content = row.content
        table.add_row(row.name, Text(content) if isinstance(content, str) else content)
    return table
