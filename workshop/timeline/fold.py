"""Choose the lanes to show if there are too many for one picture."""

from __future__ import annotations

import re
from dataclasses import replace

from workshop.timeline.model import Lane, Outcome, State, Timeline

_NUMBER = re.compile(r"^#\d+ ")
_VARYING = re.compile(r"(?<=\().+(?=\))|\d+|['\"].*['\"]")

_Kind = tuple[str, Outcome]


def fold(timeline: Timeline, most: int) -> tuple[Lane, ...]:
    """Return *most* lanes at most, in their order.

    Lanes that block or fail are shown first, then one of each kind, then the lanes that
    waited longest. The others are drawn as one lane for each kind, named after their
    number: "38 more GET /report". Its bars are those of the longest of them.
    """
    lanes = timeline.lanes
    if len(lanes) <= most:
        return lanes
    ranked = _ranked(timeline)
    count = most - 1
    groups = _groups(lanes, ranked[count:])
    while count > most // 2 and count + len(groups) > most:
        count -= 1
        groups = _groups(lanes, ranked[count:])
    room = most - count
    if len(groups) > room:
        rest = [number for _, numbers in groups[room - 1 :] for number in numbers]
        groups = [*groups[: room - 1], ("", rest)]
    grouped = {
        min(numbers): _grouped(name, [lanes[n] for n in numbers])
        for name, numbers in groups
    }
    return _attached(lanes, dict.fromkeys(ranked[:count]) | grouped)


def _ranked(timeline: Timeline) -> list[int]:
    """Return the numbers of the lanes, the most important one first."""
    seen: set[_Kind] = set()
    ranked = []
    for number, lane in enumerate(timeline.lanes):
        kind = _kind(lane)
        rank = (_is_ordinary(lane), kind in seen)
        # An ordered timeline shows what waits for what, so each kind comes first.
        if timeline.ordered:
            rank = rank[::-1]
        ranked.append((*rank, -_waited(lane), number))
        seen.add(kind)
    return [rank[-1] for rank in sorted(ranked)]


def _kind(lane: Lane) -> _Kind:
    """Return what similar lanes have in common: the name without arguments."""
    return _VARYING.sub("…", _NUMBER.sub("", lane.name)), lane.outcome


def _groups(lanes: tuple[Lane, ...], hidden: list[int]) -> list[tuple[str, list[int]]]:
    """Return the names and numbers of similar *hidden* lanes, largest group first."""
    groups: dict[_Kind, list[int]] = {}
    for number in hidden:
        groups.setdefault(_kind(lanes[number]), []).append(number)
    found = sorted(groups.items(), key=lambda it: -len(it[1]))
    return [(name, numbers) for (name, _), numbers in found]


def _grouped(kind: str, lanes: list[Lane]) -> Lane:
    """Return one lane that stands for *lanes*, all of one *kind* if it is not empty."""
    longest = max(lanes, key=lambda lane: lane.end - lane.start)
    if len(lanes) == 1:
        return longest
    if not kind:
        return Lane(f"{len(lanes)} other lanes", ())
    return replace(longest, name=f"{len(lanes)} more {kind}", marks=())


def _is_ordinary(lane: Lane) -> bool:
    blocks = any(span.state is State.BLOCKING for span in lane.spans)
    return lane.outcome is Outcome.DONE and not blocks


def _waited(lane: Lane) -> float:
    return sum(it.end - it.start for it in lane.spans if it.state is State.READY)


def _attached(
    lanes: tuple[Lane, ...], shown: dict[int, Lane | None]
) -> tuple[Lane, ...]:
    """Return the *shown* lanes, each one deeper than the nearest shown one above it.

    A lane that stands for several others is given with its number.
    """
    above: list[bool] = []
    found = []
    for number, lane in enumerate(lanes):
        del above[lane.depth :]
        depth = sum(above)
        above.append(number in shown)
        if number in shown:
            found.append(replace(shown[number] or lane, depth=depth))
    return tuple(found)
