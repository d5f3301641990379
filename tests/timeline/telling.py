"""Tell of a timeline in tuples, so that tests can say what they expect."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal

from workshop.timeline import Lane, State, Timeline, record
from workshop.timeline.virtual import run


def recorded(
    code: Callable[[], Awaitable[object]],
    *,
    here: str | None = None,
    blocking_ms: float = 50,
    threads: Literal["refused", "modelled"] = "refused",
    prefer: str | None = None,
) -> Timeline:
    """Run *code* in virtual time and return what was recorded of it."""

    async def main() -> Timeline:
        recording = record(here=here, blocking_ms=blocking_ms, prefer=prefer)
        with recording:
            await code()
        return recording.timeline

    return run(main, threads=threads)


def lane(timeline: Timeline, name: str) -> Lane:
    """Return the only lane of that name."""
    found = [lane for lane in timeline.lanes if lane.name == name]
    assert len(found) == 1, f"{name} is not in {[lane.name for lane in timeline.lanes]}"
    return found[0]


def names(timeline: Timeline) -> list[tuple[int, str]]:
    """Return depth and name of every lane."""
    return [(lane.depth, lane.name) for lane in timeline.lanes]


def spans(lane: Lane) -> list[tuple[State, float, float]]:
    """Return the spans that take time, without their labels."""
    return [(s.state, s.start, s.end) for s in lane.spans if s.end > s.start]


def states(lane: Lane) -> set[State]:
    """Return what the lane ever did."""
    return {span.state for span in lane.spans}


def labels(lane: Lane, state: State) -> list[str]:
    """Return the code that the lane quotes while in *state*."""
    return [span.label for span in lane.spans if span.state is state]
