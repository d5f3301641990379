"""A timeline in characters."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from tests.timeline.examples import ALL, BLOCKED, CROWD, ENDS, ONE_BY_ONE, TOGETHER
from workshop.timeline import TimelineText, text
from workshop.timeline.model import Lane, Outcome, Span, State, Timeline


def bar_of(timeline: Timeline, ascii_only: bool) -> str:
    """Return the line of the only lane, without its name."""
    lines = text(timeline, ascii_only=ascii_only).splitlines()
    return next(line for line in lines if line.startswith("a() ")).removeprefix("a()")


@pytest.mark.parametrize("ascii_only", [False, True])
def test_every_state_and_every_bad_end_has_its_own_character(
    ascii_only: bool,
) -> None:
    signs = [
        bar_of(
            Timeline((Lane("a()", (Span(state, 0, 10),)),), 100), ascii_only
        ).strip()[0]
        for state in State
    ]
    ends = [
        bar_of(Timeline((Lane("a()", (), 0, outcome),), 100), ascii_only).strip()[0]
        for outcome in Outcome
        if outcome is not Outcome.DONE
    ]

    assert len({*signs, *ends}) == len(State) + 3


@pytest.mark.parametrize("timeline", ALL.values(), ids=ALL)
def test_ascii_is_used_if_the_stream_has_nothing_else(timeline: Timeline) -> None:
    assert text(timeline, ascii_only=True).isascii()


@pytest.mark.parametrize("width", [40, 72, 120])
@pytest.mark.parametrize("timeline", ALL.values(), ids=ALL)
def test_no_line_is_wider_than_asked_for(timeline: Timeline, width: int) -> None:
    for compact in (False, True):
        lines = text(timeline, title="T " * 90, width=width, compact=compact)
        assert max(len(line) for line in lines.splitlines()) <= width


@pytest.mark.parametrize("timeline", ALL.values(), ids=ALL)
def test_the_compact_form_has_eight_lines_at_most(timeline: Timeline) -> None:
    assert len(text(timeline, compact=True).splitlines()) <= 8
    assert len(text(timeline, compact=True, width=40).splitlines()) <= 8


def test_the_compact_form_names_the_blocking_and_the_waiting_lanes() -> None:
    told = " ".join(text(BLOCKED, compact=True).split())

    assert "#1 GET /shows/1/report blocks the event loop from 0 to 300 ms" in told
    assert "#2 GET /ping waits for the event loop from 5 to 300 ms." in told


def test_waiting_and_blocking_lanes_are_distinguished() -> None:
    lines = text(BLOCKED).splitlines()
    report = next(line for line in lines if line.startswith("#1"))
    ping = next(line for line in lines if line.startswith("#2"))

    assert "▓▓ blocks 300 ms" in report
    assert "·· waits 295 ms for the event loop ··" in ping
    assert "┃" in ping


def test_a_pair_shares_one_axis() -> None:
    console = Console(width=72, file=io.StringIO(), record=True)
    console.print(TimelineText([("Before", ONE_BY_ONE), ("After", TOGETHER)]))
    lines = console.export_text().splitlines()
    axes = [line for line in lines if line.lstrip().startswith("0 ms")]

    assert len(axes) == 2
    assert len(set(axes)) == 1
    assert "Before: 600 ms" in lines
    assert "After: 200 ms" in lines


def test_similar_lanes_of_a_crowd_share_a_line_with_their_count() -> None:
    assert " more fetch(…) " in text(CROWD)
    assert "fetch(77)" in text(CROWD, compact=True)


def test_the_page_on_timelines_explains_these_characters() -> None:
    root = Path(__file__).resolve().parents[2]
    page = root / "docs" / "reference" / "reading_timelines.md"
    rows = [row for row in page.read_text(encoding="utf-8").splitlines() if "|" in row]
    table = "".join(rows)
    for ascii_only in (False, True):
        for state in State:
            lane = Lane("a()", (Span(state, 0, 10),))
            sign = bar_of(Timeline((lane,), 100), ascii_only).strip()[0]
            assert f"`{sign}`" in table


def test_a_lanes_outcome_is_at_its_end() -> None:
    lines = text(ENDS, width=100).splitlines()
    ends = [
        line.rstrip()[-1]
        for line in lines
        if line.startswith(("└ pay_part(gift", "refresh"))
    ]

    assert "! failed" in text(ENDS, width=100)
    assert ends == ["×", "→"]  # noqa: RUF001 -- the sign, not the letter


def printed(*, colours: bool = False, no_color: bool = False) -> str:
    stream = io.StringIO()
    console = Console(
        file=stream,
        width=72,
        force_terminal=colours or None,
        color_system="standard" if colours else None,
        no_color=no_color,
    )
    console.print(TimelineText([("", BLOCKED)]))
    return stream.getvalue()


def test_a_pipe_gets_the_same_characters_without_colours() -> None:
    assert [line.rstrip() for line in printed().splitlines()] == text(
        BLOCKED
    ).splitlines()


def test_a_terminal_gets_colours_unless_it_asks_for_none() -> None:
    assert "\x1b[1;31m▓" in printed(colours=True)
    bare = printed(colours=True, no_color=True)
    assert "\x1b[1;31m" not in bare
    assert "▓" in bare
