"""A timeline in words: states, outcomes, times, and the whole as a story.

The picture, the terminal and the description for screen readers use the same words.
"""

from __future__ import annotations

import re
import textwrap
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from workshop.timeline.model import Lane, Outcome, Span, State, Timeline

EVENT_LOOP, THREAD = "the event loop", "a thread"
"""The two things that a ready lane can wait for."""

DOES = {
    State.RUNNING: "runs",
    State.BLOCKING: "blocks the event loop",
    State.READY: "waits",
    State.AWAITING: "awaits",
    State.THREAD: "runs in a thread",
}
"""What a lane does in a state: "#2 GET /ping …"."""

_LEGEND = {
    State.RUNNING: "runs on the event loop",
    State.BLOCKING: "blocks the event loop",
    State.AWAITING: "awaits",
    State.THREAD: "runs in a thread",
}

IN_ORDER = "not to scale"
"""What the legend says about lengths in an ordered timeline."""

SHORT_LEGEND = {
    State.RUNNING: "runs",
    State.BLOCKING: "blocks",
    State.READY: "waits",
    State.AWAITING: "awaits",
    State.THREAD: "in a thread",
}
"""What a state's shape means, where room is short."""

ENDED = {
    Outcome.DONE: "done",
    Outcome.CANCELLED: "cancelled",
    Outcome.FAILED: "failed",
    Outcome.UNFINISHED: "unfinished",
}
"""How a lane ended."""

STORY_LENGTH = 700
"""The largest number of characters in a story."""

_MEASURE = re.compile(r"(\d) (ms|s)\b")
_SHORT = 0.04
"""A wait that is a smaller part of the whole is not mentioned."""
_FROM_SECONDS_ON = 10_000


def time(milliseconds: float) -> str:
    """Return a time with its unit, rounded so that it is easy to read.

    >>> time(0.0), time(4.25), time(312.4), time(12_500)
    ('0 ms', '4.2 ms', '312 ms', '12.5 s')
    """
    if milliseconds >= _FROM_SECONDS_ON:
        return f"{_number(milliseconds / 1000)} s"
    return f"{_number(milliseconds)} ms"


def period(start: float, end: float) -> str:
    """Return "from 5 to 300 ms", with the unit once if it is the same."""
    first, second = time(start), time(end)
    value, _, unit = first.partition(" ")
    return f"from {value if second.endswith(f' {unit}') else first} to {second}"


def about(lane: Lane, span: Span) -> str:
    """Return everything known about *span*, to show when the pointer is over it."""
    does = DOES[span.state]
    if span.state is State.READY:
        does = f"waits for {waits_for(lane)}"
    text = f"{lane.name} {does}"
    if span.end > span.start:
        text += f" for {time(span.end - span.start)}, {period(span.start, span.end)}"
    else:
        text += f" at {time(span.start)}"
    code = ", ".join(part for part in (span.label, span.where) if part)
    return f"{text}: {code}" if code else text


def inside(lane: Lane, span: Span, *, ordered: bool = False) -> tuple[str, ...]:
    """Return the possible labels in the bar of *span*, the longest one first.

    For an *ordered* timeline, they contain no times.
    """
    lasts = time(span.end - span.start)
    match span.state:
        case State.BLOCKING if ordered:
            name, _, arguments = span.label.partition("(")
            short = f"{name}(…)" if arguments else name
            codes = [f"blocks: {it}" for it in (span.label, short) if it]
            return (*codes, "blocks the event loop", "blocks")
        case State.READY if ordered:
            return (f"waits for {waits_for(lane)}", "waits")
        case State.THREAD if ordered:
            return ("in a thread", "thread")
        case State.AWAITING if ordered and span.label:
            first = span.label.removeprefix("await ").partition("; ")[0]
            name, bracket, arguments = first.partition("(")
            return (span.label, first, name.rpartition(".")[2] + bracket + arguments)
        case State.AWAITING:
            code = span.label
            return (code, code.removeprefix("await ")) if code else ()
        case State.BLOCKING:
            begin = f"blocks {lasts}"
        case State.READY:
            what = waits_for(lane)
            return (f"waits {lasts} for {what}", f"waits {lasts}", lasts)
        case State.THREAD:
            begin = f"{lasts} in a thread"
        case State.RUNNING:
            return ()
    return (*([f"{begin}: {span.label}"] if span.label else []), begin, lasts)


def meaning(state: State, waited_for: Collection[str] = ()) -> str:
    """Return what the shape of *state* means, if ready lanes wait for *waited_for*."""
    if state is State.READY:
        return f"waits for {' or '.join(sorted(waited_for, reverse=True))}"
    return _LEGEND[state]


def waits_for(lane: Lane) -> str:
    """Return what *lane* waits for while it is ready: the event loop or a thread."""
    threaded = lane.name.startswith("thread: ") or any(
        span.state is State.THREAD for span in lane.spans
    )
    return THREAD if threaded else EVENT_LOOP


def ending(lane: Lane) -> str:
    """Return how *lane* ended, or an empty string if it is done."""
    if lane.outcome is Outcome.DONE:
        return ""
    word = ENDED[lane.outcome]
    return f"{word}: {lane.reason}" if lane.reason else word


def clip(text: str, length: int) -> str:
    """Return *text* in *length* characters at most, with … if it was cut."""
    text = " ".join(text.split())
    if len(text) <= length:
        return text
    return text[: length - 1].rstrip() + "…" if length > 1 else ""


def shortened(name: str, length: int, cut: str = "…") -> str:
    """Return *name* in *length* characters at most, without its middle or arguments.

    >>> shortened("#1 GET /shows/hamlet/prices", 20)
    '#1 GET /shows…prices'
    >>> shortened("ask_price('Apollo', 'hamlet')", 24)
    "ask_price('Apollo', …)"
    """
    if len(name) <= length:
        return name
    if name.endswith(")") and "(" in name[: length - len(cut) - 1]:
        kept = name[: length - len(cut) - 1]
        whole, comma, _ = kept.rpartition(", ")
        return f"{whole}{comma}{cut})" if comma else f"{kept}{cut})"
    tail = length // 3
    return f"{name[: length - tail - len(cut)]}{cut}{name[len(name) - tail :]}"


def wrapped(words: str, width: int) -> list[str]:
    """Return *words* in lines, with each number on the same line as its unit."""
    tied = _MEASURE.sub("\\1\0\\2", words)
    return [line.replace("\0", " ") for line in textwrap.wrap(tied, width)]


def notes(panels: Sequence[tuple[str, Timeline]]) -> list[str]:
    """Return the notes of all *panels*, with the panel's name if not all have it."""
    every = [set(timeline.notes) for _, timeline in panels]
    shared = set.intersection(*every)
    named = [
        note if note in shared or not name else f"{name}: {note}"
        for name, timeline in panels
        for note in timeline.notes
    ]
    return list(dict.fromkeys(named))


def held(timeline: Timeline) -> tuple[Span, ...]:
    """Return when the loop was occupied, in order. The label is the lane's name."""
    spans = [
        Span(span.state, span.start, span.end, lane.name, span.where)
        for lane in timeline.lanes
        for span in lane.spans
        if span.state in (State.RUNNING, State.BLOCKING)
    ]
    return tuple(sorted(spans, key=lambda span: (span.start, span.end)))


def story(
    timeline: Timeline, length: int = STORY_LENGTH, *, brief: bool = False
) -> str:
    """Return what happened, in *length* characters at most.

    It chooses the most important events: which lanes blocked the loop, which waited for
    it, and which were cancelled or failed. It tells them in order of time. A *brief*
    story has no summary, and does not say how many events it leaves out.
    """
    if not timeline.lanes:
        return "Nothing was recorded."
    facts = sorted(_facts(timeline), key=lambda fact: (fact.rank, fact.at))
    opening = _opening(timeline)
    if brief and facts and len(facts[0].sentence) <= length:
        opening = ""
    left = length - len(opening) - (0 if brief else len(" And 999 more events."))
    chosen: list[_Fact] = []
    for fact in facts:
        left -= len(fact.sentence) + 1
        if left < 0:
            break
        chosen.append(fact)
    sentences = [fact.sentence for fact in sorted(chosen, key=lambda fact: fact.at)]
    if (rest := len(facts) - len(chosen)) and not brief:
        sentences.append(f"And {rest} more {'event' if rest == 1 else 'events'}.")
    return clip(" ".join(filter(None, [opening, *sentences])), length)


@dataclass(frozen=True)
class _Fact:
    rank: int
    at: float
    sentence: str


def _opening(timeline: Timeline) -> str:
    lanes = len(timeline.lanes)
    blocked = [span for span in held(timeline) if span.state is State.BLOCKING]
    text = f"{lanes} {'lane' if lanes == 1 else 'lanes'} in {time(timeline.duration)}"
    if timeline.headline:
        text = f"{timeline.headline}. {text}"
    if blocked:
        return f"{text}; the event loop is blocked for {time(_union(blocked))}."
    return f"{text}; the event loop is never blocked."


_Where = tuple[Lane, Span]


def _facts(timeline: Timeline) -> Iterator[_Fact]:
    seen = _Seen(timeline)
    for lane, span in seen.blocking:
        when, code = period(span.start, span.end), _code(span)
        yield _Fact(0, span.start, f"{lane.name} blocks the event loop {when}{code}.")
    yield from _waits(seen.ready, EVENT_LOOP)
    yield from _waits(seen.queued, THREAD)
    yield from _moments(timeline)
    if len(seen.thread) > _MANY:
        who, when = _names(seen.thread), _whole(seen.thread)
        start = seen.thread[0][1].start
        yield _Fact(2, start, f"{who} run in threads {when}.")
    else:
        for lane, span in seen.thread:
            when, code = period(span.start, span.end), _code(span)
            work = lane.name.removeprefix("thread: ")
            yield _Fact(2, span.start, f"{work} runs in a thread {when}{code}.")
    yield from _awaits(seen)
    for outcome in (Outcome.FAILED, Outcome.CANCELLED, Outcome.UNFINISHED):
        yield from _ends([it for it in timeline.lanes if it.outcome is outcome])


_MANY = 3
"""More events of one kind than this share one sentence."""


class _Seen:
    """The spans that a story can mention, by kind."""

    def __init__(self, timeline: Timeline) -> None:
        long = timeline.duration * _SHORT
        self.blocking: list[_Where] = []
        self.ready: list[_Where] = []
        self.queued: list[_Where] = []
        self.thread: list[_Where] = []
        self.awaiting: list[_Where] = []
        self.leaves: list[_Where] = []
        lanes = timeline.lanes
        for lane, after in zip(lanes, [*lanes[1:], None], strict=True):
            is_leaf = after is None or after.depth <= lane.depth
            for number, span in enumerate(lane.spans):
                there = (lane, span)
                if span.state is State.BLOCKING:
                    self.blocking.append(there)
                elif span.end - span.start < long:
                    continue
                elif span.state is State.THREAD:
                    self.thread.append(there)
                elif span.state is State.AWAITING:
                    (self.leaves if is_leaf else self.awaiting).append(there)
                elif span.state is State.READY:
                    then = lane.spans[number + 1 : number + 2]
                    threaded = then and then[0].state is State.THREAD
                    (self.queued if threaded else self.ready).append(there)


def _moments(timeline: Timeline) -> Iterator[_Fact]:
    """Yield the marks of each lane as one fact."""
    for lane in timeline.lanes:
        if lane.marks:
            marks = ", ".join(f"{it.label} at {time(it.at)}" for it in lane.marks)
            yield _Fact(2, lane.marks[0].at, f"Marks of {lane.name}: {marks}.")


def _waits(waits: list[_Where], what: str) -> Iterator[_Fact]:
    if len(waits) > _MANY:
        longest = max(span.end - span.start for _, span in waits)
        sentence = f"{_names(waits)} wait for {what}, the longest one {time(longest)}."
        yield _Fact(1, waits[0][1].start, sentence)
        return
    for lane, span in waits:
        when = period(span.start, span.end)
        sentence = f"{lane.name} waits for {what} {when}."
        yield _Fact(1, span.start, sentence)


def _awaits(seen: _Seen) -> Iterator[_Fact]:
    """Yield overlapping waits as one fact, and consecutive waits as one fact."""
    alone: list[_Where] = []
    # Two overlapping lanes without children are a fact; of other lanes, three.
    for waits, few in ((seen.awaiting, 2), (seen.leaves, 1)):
        left = waits
        while len(together := _most_together(left)) > few:
            when = _whole(together)
            sentence = f"{_names(together)} await at the same time, {when}."
            yield _Fact(2, together[0][1].start, sentence)
            used = {id(span) for _, span in together}
            left = [it for it in left if id(it[1]) not in used]
            few = 2
        alone += left
    for lane, spans in _by_lane(alone):
        if len(spans) > 2:
            total = time(sum(span.end - span.start for span in spans))
            sentence = (
                f"{lane.name} awaits {len(spans)} times in a row, {total} in all."
            )
            yield _Fact(2, spans[0].start, sentence)
            continue
        for span in spans:
            code = span.label.removeprefix("await ")
            what = f" {clip(code, 40)}" if code else ""
            when = period(span.start, span.end)
            yield _Fact(3, span.start, f"{lane.name} awaits{what} {when}.")


def _most_together(waits: list[_Where]) -> list[_Where]:
    """Return the waits at the first moment at which the most of them overlap."""
    starts = sorted(span.start for _, span in waits)
    ends = sorted(span.end for _, span in waits)
    moment = max(
        dict.fromkeys(starts),
        key=lambda it: bisect_right(starts, it) - bisect_right(ends, it),
        default=0.0,
    )
    return [it for it in waits if it[1].start <= moment < it[1].end]


def _by_lane(waits: list[_Where]) -> Iterator[tuple[Lane, list[Span]]]:
    for _, there in groupby(waits, key=lambda it: id(it[0])):
        found = list(there)
        yield found[0][0], [span for _, span in found]


def _ends(lanes: list[Lane]) -> Iterator[_Fact]:
    if len(lanes) > _MANY:
        who = _names([(lane, None) for lane in lanes])
        how = {
            Outcome.FAILED: "fail",
            Outcome.CANCELLED: "are cancelled",
        }.get(lanes[0].outcome, "are unfinished")
        yield _Fact(0, lanes[0].end, f"{who} {how}.")
        return
    for lane in lanes:
        match lane.outcome:
            case Outcome.FAILED:
                why = f": {clip(lane.reason, 60)}" if lane.reason else ""
                sentence = f"{lane.name} fails at {time(lane.end)}{why}."
            case Outcome.CANCELLED:
                sentence = f"{lane.name} is cancelled at {time(lane.end)}."
            case _:
                sentence = f"{lane.name} is unfinished at the end."
        yield _Fact(0, lane.end, sentence)


def _names(found: Sequence[tuple[Lane, object]]) -> str:
    """Return "a", "a and b", or "a and 3 others"."""
    names = list(dict.fromkeys(lane.name for lane, _ in found))
    count = len({id(lane) for lane, _ in found})
    if count == 2 and len(names) == 2:
        return " and ".join(names)
    return names[0] if count == 1 else f"{names[0]} and {count - 1} others"


def _whole(found: Sequence[_Where]) -> str:
    return period(min(s.start for _, s in found), max(s.end for _, s in found))


def _code(span: Span) -> str:
    return f" ({clip(span.label, 40)})" if span.label else ""


def _union(spans: Iterable[Span]) -> float:
    """Return the total time covered by *spans*, which are sorted by start."""
    total, until = 0.0, 0.0
    for span in spans:
        total += max(0.0, span.end - max(span.start, until))
        until = max(until, span.end)
    return total


def _number(value: float) -> str:
    text = f"{value:.0f}" if value >= 100 else f"{value:.1f}"
    return text.removesuffix(".0")
