"""What a failing step shows: the cause first, on one screen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from tests.tiny import write_lesson
from workshop.grading import LessonVerdict, StepVerdict, TestVerdict, Verdict
from workshop.lesson import ExpectedTest, Lesson
from workshop.screen.failure import LINES, FailingStep, Row, explained
from workshop.timeline import Lane, Span, State, Timeline

SERVER_LOG = """\
ERROR uvicorn.error: Exception in GET /seats
    app.py:9  return free
    NameError: name 'free' is not defined
"""


@pytest.fixture
def lesson(tmp_path: Path) -> Lesson:
    return write_lesson(tmp_path)


def failed(name: str = "test_seats", **others: object) -> TestVerdict:
    test = ExpectedTest(
        name, 1, "A customer sees how many seats are free.", 1, frozenset()
    )
    verdict = TestVerdict(
        test,
        Verdict.FAILED,
        seen="The customer saw 3 seats.",
        expected="2 free seats.",
        on_topic=True,
        line="app.py:9  return free",
        timeline=Timeline((Lane("#1", (Span(State.RUNNING, 0, 1),)),), 1),
    )
    return replace(verdict, **others)  # type: ignore[arg-type]


def by_exception(
    name: str = "test_seats", times: str = "", **others: object
) -> TestVerdict:
    return failed(
        name,
        seen=f"The customer of {name} got a 500.",
        raised=(f"NameError: name 'free' is not defined (app.py:9){times}",),
        output=SERVER_LOG,
        **others,
    )


def blocks(lesson: Lesson, *tests: TestVerdict, whole: bool = False) -> list[list[Row]]:
    step = StepVerdict(1, "Seats", tests)
    return explained(step, LessonVerdict(lesson, (step,), 0.0), whole=whole)


def names(block: list[Row]) -> list[str]:
    return [row.name for row in block]


def shown(lesson: Lesson, *tests: TestVerdict, whole: bool = False) -> list[str]:
    step = StepVerdict(1, "Seats", tests)
    console = Console(width=80)
    with console.capture() as capture:
        verdict = LessonVerdict(lesson, (step,), 0.0)
        console.print(FailingStep(step, verdict, whole=whole))
    return capture.get().splitlines()


def test_the_exception_behind_a_500_comes_first_and_once(lesson: Lesson) -> None:
    (block,) = blocks(lesson, by_exception())

    assert names(block) == ["Test", "Raised", "Your line", "Seen", "Expected", "Read"]
    assert block[1].content == "NameError: name 'free' is not defined"


def test_an_exception_that_was_raised_more_often_is_the_same_one(
    lesson: Lesson,
) -> None:
    first = by_exception("test_map", times=", 3 times")
    often = by_exception(times=", 12 times")
    once = by_exception("test_price")

    found = blocks(lesson, first, often, once)

    assert found[0][1].content == "NameError: name 'free' is not defined, 3 times"
    assert [names(block) for block in found[1:]] == [["Test"], ["Test"]]


def test_an_exception_behind_an_expected_500_is_not_the_cause(lesson: Lesson) -> None:
    (block,) = blocks(lesson, by_exception(expected="500, which a page may read."))

    assert names(block)[:3] == ["Test", "Seen", "Expected"]
    assert "Raised" in names(block)


def test_an_exception_that_was_handled_is_not_the_cause(lesson: Lesson) -> None:
    (block,) = blocks(lesson, failed(raised=("OSError: busy (app.py:3)",)))

    assert names(block)[:2] == ["Test", "Seen"]
    assert "OSError: busy (app.py:3)" in [row.content for row in block]


def test_a_mistake_in_the_app_comes_first_whatever_the_message_says(
    lesson: Lesson,
) -> None:
    raised = ("KeyError: 'A1' (app.py:9)",)
    (block,) = blocks(lesson, failed(raised=raised, mistake=True, on_topic=False))

    assert names(block) == ["Test", "Raised", "Your line", "Seen", "Expected", "Read"]


def test_the_fact_stands_after_what_was_seen(lesson: Lesson) -> None:
    (block,) = blocks(lesson, failed())

    assert names(block) == [
        *("Test", "Seen", "Expected", "In order", "Your line", "Fact", "Read")
    ]


def test_a_fact_that_was_not_reached_is_left_out(lesson: Lesson) -> None:
    (block,) = blocks(lesson, failed(on_topic=False))

    assert "Fact" not in names(block)


def test_what_else_the_app_printed_is_shown(lesson: Lesson) -> None:
    output = f"looking\n{SERVER_LOG}found\n"
    (block,) = blocks(lesson, replace(by_exception(), output=output))

    assert [str(row.content) for row in block if row.name == "Printed"] == [
        "looking\nfound"
    ]


@pytest.mark.parametrize("make", [failed, by_exception])
def test_a_second_test_that_fails_alike_takes_one_line(
    lesson: Lesson, make: Callable[..., TestVerdict]
) -> None:
    first, second = blocks(lesson, make("test_a"), make("test_b"))

    assert names(second) == ["Test"]
    assert names(first)[-1] == "Read"


def test_another_failure_is_told_without_a_picture_of_its_own(lesson: Lesson) -> None:
    other = failed("test_b", seen="The customer saw no seats.")
    _, second = blocks(lesson, failed("test_a"), other)

    assert names(second) == ["Test", "Seen", "Expected", "Your line"]


def test_a_failing_step_fits_on_a_screen(lesson: Lesson) -> None:
    tests = [failed(f"test_{n}", seen=f"{n} " * 90, output="x\n" * 9) for n in range(9)]

    lines = shown(lesson, *tests)

    assert len(lines) <= LINES
    assert "--all" in lines[-1]
    for number in range(9):
        assert f"test_{number} (failed)" in "\n".join(lines)


def test_everything_is_shown_on_request(lesson: Lesson) -> None:
    tests = [failed(f"test_{n}", seen=f"{n} " * 90, output="x\n" * 9) for n in range(9)]

    lines = shown(lesson, *tests, whole=True)

    assert len(lines) > LINES
    assert sum("In order" in line for line in lines) == len(tests)
    assert not any("--all" in line for line in lines)
