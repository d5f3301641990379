"""Create a timeline from the tracks of a recorder."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from workshop.timeline.model import Lane, Mark, Outcome, Span, State, Timeline
from workshop.timeline.places import CodeLocation, Quotes, name_of
from workshop.timeline.tracks import Kind, Slice, Track

# In milliseconds. On a real loop, every task waits for the loop now and then. Shorter
# waits are not shown, nor is shorter work of libraries.
NOISE = 1.0

# On a real loop, shorter pauses between two steps are not shown.
TINY = 0.2


@dataclass(frozen=True)
class Scale:
    """How to convert times to milliseconds, and which spans are shown."""

    began: float
    ended: float
    blocking: float
    exact: bool
    """Whether the clock has no noise."""
    ordered: bool = False
    """Whether only the order matters, and lengths have no meaning."""
    quotes: Quotes = field(default_factory=Quotes)

    def ms(self, time: float) -> float:
        """Return *time* in milliseconds since the beginning."""
        digits = 9 if self.ordered else 3
        passed = min(max(time, self.began), self.ended) - self.began
        return round(passed * 1000, digits)

    def length(self, piece: Slice) -> float:
        """Return how many milliseconds *piece* took."""
        return self.ms(piece.end) - self.ms(piece.start)

    def is_blocking(self, piece: Slice) -> bool:
        """Return whether *piece* blocked the loop."""
        return piece.blocks or (
            self.length(piece) >= self.blocking and not self.ordered
        )


def assemble(
    tracks: list[Track], scale: Scale, notes: tuple[str, ...], *, here: bool
) -> Timeline:
    """Return the timeline: the user's lanes, each below the one that started it."""
    tracks = without_repetition(tracks, threads=scale.ordered)
    hosts = _hosts(tracks, scale, here)
    shown = [track for track in tracks if hosts.get(track) is track]
    lent: dict[Track, list[Track]] = defaultdict(list)
    for track, host in hosts.items():
        if host is not None and host is not track and track.kind is Kind.TASK:
            lent[host].append(track)
    children: dict[Track | None, list[Track]] = defaultdict(list)
    for track in shown:
        above = track.parent
        while above is not None and hosts.get(above) is None:
            above = above.parent
        children[hosts[above] if above is not None else None].append(track)
    return Timeline(
        tuple(_lanes(children, None, 0, lent, scale)),
        scale.ms(scale.ended),
        notes,
    )


def without_repetition(tracks: list[Track], *, threads: bool) -> list[Track]:
    """Return *tracks* without those that only repeat another one.

    A task that awaits a single call and nothing else shares one track with it. With
    *threads*, so does a thread that makes a call.
    """
    below: dict[Track | None, list[Track]] = defaultdict(list)
    for track in tracks:
        if track.users:
            below[track.parent].append(track)
    repeated: set[Track] = set()
    for track in tracks:
        kinds = [it.kind for it in below[track]]
        if threads and track.kind is Kind.THREAD and Kind.THREAD in kinds:
            repeated.add(track)
        if track.kind is Kind.TASK and track.users and kinds == [Kind.CALL]:
            call = below[track][0]
            if len({it.parked for it in track.slices if it.parked}) > 1:
                continue
            repeated.add(call)
            if track.name.endswith("()"):  # the call has arguments
                track.name = call.name
    return [track for track in tracks if track not in repeated]


def _matters(piece: Slice, scale: Scale) -> bool:
    return bool(piece.parked or piece.held) or scale.length(piece) >= NOISE


def _hosts(tracks: list[Track], scale: Scale, here: bool) -> dict[Track, Track | None]:
    """Return the track in whose lane each track appears: itself, another one or None.

    A task that a library creates appears in the lane of the nearest visible track above
    it. If there is none, it does not appear, unless it runs the user's code or blocks
    the loop.
    """
    led: set[Track] = set()  # tracks above one that is the user's
    for track in tracks:
        if track.users and track.kind is not Kind.CALLBACK:
            above = track.parent
            while above is not None and above not in led:
                led.add(above)
                above = above.parent
    hosts: dict[Track, Track | None] = {}
    for track in tracks:
        blocking = any(scale.is_blocking(s) for s in track.slices)
        if track.kind is Kind.HERE:
            own = here or blocking
        elif track.kind is Kind.CALLBACK:
            own = blocking
        else:
            own = track.users or (track.chosen and track not in led)
        if own:
            hosts[track] = track
            continue
        above = track.parent
        while above is not None and hosts.get(above) is None:
            above = above.parent
        hosts[track] = hosts[above] if above is not None else None
        if hosts[track] is None and track.kind is Kind.TASK:
            code = next((s.parked[0].code for s in track.slices if s.parked), None)
            if code is not None:
                track.name = name_of(code)
            if code is not None or blocking:
                hosts[track] = track
    return hosts


def _lanes(
    children: dict[Track | None, list[Track]],
    above: Track | None,
    depth: int,
    lent: dict[Track, list[Track]],
    scale: Scale,
) -> Iterator[Lane]:
    for track in children[above]:
        yield _lane(track, depth, lent[track], scale)
        yield from _lanes(children, track, depth + 1, lent, scale)


def _lane(track: Track, depth: int, lent: list[Track], scale: Scale) -> Lane:
    unfinished = track.ended is None or track.ended > scale.ended
    return Lane(
        track.name,
        tuple(_joined(_spans(track, lent, scale, unfinished))),
        depth,
        Outcome.UNFINISHED if unfinished else track.outcome,
        "" if unfinished else track.reason,
        tuple(
            Mark(scale.ms(time), label)
            for time, label in sorted(
                (mark for source in (track, *lent) for mark in source.marks),
                key=lambda mark: mark[0],
            )
        ),
    )


def _spans(
    track: Track, lent: list[Track], scale: Scale, unfinished: bool
) -> Iterator[Span]:
    busy = State.THREAD if track.kind is Kind.THREAD else State.RUNNING
    now, parked = scale.ms(track.born), {track: track.parked}
    if track.slices and not scale.exact:  # a new task starts with its first step
        first = scale.ms(track.slices[0].start)
        now = first if first - now < NOISE else now
    sources = (track, *lent)
    pieces = [(piece, source) for source in sources for piece in source.slices]
    for piece, source in sorted(pieces, key=lambda pair: (pair[0].start, pair[0].end)):
        if source is track or _matters(piece, scale):
            start, end = scale.ms(piece.start), scale.ms(piece.end)
            start = max(start, now)
            if scale.exact or start - now >= TINY:
                ready = scale.ms(piece.ready)
                yield from _waiting(now, ready, start, _deepest(sources, parked), scale)
            else:
                start = now
            now = max(end, now)
            blocking = busy is State.RUNNING and scale.is_blocking(piece)
            state = State.BLOCKING if blocking else busy
            yield Span(
                state, start, now, *scale.quotes.words_of(piece.held, waiting=False)
            )
        parked[source] = piece.parked
    if unfinished:
        end = scale.ms(scale.ended)
        ready = end if track.queued is None else scale.ms(track.queued)
        yield from _waiting(now, ready, end, _deepest(sources, parked), scale)


def _deepest(
    sources: tuple[Track, ...], parked: dict[Track, tuple[CodeLocation, ...]]
) -> tuple[CodeLocation, ...]:
    """Return the user's code that awaits, in the latest of *sources* that has some."""
    return next((parked[s] for s in reversed(sources) if parked.get(s)), ())


def _waiting(
    now: float,
    ready: float,
    start: float,
    parked: tuple[CodeLocation, ...],
    scale: Scale,
) -> Iterator[Span]:
    """Yield the spans between two slices: first awaiting, then ready."""
    ready = min(max(ready, now), start)
    if not scale.exact and start - ready < NOISE:
        ready = start
    if ready > now:
        yield Span(
            State.AWAITING, now, ready, *scale.quotes.words_of(parked, waiting=True)
        )
    if start > ready:
        yield Span(State.READY, ready, start)


def _joined(spans: Iterator[Span]) -> Iterator[Span]:
    """Yield *spans*, with equal neighbours merged."""
    last: Span | None = None
    for span in spans:
        if last is not None and replace(last, start=0, end=0) == replace(
            span, start=0, end=0
        ):
            last = replace(last, end=span.end)
            continue
        if last is not None:
            yield last
        last = span
    if last is not None:
        yield last
