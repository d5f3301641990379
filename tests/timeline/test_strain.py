"""When a recording shows the machine, and not the code."""

from __future__ import annotations

from workshop.timeline.model import Lane, Span, State, Timeline
from workshop.timeline.strain import unexplained_wait


def recorded(*lanes: tuple[str, State, float, float]) -> Timeline:
    return Timeline(
        tuple(Lane(name, (Span(state, a, b),)) for name, state, a, b in lanes), 400
    )


def test_a_wait_for_a_blocked_loop_is_explained() -> None:
    timeline = recorded(
        ("#1 GET /report", State.BLOCKING, 0, 300), ("#2", State.READY, 5, 300)
    )

    assert unexplained_wait(timeline) == 0


def test_a_wait_while_the_loop_is_free_is_not_explained() -> None:
    timeline = recorded(
        ("#1", State.RUNNING, 0, 20),
        ("#2", State.RUNNING, 50, 60),
        ("#3", State.READY, 10, 200),
    )

    assert unexplained_wait(timeline) == 30 + 140


def test_waiting_for_a_thread_is_not_waiting_for_the_loop() -> None:
    assert unexplained_wait(recorded(("thread: report()", State.READY, 0, 300))) == 0
