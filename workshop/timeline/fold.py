"""Choose which lanes to show if there are too many for one picture."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace

from workshop.timeline.model import Lane, Outcome, State, Timeline
from workshop.timeline.words import ENDED, period

_VARYING = re.compile(r"\(.*\)|\d+|['\"].*['\"]")


@dataclass(frozen=True)
class Folded:
    """The lanes to show, and a sentence about the others, empty without any."""

    lanes: tuple[Lane, ...]
    rest: str = ""


def fold(timeline: Timeline, most: int) -> Folded:
    """Return *most* lanes at most, in their order, and the rest in words.

    Those that block or did not end well are shown first; then one of each
    kind; then those that waited longest.
    """
    lanes = timeline.lanes
    # A sentence about one lane takes as much room as the lane.
    if len(lanes) <= most + 1:
        return Folded(lanes)
    seen: set[str] = set()
    ranked = []
    for number, lane in enumerate(lanes):
        kind = _VARYING.sub("", lane.name)
        rank = (_is_dull(lane), kind in seen)
        if timeline.ordered:  # who waits for whom: one of each kind, above all
            rank = rank[::-1]
        ranked.append((*rank, -_waited(lane), number))
        seen.add(kind)
    shown = {rank[-1] for rank in sorted(ranked)[:most]}
    hidden = [lane for number, lane in enumerate(lanes) if number not in shown]
    rest = _rest(hidden, ordered=timeline.ordered)
    return Folded(_hang_up_again(lanes, shown), rest)


def _is_dull(lane: Lane) -> bool:
    blocks = any(span.state is State.BLOCKING for span in lane.spans)
    return lane.outcome is Outcome.DONE and not blocks


def _waited(lane: Lane) -> float:
    return sum(it.end - it.start for it in lane.spans if it.state is State.READY)


def _hang_up_again(lanes: tuple[Lane, ...], shown: set[int]) -> tuple[Lane, ...]:
    """Return the shown lanes, each one deeper than the nearest shown above it."""
    above: list[bool] = []
    found = []
    for number, lane in enumerate(lanes):
        del above[lane.depth :]
        depth = sum(above)
        above.append(number in shown)
        if number in shown:
            found.append(replace(lane, depth=depth))
    return tuple(found)


def _rest(hidden: list[Lane], *, ordered: bool) -> str:
    counts = Counter(lane.outcome for lane in hidden)
    ends = ", ".join(f"{count} {ENDED[it]}" for it, count in counts.most_common())
    words = "lane is" if len(hidden) == 1 else "lanes are"
    told = f"{len(hidden)} more {words} not drawn: {ends}"
    busy = [lane for lane in hidden if lane.spans]
    if not busy or ordered:
        return f"{told}."
    when = period(min(it.start for it in busy), max(it.end for it in busy))
    return f"{told}, {when}."
