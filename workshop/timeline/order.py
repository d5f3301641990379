"""Show order instead of time: what came before what, and what overlapped.

Where a test opens a gate at once, a wait of a microsecond stands for one of any length.
So all beginnings between two ends count as one moment, and all ends between two
beginnings as the next: all that is left of time is whether two waits overlap.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import replace

from workshop.timeline.model import Lane, Span, State, Timeline

EVERYBODY_ELSE = "everybody else"
"""The lane of those who cannot run while somebody blocks the loop for good."""

ANSWER = "answer "
"""How the name of a lane begins that shows when a response was sent."""

REQUEST = "#"
"""How the name of a lane begins that is a request."""

THEN = "; "
"""Between the waits that are shown as one."""

_SHORT = 12
_ON_LOOP = (State.RUNNING, State.BLOCKING)


def in_order(timeline: Timeline) -> Timeline:
    """Return *timeline* with moments, counted from 0, instead of times.

    Code that blocks the loop blocks it to the end of the picture.
    """
    lanes = [replace(lane, spans=_waits(lane)) for lane in timeline.lanes]
    lanes = [
        replace(lane, spans=_told_once(lane, below))
        for lane, below in zip(lanes, _below(lanes), strict=True)
    ]
    others = _Others(lanes)
    lanes = [
        replace(lane, spans=_at_once(lane, number, others))
        if lane.name.startswith(ANSWER)
        else lane
        for number, lane in enumerate(lanes)
    ]
    others = _Others(lanes)
    lanes = [
        replace(lane, spans=_as_one(lane, number, others))
        for number, lane in enumerate(lanes)
    ]
    events = [event for lane in lanes for event in _events(lane)]
    moments = _Moments([*events, *_ends(lanes)])
    end = moments.last
    blocked = any(s.state is State.BLOCKING for lane in lanes for s in lane.spans)
    if blocked:
        end += 2 * max(1.0, end)
    drawn = [
        replace(lane, spans=tuple(_placed(lane, below, moments, end)))
        for lane, below in zip(lanes, _below(lanes), strict=True)
    ]
    if blocked:
        waits = Span(State.READY, moments.last, end)
        drawn.append(Lane(EVERYBODY_ELSE, (waits,)))
    return Timeline(tuple(drawn), end, timeline.notes, ordered=True)


def _waits(lane: Lane) -> tuple[Span, ...]:
    """Return the spans without those that lead to nothing new.

    These are turns after which it waits for the same, and all haste: to be ready is
    news only before a thread, which may not be free.
    """
    on_loop = any(span.state in _ON_LOOP for span in lane.spans)
    found: list[Span] = []
    for span in lane.spans:
        if on_loop and span.state is State.READY:
            if not found:
                continue
            if found[-1].state is State.AWAITING:
                found[-1] = replace(found[-1], end=span.end)
                continue
            # It let the others go first, as asyncio.sleep(0) does.
            span = Span(State.AWAITING, span.start, span.end)
        if _goes_on(found, span) and not lane.name.startswith(ANSWER):
            span = replace(span, start=found[-2].start)
            del found[-2:]
        found.append(span)
    return tuple(found)


def _goes_on(found: list[Span], span: Span) -> bool:
    """Tell whether *span* is the wait before the last turn, continued."""
    return (
        len(found) > 1
        and span.state is State.AWAITING is found[-2].state
        and found[-1].state is State.RUNNING
        and (span.label, span.where) == (found[-2].label, found[-2].where)
    )


def _below(lanes: list[Lane]) -> Iterator[list[Lane]]:
    """Yield for each lane those that it began; without its answer."""
    for number, lane in enumerate(lanes):
        found = []
        for other in lanes[number + 1 :]:
            if other.depth <= lane.depth:
                break
            if other.depth == lane.depth + 1 and not other.name.startswith(ANSWER):
                found.append(other)
        yield found


def _told_once(lane: Lane, calls: list[Lane]) -> tuple[Span, ...]:
    """Return the spans; of what a lane below tells, they do not tell again."""

    def is_told(span: Span) -> bool:
        if _called(span.label) == _called(lane.name):
            return True
        return any(it.start <= span.end and span.start <= it.end for it in calls)

    spans = tuple(
        replace(span, label="", where="")
        if span.state is State.AWAITING and is_told(span)
        else span
        for span in lane.spans
    )
    return _waits(replace(lane, spans=spans))


def _called(code: str) -> str:
    return code.removeprefix("await ").partition("(")[0]


class _Others:
    """When something begins or ends in a lane, for those who ask about the others."""

    def __init__(self, lanes: list[Lane]) -> None:
        """Note the events of *lanes*."""
        self._lanes = lanes
        self._events = sorted(
            (time, number)
            for number, lane in enumerate(lanes)
            for time, _ in _events(lane)
        )
        self._times = [time for time, _ in self._events]

    def act_within(self, number: int, start: float, end: float) -> bool:
        """Whether another lane than *number* does something from *start* to *end*."""
        first = bisect_left(self._times, start)
        last = bisect_right(self._times, end)
        return any(whose != number for _, whose in self._events[first:last])

    def act_inside(self, number: int, start: float, end: float) -> bool:
        """Whether one does between the two; its own beginning and end do not count."""
        first = bisect_right(self._times, start)
        last = bisect_left(self._times, end)
        return any(
            whose != number and time not in (0, self._lanes[whose].end)
            for time, whose in self._events[first:last]
        )


def _at_once(answer: Lane, number: int, others: _Others) -> tuple[Span, ...]:
    """Return the spans of an *answer*: one, if nothing happened while it was sent."""
    if others.act_inside(number, answer.start, answer.end):
        return answer.spans
    return answer.spans[:1]


def _as_one(lane: Lane, number: int, others: _Others) -> tuple[Span, ...]:
    """Return the spans, waits in a row made one where nobody else does anything."""

    def is_quiet(start: float, end: float) -> bool:
        return not others.act_within(number, start, end)

    found: list[Span] = []
    for span in lane.spans:
        if (
            len(found) > 1
            and span.state is State.AWAITING is found[-2].state
            and found[-1].state is State.RUNNING
            and not lane.name.startswith(ANSWER)
        ):
            before = found[-2]
            if is_quiet(before.start, span.start) or is_quiet(before.end, span.end):
                del found[-2:]
                found.append(_both(before, span))
                continue
        found.append(span)
    return tuple(found)


def _both(first: Span, second: Span) -> Span:
    labels = [*first.label.split(THEN), second.label]
    labels = [_in_short(label) for label in labels]
    label = THEN.join(dict.fromkeys(filter(None, labels)))
    return replace(first, end=second.end, label=label, where=first.where)


def _in_short(code: str) -> str:
    """Return *code* as one of several: without its arguments, if they are long."""
    code = code.removeprefix("await ").partition(" as ")[0]
    name, _, arguments = code.partition("(")
    return f"{name}(…)" if len(arguments) > _SHORT else code


def _events(lane: Lane) -> Iterator[tuple[float, bool]]:
    """Yield when something begins, or (true) ends, in *lane*."""
    for span in lane.spans:
        if span.state not in _ON_LOOP:
            yield span.start, False
            yield span.end, True
        elif lane.name.startswith(ANSWER):
            yield span.start, True
            yield span.start, False
    if all(span.state in _ON_LOOP for span in lane.spans):
        yield lane.start, False


def _ends(lanes: list[Lane]) -> Iterator[tuple[float, bool]]:
    """Yield the ends that are a moment each: of who outlives who began it.

    Which of the others ends first says nothing. A request has its answer for that.
    """
    above: list[Lane] = []
    for lane in lanes:
        del above[lane.depth :]
        outlives = all(lane.end > it.end for it in above[-1:])
        if lane.spans and outlives and not lane.name.startswith(REQUEST):
            yield lane.end, True
            yield lane.end, False
        above.append(lane)


class _Moments:
    """The moments of a timeline: where one of its times stands among them."""

    def __init__(self, events: Iterable[tuple[float, bool]]) -> None:
        """Count the moments of *events*."""
        self._times: list[float] = []
        self._at: list[float] = []
        at, ended = 0.0, False
        for time, ends in sorted(events, key=lambda it: (it[0], not it[1])):
            at += ends and not ended
            ended = ends
            self._times.append(time)
            self._at.append(at)
        self.last = at

    def of(self, time: float) -> float:
        """Return the moment of *time*."""
        found = bisect_right(self._times, time) - 1
        return self._at[found] if found >= 0 else 0.0


def _placed(
    lane: Lane, below: list[Lane], moments: _Moments, end: float
) -> Iterator[Span]:
    """Yield the spans among the moments.

    A turn takes no time, unless something began and ended in it.
    """
    calls = [time for it in below for time, _ in _events(it)]
    waits = any(span.state not in _ON_LOOP for span in lane.spans)
    reached = moments.of(lane.start)
    for span in lane.spans:
        start, last = moments.of(span.start), moments.of(span.end)
        turn = span.state is State.RUNNING and waits
        if turn and not any(span.start <= time <= span.end for time in calls):
            last = reached
        if span.state is State.BLOCKING:
            yield replace(span, start=start, end=end)
        else:
            yield replace(span, start=reached, end=last)
        reached = max(reached, last)
