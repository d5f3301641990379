"""Draw a timeline with characters, for a terminal or for a file.

`text` returns plain lines. `TimelineText` is the same for Rich: it has colours if the
terminal has them, and it can show several timelines on one axis. Every state has its
own character, in ASCII too.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from workshop.timeline.fold import fold
from workshop.timeline.marks import place
from workshop.timeline.model import Lane, Outcome, Span, State, Timeline
from workshop.timeline.scale import Scale
from workshop.timeline.words import (
    ENDED,
    IN_ORDER,
    SHORT_LEGEND,
    ending,
    held,
    inside,
    meaning,
    notes,
    shortened,
    story,
    time,
    waits_for,
    wrapped,
)

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

LANES = 20
COMPACT_LANES = 3
COMPACT_LINES = 8

_Piece = tuple[str, str]
"""Some characters, and Rich's style for them."""
_Line = list[_Piece]


@dataclass(frozen=True)
class _Alphabet:
    state: dict[State, str]
    step: str  # a running span that is shorter than a character
    mark: str
    outcome: dict[Outcome, str]
    child: str
    cut: str


_UNICODE = _Alphabet(
    {
        State.RUNNING: "█",
        State.BLOCKING: "▓",
        State.READY: "·",
        State.AWAITING: "─",
        State.THREAD: "═",
    },
    "┃",
    "▲",
    {
        Outcome.CANCELLED: "×",  # noqa: RUF001 -- the sign, not the letter
        Outcome.FAILED: "!",
        Outcome.UNFINISHED: "→",
    },
    "└ ",
    "…",
)
_ASCII = _Alphabet(
    {
        State.RUNNING: "#",
        State.BLOCKING: "%",
        State.READY: ".",
        State.AWAITING: "-",
        State.THREAD: "=",
    },
    "|",
    "^",
    {Outcome.CANCELLED: "x", Outcome.FAILED: "!", Outcome.UNFINISHED: ">"},
    "` ",
    "~",
)
_STYLES = {
    State.RUNNING: "bold green",
    State.BLOCKING: "bold red",
    State.READY: "bold",  # yellow dots are invisible on a light terminal
    State.AWAITING: "cyan",
    State.THREAD: "magenta",
}
# If several states share a character, it shows the first of these.
_RANK = (State.BLOCKING, State.RUNNING, State.THREAD, State.READY, State.AWAITING)


def text(
    timeline: Timeline,
    *,
    title: str = "",
    width: int = 72,
    duration: float | None = None,
    compact: bool = False,
    ascii_only: bool | None = None,
) -> str:
    """Return *timeline* as lines of *width* characters at most.

    Args:
        timeline: what to draw.
        title: the first line.
        width: the largest number of characters in a line.
        duration: the least length of the time axis.
        compact: return eight lines at most.
        ascii_only: use only ASCII. By default, standard output's encoding decides.
    """
    alphabet = _alphabet(ascii_only, getattr(sys.stdout, "encoding", None))
    if compact or timeline.ordered:
        return _plain(_compact(timeline, width, duration, alphabet))
    panels = [("", timeline)]
    return _plain(_lines(panels, title, width, duration, alphabet))


@dataclass(frozen=True)
class TimelineText:
    """What `text` returns, for Rich: `console.print(TimelineText(panels))`.

    *panels* are names and timelines; a single panel needs no name. The text is as wide
    as the console, or has the given *width*.
    """

    panels: Sequence[tuple[str, Timeline]]
    title: str = ""
    width: int | None = None
    compact: bool = False

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> RenderResult:
        """Yield the lines, with styles."""
        from rich.text import Text

        width = min(self.width or options.max_width, options.max_width)
        alphabet = _alphabet(None, options.encoding)
        if self.compact:
            lines = _compact(self.panels[0][1], width, None, alphabet)
        else:
            lines = _lines(self.panels, self.title, width, None, alphabet)
        for line in lines:
            yield Text.assemble(*line, no_wrap=True, end="\n")


def _alphabet(ascii_only: bool | None, encoding: str | None) -> _Alphabet:
    if ascii_only is None:
        characters = "".join(
            [*_UNICODE.state.values(), *_UNICODE.outcome.values(), _UNICODE.step, "▲└…"]
        )
        try:
            characters.encode(encoding or "ascii")
        except (UnicodeEncodeError, LookupError):
            ascii_only = True
    return _ASCII if ascii_only else _UNICODE


def _plain(lines: Iterable[_Line]) -> str:
    return "\n".join("".join(piece for piece, _ in line).rstrip() for line in lines)


def _lines(
    panels: Sequence[tuple[str, Timeline]],
    title: str,
    width: int,
    duration: float | None,
    alphabet: _Alphabet,
) -> list[_Line]:
    longest = max(timeline.duration for _, timeline in panels)
    chart = _Chart(panels, max(duration or 0.0, longest), width, LANES, alphabet)
    lines: list[_Line] = [[(line, "bold")] for line in textwrap.wrap(title, width)]
    for name, timeline in panels:
        if name:
            words = timeline.headline or time(timeline.duration)
            lines += [[], [(f"{name}: {words}", "bold")]]
        elif timeline.headline:
            lines += [[(timeline.headline, "bold")], []]
        lines += chart.panel(timeline)
    lines += [[], *chart.legend()]
    for name, timeline in panels:
        words = story(timeline)
        lines.append([])
        lines += _wrapped(f"{name}: {words}" if name else words, width, alphabet)
    for note in notes(panels):
        lines += _wrapped(note, width, alphabet)
    return lines


def _compact(
    timeline: Timeline, width: int, duration: float | None, alphabet: _Alphabet
) -> list[_Line]:
    longest = max(duration or 0.0, timeline.duration)
    panels = [("", timeline)]
    if timeline.ordered:
        return _ordered(timeline, width, alphabet)
    chart = _Chart(panels, longest, width, COMPACT_LANES, alphabet)
    lines = [*chart.panel(timeline, full=False), *chart.legend(short=True)]
    left = COMPACT_LINES - len(lines)
    words: list[_Line] = []
    for length in range(left * width, 0, -4):
        words = _wrapped(story(timeline, length, brief=True), width, alphabet)
        if len(words) <= left:
            break
    return [*lines, *words][:COMPACT_LINES]


def _ordered(timeline: Timeline, width: int, alphabet: _Alphabet) -> list[_Line]:
    """Return as many lanes as there is room for, without a story."""
    most = COMPACT_LINES - 2
    chart = _Chart([("", timeline)], timeline.duration, width, most, alphabet)
    lines = chart.panel(timeline, full=False)
    for note in timeline.notes:
        lines += _wrapped(note, width, alphabet)
    return [*lines, *chart.legend(short=True)][:COMPACT_LINES]


class _Chart:
    """Draws the lanes of one or two timelines over the same axis."""

    def __init__(
        self,
        panels: Sequence[tuple[str, Timeline]],
        duration: float,
        width: int,
        most: int,
        alphabet: _Alphabet,
    ) -> None:
        self.alphabet = alphabet
        self.width = width
        self.most = most
        names = [
            len(self._name(lane))
            for _, timeline in panels
            for lane in fold(timeline, most)
        ]
        self.gutter = min(max([len("event loop"), *names]), width // 3) + 1
        self.columns = max(8, width - self.gutter - 2)
        self.scale = Scale(duration, 0, self.columns)
        self.ordered = panels[0][1].ordered
        self.states: set[State] = set()
        self.outcomes: set[Outcome] = set()
        self.waited_for: set[str] = set()

    def panel(self, timeline: Timeline, *, full: bool = True) -> list[_Line]:
        """Return the axis and a line for each lane.

        If it is *full*, there are also a line for the event loop and the marks.
        """
        lines = [] if self.ordered else [self._axis()]
        if full:
            bar = self._bar(Lane("", held(timeline)), labelled=False)
            lines.append([("event loop".ljust(self.gutter), "bold"), *bar])
        for lane in fold(timeline, self.most):
            name = shortened(self._name(lane), self.gutter - 1, self.alphabet.cut)
            lines.append([(name.ljust(self.gutter), ""), *self._bar(lane)])
            if full:
                lines += self._marks(lane)
        return lines

    def legend(self, *, short: bool = False) -> list[_Line]:
        """Return the meaning of the characters that are used."""
        entries = []
        for state in State:
            if state in self.states:
                sign = self.alphabet.state[state]
                if state is State.RUNNING:
                    step = self.alphabet.step
                    sign = step if self.ordered else f"{step}{sign}"
                words = (
                    SHORT_LEGEND[state] if short else meaning(state, self.waited_for)
                )
                entries.append((sign, _STYLES[state], words))
        entries += [
            (self.alphabet.outcome[outcome], "bold", ENDED[outcome])
            for outcome in Outcome
            if outcome in self.outcomes
        ]
        if self.ordered:
            entries.insert(0, (f"{IN_ORDER}:", "dim", ""))
        lines: list[_Line] = [[]]
        gap, used = "  " if self.ordered else "   ", 0
        for sign, style, words in entries:
            long = len(sign) + 1 + len(words)
            if used and used + len(gap) + long > self.width:
                lines.append([])
                used = 0
            between = gap if used else ""
            lines[-1] += [(between, ""), (sign, style), (f" {words}".rstrip(), "")]
            used += len(between) + long
        return lines

    def _name(self, lane: Lane) -> str:
        indent = "  " * (min(lane.depth, 4) - 1) + self.alphabet.child
        name = f"{indent}{lane.name}" if lane.depth else lane.name
        return name.replace("…", "...") if self.alphabet is _ASCII else name

    def _axis(self) -> _Line:
        row = [" "] * (self.columns + 2)
        free = 0
        for moment, label in self.scale.ticks(6):
            at = min(int(self.scale.at(moment)), self.columns + 2 - len(label))
            if at >= free:
                row[at : at + len(label)] = label
                free = at + len(label) + 1
        return [((" " * self.gutter + "".join(row)).rstrip(), "dim")]

    def _bar(self, lane: Lane, *, labelled: bool = True) -> _Line:
        cells = self._cells(lane.spans)
        if any(span.state is State.READY for span in lane.spans):
            self.waited_for.add(waits_for(lane))
        for span in lane.spans if labelled else ():
            words = inside(lane, span, ordered=self.ordered)
            self._write(cells, span, words)
        while cells and cells[-1] == (" ", ""):
            cells.pop()
        pieces: _Line = [
            ("".join(sign for sign, _ in group), style)
            for style, group in groupby(cells, key=lambda cell: cell[1])
        ]
        if labelled and lane.outcome is not Outcome.DONE:
            self.outcomes.add(lane.outcome)
            pieces = self._with_end(pieces, lane)
        return pieces

    def _marks(self, lane: Lane) -> list[_Line]:
        """Return the lines with the marks of *lane*, which stand below its bar."""
        end = self.columns + 2
        placed = place(
            lane.marks,
            lambda time: min(int(self.scale.at(time)), self.columns - 1),
            lambda label: len(label) + 3,
            end,
            near=1,
        )
        rows = [
            [" "] * end for _ in range(max((it.level + 1 for it in placed), default=0))
        ]
        for mark in placed:
            at, sign = int(mark.x), self.alphabet.mark
            words = f"{mark.label} {sign}" if mark.before else f"{sign} {mark.label}"
            start = max(0, at - len(words) + 1) if mark.before else at
            rows[mark.level][start : start + len(words)] = words[: end - start]
        return [[(" " * self.gutter + "".join(row).rstrip(), "bold")] for row in rows]

    def _cells(self, spans: Sequence[Span]) -> list[_Piece]:
        found: list[tuple[int, float, State] | None] = [None] * self.columns
        for span in spans:
            left, right = self.scale.at(span.start), self.scale.at(span.end)
            first = min(int(left), self.columns - 1)
            last = max(first, min(-int(-right // 1), self.columns) - 1)
            rank = _RANK.index(span.state)
            for column in range(first, last + 1):
                share = min(right, column + 1) - max(left, column)
                here = found[column]
                # A span that takes less than half of a character gives way, except
                # for a step on the loop, which is always shown.
                weak = share < 0.5 and span.state is not State.RUNNING
                weak = weak and span.state is not State.BLOCKING
                if here is None or (rank < here[0] and not weak):
                    found[column] = (rank, share, span.state)
        self.states |= {it[2] for it in found if it is not None}
        return [self._cell(it) for it in found]

    def _cell(self, found: tuple[int, float, State] | None) -> _Piece:
        if found is None:
            return (" ", "")
        _, share, state = found
        is_step = state is State.RUNNING and share < 0.5
        sign = self.alphabet.step if is_step else self.alphabet.state[state]
        return (sign, _STYLES[state])

    def _write(self, cells: list[_Piece], span: Span, choices: Sequence[str]) -> None:
        """Write a label into the bar of *span*, if enough of the bar remains."""
        sign = self.alphabet.state[span.state]
        style = _STYLES[span.state]
        first, last = int(self.scale.at(span.start)), int(self.scale.at(span.end))
        own = [n for n in range(first, last) if cells[n] == (sign, style)]
        edges = 2 if self.ordered and span.state is State.AWAITING else 4
        words = self._fitting(span, choices, len(own) - edges)
        if words and own[-1] - own[0] == len(own) - 1:
            at = own[0] + (len(own) - len(words)) // 2
            cells[at - 1 : at + len(words) + 1] = [
                (letter, "") for letter in f" {words} "
            ]

    def _fitting(self, span: Span, choices: Sequence[str], room: int) -> str:
        choices = [words.removeprefix("await ") for words in choices]
        if self.alphabet is _ASCII:
            choices = [words.replace("…", "...") for words in choices]
        for words in choices:
            if len(words) <= room:
                return words
        # Code may be cut, but a number must not be.
        if choices and span.state is State.AWAITING and room > 9:
            return choices[0][: room - 1] + self.alphabet.cut
        return ""

    def _with_end(self, pieces: _Line, lane: Lane) -> _Line:
        """Add the sign of how *lane* ended after its last character."""
        drawn = "".join(piece for piece, _ in pieces).rstrip()
        sign = self.alphabet.outcome[lane.outcome]
        room = self.columns + 2 - len(drawn)
        ends = (f"{sign} {ending(lane)}", f"{sign} {ENDED[lane.outcome]}", sign)
        end = next((end for end in ends if len(end) <= room), sign)
        rest = len(drawn)
        kept: _Line = []
        for piece, style in pieces:
            kept.append((piece[:rest], style))
            rest -= len(kept[-1][0])
        return [*kept, (end, "bold")]


def _wrapped(words: str, width: int, alphabet: _Alphabet) -> list[_Line]:
    if alphabet is _ASCII:
        words = words.replace("…", alphabet.cut)
    return [[(line, "")] for line in wrapped(words, width)]
