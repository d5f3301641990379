"""Detect that the machine was too busy for a reliable recording."""

from __future__ import annotations

from workshop.timeline.model import State, Timeline

_ON_LOOP = (State.RUNNING, State.BLOCKING)
_THREAD = "thread: "


def unexplained_wait(timeline: Timeline) -> float:
    """Return the longest time in ms that a lane was ready while the loop was free.

    A free loop runs a ready task at once. If it did not, the machine was busy with
    other programs. Threads are left out, because they wait for other threads.
    """
    busy = sorted(
        (span.start, span.end)
        for lane in timeline.lanes
        for span in lane.spans
        if span.state in _ON_LOOP
    )
    waits = (
        _uncovered(span.start, span.end, busy)
        for lane in timeline.lanes
        if not lane.name.startswith(_THREAD)
        for span in lane.spans
        if span.state is State.READY
    )
    return max(waits, default=0.0)


def _uncovered(start: float, end: float, busy: list[tuple[float, float]]) -> float:
    """Return how much of the time from *start* to *end* is in none of *busy*."""
    left, reached = 0.0, start
    for begins, ends in busy:
        if begins >= end:
            break
        left += max(0.0, begins - reached)
        reached = max(reached, ends)
    return left + max(0.0, end - reached)
