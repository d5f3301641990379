"""What is left of a timeline where lengths mean nothing."""

from workshop.timeline import Lane, Outcome, Span, State, Timeline, text
from workshop.timeline.order import OTHER_REQUESTS, in_order


def waits(name: str, start: float, end: float, depth: int = 1) -> Lane:
    return Lane(name, (Span(State.AWAITING, start, end),), depth)


def spans(timeline: Timeline) -> dict[str, tuple[float, float]]:
    return {lane.name: (lane.start, lane.end) for lane in timeline.lanes}


def test_sequential_waits_are_drawn_one_after_another() -> None:
    stairs = Timeline((waits("a()", 0, 7), waits("b()", 7.1, 7.2)), 8)

    assert spans(in_order(stairs)) == {"a()": (0, 1), "b()": (1, 2)}


def test_overlapping_waits_overlap_in_the_picture_however_briefly() -> None:
    request = waits("#1 GET /", 0, 95, 0)
    both = Timeline((request, waits("a()", 0, 7.1), waits("b()", 7, 90)), 95)

    placed = spans(in_order(both))

    assert placed["a()"] == placed["b()"] == (0, 1)


def test_a_response_before_the_end_of_a_task_is_drawn_before_it() -> None:
    turns = (Span(State.RUNNING, 5, 5), Span(State.AWAITING, 5, 5.01))
    recorded = Timeline(
        (
            waits("#1 GET /", 0, 6, 0),
            Lane("response 200", turns, 1),
            waits("mail()", 1, 6),
        ),
        6,
    )

    placed = spans(in_order(recorded))

    assert placed["response 200"][0] < placed["mail()"][1]


def test_a_task_that_outlives_its_request_ends_after_it() -> None:
    recorded = Timeline((waits("lifespan()", 0, 5, 0), waits("job()", 1, 5.001, 0)), 6)

    placed = spans(in_order(recorded))

    assert placed["lifespan()"][1] < placed["job()"][1]


def test_turns_between_equal_waits_are_left_out() -> None:
    again = (
        Span(State.AWAITING, 0, 2, "await gate()"),
        Span(State.READY, 2, 3),
        Span(State.RUNNING, 3, 4),
        Span(State.AWAITING, 4, 9, "await gate()"),
    )
    (lane,) = in_order(Timeline((Lane("a()", again),), 9)).lanes

    assert [span.state for span in lane.spans] == [State.AWAITING]


def test_adjacent_waits_of_one_lane_are_merged() -> None:
    steps = (
        Span(State.AWAITING, 0, 2, "await session.get(Order, code, options=None)"),
        Span(State.RUNNING, 2, 3),
        Span(State.AWAITING, 3, 5, "await session.commit()"),
    )
    (lane,) = in_order(Timeline((Lane("a()", steps),), 5)).lanes

    assert [span.label for span in lane.spans] == ["session.get(…); session.commit()"]


def test_a_blocking_lane_keeps_all_others_waiting_to_the_end() -> None:
    held = Span(State.BLOCKING, 3, 3, "ask_venue(7)", "app.py:4")
    drawn = in_order(Timeline((Lane("#1 GET /", (held,), 0),), 3))

    assert [lane.name for lane in drawn.lanes] == ["#1 GET /", OTHER_REQUESTS]
    assert {lane.end for lane in drawn.lanes} == {drawn.duration}
    assert drawn.duration > 0


def test_the_text_has_no_times_and_says_so() -> None:
    stairs = Timeline((waits("a()", 0, 7), waits("b()", 7.1, 7.2)), 8)

    drawn = text(in_order(stairs), width=60, ascii_only=True)

    assert " ms" not in drawn
    assert drawn.splitlines()[-1] == "not to scale:  - awaits"
    first, second = drawn.splitlines()[:2]
    assert len(first) <= second.index("-") + 1


def test_it_survives_conversion_to_json() -> None:
    lanes = (Lane("a()", (Span(State.READY, 0, 1),), 0, Outcome.CANCELLED),)
    drawn = in_order(Timeline(lanes, 1))

    assert Timeline.from_json(drawn.as_json()) == drawn
