"""Place the labels of marks below a lane, so that none covers another one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from workshop.timeline.model import Mark

_Range = tuple[float, float]


@dataclass(frozen=True)
class PlacedMark:
    """One or more marks at the same position, with one label.

    `level` is 0 for the labels next to the lane, and greater for those farther away.
    `before` means that the label is to the left of the mark.
    """

    x: float
    label: str
    level: int
    before: bool


def place(
    marks: Sequence[Mark],
    at: Callable[[float], float],
    width: Callable[[str], float],
    right: float,
    near: float,
) -> tuple[PlacedMark, ...]:
    """Return where to draw *marks*.

    Args:
        marks: the marks, in order of time.
        at: returns the position of a time.
        width: returns the width of a label, including its mark and a gap.
        right: where the picture ends.
        near: half the width of a mark's sign. Marks that overlap share a label.
    """

    def fits(x: float, label: str) -> bool:
        return x + width(label) <= right or x - width(label) >= 0

    found: list[tuple[float, str]] = []
    for group in _groups(marks, at, near):
        x, label = at(group[0].at), _label(group)
        parts = [label] if fits(x, label) else [mark.label for mark in group]
        found += [(x, part) for part in parts]
    last = right
    for x, label in reversed(found):
        if x + width(label) > last and x - width(label) >= 0:
            last = x
    placed: list[PlacedMark] = []
    signs = [[(x - near, x + near) for x, _ in found]]
    labels: list[list[_Range]] = [[]]
    # In this order, the stem of a mark rarely crosses a label near the lane.
    for x, label in sorted(found, key=lambda it: (it[0] < last, abs(it[0] - last))):
        is_before = x >= last
        sides = (x - width(label), x - near), (x + near, x + width(label))
        room = sides[0] if is_before else sides[1]
        sign = (x - near, x + near)
        level = _level(room, sign, labels, signs)
        while level >= len(labels):
            labels.append([])
            signs.append([])
        labels[level].append(room)
        for lower in signs[1 : level + 1]:
            lower.append(sign)
        placed.append(PlacedMark(x, label, level, is_before))
    return tuple(placed)


def _level(
    room: _Range, sign: _Range, labels: list[list[_Range]], signs: list[list[_Range]]
) -> int:
    """Return the first level with *room* for a label whose stem crosses no other."""
    free = [
        level
        for level in range(len(labels))
        if _is_free(room, [*labels[level], *signs[level]])
    ]
    free.append(len(labels))
    crossed = (
        not _is_free(sign, [it for level in labels[:end] for it in level])
        for end in free
    )
    return next(
        (level for level, bad in zip(free, crossed, strict=True) if not bad), free[0]
    )


def _groups(
    marks: Sequence[Mark], at: Callable[[float], float], near: float
) -> Iterator[list[Mark]]:
    group: list[Mark] = []
    for mark in marks:
        if group and at(mark.at) - at(group[0].at) >= near:
            yield group
            group = []
        group.append(mark)
    if group:
        yield group


def _label(group: list[Mark]) -> str:
    """Return the labels in order of time; "then" separates different times."""
    label, last = "", group[0].at
    for mark in group:
        if not label:
            label = mark.label
        elif mark.label not in label:
            label += (", then " if mark.at > last else ", ") + mark.label
        last = mark.at
    return label


def _is_free(room: _Range, used: Sequence[_Range]) -> bool:
    return all(room[1] <= start or end <= room[0] for start, end in used)
