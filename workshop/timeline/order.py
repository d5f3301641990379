"""Show order instead of time: what came first, and what overlapped.

In a test that opens a gate at once, a wait of a microsecond stands for a wait of any
length. So all beginnings between two ends count as one moment, and all ends between two
beginnings as the next one. What remains of time is whether two waits overlap.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import replace

from workshop.timeline.model import Lane, Span, State, Timeline

OTHER_REQUESTS = "other requests"
"""The name of the lane for requests that wait because one lane blocks the loop."""

RESPONSE = "response "
"""The names of lanes that show when a response was sent begin with this."""

REQUEST = "#"
"""The names of lanes that show a request begin with this."""

THEN = "; "
"""The separator between the labels of waits that are drawn as one."""

_SHORT = 12
_ON_LOOP = (State.RUNNING, State.BLOCKING)


def in_order(timeline: Timeline) -> Timeline:
    """Return *timeline* with numbered moments instead of times.

    Code that blocks the loop blocks it until the end of the picture.
    """
    lanes = [replace(lane, spans=_waits(lane)) for lane in timeline.lanes]
    lanes = [
        replace(lane, spans=_without_repeated_labels(lane, children))
        for lane, children in zip(lanes, _children(lanes), strict=True)
    ]
    activity = _Activity(lanes)
    lanes = [
        replace(lane, spans=_sent_at_once(lane, number, activity))
        if lane.name.startswith(RESPONSE)
        else lane
        for number, lane in enumerate(lanes)
    ]
    activity = _Activity(lanes)
    lanes = [
        replace(lane, spans=_merged(lane, number, activity))
        for number, lane in enumerate(lanes)
    ]
    events = [event for lane in lanes for event in _events(lane)]
    moments = _Moments([*events, *_ends(lanes)])
    end = moments.last
    blocked = any(s.state is State.BLOCKING for lane in lanes for s in lane.spans)
    if blocked:
        end += 2 * max(1.0, end)
    drawn = [
        replace(lane, spans=tuple(_placed(lane, children, moments, end)))
        for lane, children in zip(lanes, _children(lanes), strict=True)
    ]
    if blocked:
        waits = Span(State.READY, moments.last, end)
        drawn.append(Lane(OTHER_REQUESTS, (waits,)))
    return Timeline(tuple(drawn), end, timeline.notes, ordered=True)


def _waits(lane: Lane) -> tuple[Span, ...]:
    """Return the spans without those that change nothing.

    A step after which the lane awaits the same thing again is left out. So is being
    ready, except before the work of a thread, because there may be no free thread.
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
            # It yielded to other tasks, as asyncio.sleep(0) does.
            span = Span(State.AWAITING, span.start, span.end)
        if _continues(found, span) and not lane.name.startswith(RESPONSE):
            span = replace(span, start=found[-2].start)
            del found[-2:]
        found.append(span)
    return tuple(found)


def _continues(found: list[Span], span: Span) -> bool:
    """Return whether *span* continues the wait before the last step."""
    return (
        len(found) > 1
        and span.state is State.AWAITING is found[-2].state
        and found[-1].state is State.RUNNING
        and (span.label, span.where) == (found[-2].label, found[-2].where)
    )


def _children(lanes: list[Lane]) -> Iterator[list[Lane]]:
    """Yield the lanes that each lane has started, without its response."""
    for number, lane in enumerate(lanes):
        found = []
        for other in lanes[number + 1 :]:
            if other.depth <= lane.depth:
                break
            if other.depth == lane.depth + 1 and not other.name.startswith(RESPONSE):
                found.append(other)
        yield found


def _without_repeated_labels(lane: Lane, children: list[Lane]) -> tuple[Span, ...]:
    """Return the spans, without labels that repeat a lane below."""

    def is_repeated(span: Span) -> bool:
        if _function(span.label) == _function(lane.name):
            return True
        return any(it.start <= span.end and span.start <= it.end for it in children)

    spans = tuple(
        replace(span, label="", where="")
        if span.state is State.AWAITING and is_repeated(span)
        else span
        for span in lane.spans
    )
    return _waits(replace(lane, spans=spans))


def _function(code: str) -> str:
    return code.removeprefix("await ").partition("(")[0]


class _Activity:
    """The times at which something begins or ends in each lane."""

    def __init__(self, lanes: list[Lane]) -> None:
        """Collect the events of *lanes*."""
        self._lanes = lanes
        self._events = sorted(
            (time, number)
            for number, lane in enumerate(lanes)
            for time, _ in _events(lane)
        )
        self._times = [time for time, _ in self._events]

    def any_within(self, number: int, start: float, end: float) -> bool:
        """Whether a lane other than *number* has an event from *start* to *end*."""
        first = bisect_left(self._times, start)
        last = bisect_right(self._times, end)
        return any(other != number for _, other in self._events[first:last])

    def any_between(self, number: int, start: float, end: float) -> bool:
        """Whether one has an event between them, apart from its beginning and end."""
        first = bisect_right(self._times, start)
        last = bisect_left(self._times, end)
        return any(
            other != number and time not in (0, self._lanes[other].end)
            for time, other in self._events[first:last]
        )


def _sent_at_once(response: Lane, number: int, activity: _Activity) -> tuple[Span, ...]:
    """Return the spans of a *response*: one, if nothing happened while it was sent."""
    if activity.any_between(number, response.start, response.end):
        return response.spans
    return response.spans[:1]


def _merged(lane: Lane, number: int, activity: _Activity) -> tuple[Span, ...]:
    """Return the spans. Consecutive waits are merged if no other lane acts."""

    def is_quiet(start: float, end: float) -> bool:
        return not activity.any_within(number, start, end)

    found: list[Span] = []
    for span in lane.spans:
        if (
            len(found) > 1
            and span.state is State.AWAITING is found[-2].state
            and found[-1].state is State.RUNNING
            and not lane.name.startswith(RESPONSE)
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
    labels = [_abbreviated(label) for label in labels]
    label = THEN.join(dict.fromkeys(filter(None, labels)))
    return replace(first, end=second.end, label=label, where=first.where)


def _abbreviated(code: str) -> str:
    """Return *code*, without its arguments if they are long."""
    code = code.removeprefix("await ").partition(" as ")[0]
    name, _, arguments = code.partition("(")
    return f"{name}(…)" if len(arguments) > _SHORT else code


def _events(lane: Lane) -> Iterator[tuple[float, bool]]:
    """Yield when something begins, or (true) ends, in *lane*."""
    for span in lane.spans:
        if span.state not in _ON_LOOP:
            yield span.start, False
            yield span.end, True
        elif lane.name.startswith(RESPONSE):
            yield span.start, True
            yield span.start, False
    if all(span.state in _ON_LOOP for span in lane.spans):
        yield lane.start, False


def _ends(lanes: list[Lane]) -> Iterator[tuple[float, bool]]:
    """Yield the ends of lanes that end after the lane that started them.

    Only these ends are moments of their own. A request has its response for that.
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
    """The moments of a timeline, and the number of the moment of each time."""

    def __init__(self, events: Iterable[tuple[float, bool]]) -> None:
        """Number the moments of *events*."""
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
        """Return the number of the moment at *time*."""
        found = bisect_right(self._times, time) - 1
        return self._at[found] if found >= 0 else 0.0


def _placed(
    lane: Lane, children: list[Lane], moments: _Moments, end: float
) -> Iterator[Span]:
    """Yield the spans at the moments.

    A step takes no time, unless something began and ended during it.
    """
    calls = [time for it in children for time, _ in _events(it)]
    waits = any(span.state not in _ON_LOOP for span in lane.spans)
    reached = moments.of(lane.start)
    for span in lane.spans:
        start, last = moments.of(span.start), moments.of(span.end)
        is_step = span.state is State.RUNNING and waits
        if is_step and not any(span.start <= time <= span.end for time in calls):
            last = reached
        if span.state is State.BLOCKING:
            yield replace(span, start=start, end=end)
        else:
            yield replace(span, start=reached, end=last)
        reached = max(reached, last)
