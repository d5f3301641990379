"""What is said of a timeline."""

from __future__ import annotations

import doctest
from types import ModuleType

import pytest

from tests.timeline.examples import ALL, CROWD, ENDS, IN_A_THREAD, ONE_BY_ONE, TOGETHER
from workshop.timeline import scale, words
from workshop.timeline.fold import fold
from workshop.timeline.model import Lane, Outcome, Span, State, Timeline
from workshop.timeline.scale import Scale
from workshop.timeline.words import story


@pytest.mark.parametrize("module", [scale, words])
def test_examples_in_docstrings_are_true(module: ModuleType) -> None:
    result = doctest.testmod(module)

    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize("length", [30, 80, 300, 700])
@pytest.mark.parametrize("timeline", ALL.values(), ids=ALL)
def test_a_story_is_no_longer_than_asked_for(timeline: Timeline, length: int) -> None:
    for brief in (False, True):
        assert len(story(timeline, length, brief=brief)) <= length


def test_a_story_that_leaves_something_out_says_so() -> None:
    assert story(ENDS, 200).endswith("more events.")


def test_sequential_waits_are_described_as_such() -> None:
    assert "awaits 3 times in a row, 600 ms in all." in story(ONE_BY_ONE)


def test_concurrent_waits_are_described_as_such() -> None:
    assert (
        'ask_price("Apollo") and 2 others await at the same time, from 0 to 200 ms.'
    ) in story(TOGETHER)


def test_the_work_of_a_thread_is_described() -> None:
    assert "report() runs in a thread from 1 to 300 ms (ask_venue(show_id))." in story(
        IN_A_THREAD
    )


def test_waiting_for_a_thread_is_not_waiting_for_the_loop() -> None:
    lane = Lane("export()", (Span(State.READY, 0, 50), Span(State.THREAD, 50, 100)))

    assert "export() waits for a thread from 0 to 50 ms." in story(
        Timeline((lane,), 100)
    )


def test_every_bad_end_is_described() -> None:
    told = story(ENDS)

    assert "pay_part(voucher) fails at 150 ms: HTTPException: 402" in told
    assert "pay_part(gift card) is cancelled at 180 ms." in told
    assert "refresh() is unfinished at the end." in told


def test_two_hundred_equal_lanes_are_one_sentence() -> None:
    told = story(CROWD)

    assert "fetch(36) and 163 others wait for the event loop" in told
    assert "fetch(0) and 199 others await at the same time" in told


def test_similar_lanes_are_drawn_as_one_with_a_count() -> None:
    lanes = tuple(
        Lane(f"f({n})", (Span(State.RUNNING, n, n + 1),), 0, Outcome.CANCELLED)
        for n in range(9)
    )
    *shown, rest = fold(Timeline(lanes, 10), 4)

    assert [lane.name for lane in shown] == ["f(0)", "f(1)", "f(2)"]
    assert rest.name == "6 more f(…)"
    assert rest.outcome is Outcome.CANCELLED
    assert rest.spans


def test_lanes_with_different_outcomes_are_not_counted_as_one() -> None:
    lanes = tuple(
        Lane(f"f({n})", (), 0, Outcome.FAILED if n % 2 else Outcome.DONE)
        for n in range(20)
    )
    counted = {
        lane.name: lane.outcome
        for lane in fold(Timeline(lanes, 10), 6)
        if " more " in lane.name
    }

    assert set(counted.values()) == {Outcome.FAILED, Outcome.DONE}


@pytest.mark.parametrize("most", [2, 3, 6, 20])
def test_no_lane_is_lost_when_there_are_too_many_kinds(most: int) -> None:
    lanes = tuple(Lane(f"{chr(97 + n // 3)}()", (), n % 2) for n in range(60))
    folded = fold(Timeline(lanes, 10), most)
    numbers = [int(lane.name.split()[0]) for lane in folded if " " in lane.name]

    assert len(folded) == most
    assert sum(numbers) + len(folded) - len(numbers) == len(lanes)


def test_blocking_and_failing_lanes_are_folded_last() -> None:
    dull = tuple(Lane(f"dull{n}x()", (Span(State.RUNNING, 0, 1),)) for n in range(20))
    bad = (
        Lane("blocks()", (Span(State.BLOCKING, 0, 9),)),
        Lane("fails()", (), 0, Outcome.FAILED),
    )
    shown = {lane.name for lane in fold(Timeline((*dull, *bad), 10), 4)}

    assert {"blocks()", "fails()"} <= shown


def test_a_lane_with_a_folded_parent_is_attached_to_the_next_above() -> None:
    lanes = (
        Lane("top()", (Span(State.BLOCKING, 0, 1),)),
        *(Lane("dull()", (), 1) for _ in range(5)),
        Lane("bad()", (), 2, Outcome.FAILED),
    )
    folded = fold(Timeline(lanes, 10), 3)

    assert [(lane.name, lane.depth) for lane in folded] == [
        ("top()", 0),
        ("5 more dull()", 1),
        ("bad()", 1),
    ]


@pytest.mark.parametrize("duration", [0.3, 7, 42, 300, 9_999, 60_000, 3_600_000])
def test_an_axis_has_a_few_round_marks(duration: float) -> None:
    ticks = Scale(duration, 0, 100).ticks(7)

    assert 3 <= len(ticks) <= 7
    assert ticks[0][1].startswith("0 ")
    assert all(len(label) <= 6 for _, label in ticks)
