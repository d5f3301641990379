"""Draw a timeline as SVG: one picture for light and dark, wide or narrow.

The picture contains everything it needs: it loads no script, no font and no other file.
Inside a page, it follows the page's own switch between light and dark (mkdocs-material,
Jupyter, VS Code). Alone or as an image, it follows the reader's system. The same
timeline always gives the same bytes.
"""

from __future__ import annotations

import hashlib
import html
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from workshop.terminal.control_codes import plain
from workshop.timeline.fold import fold
from workshop.timeline.marks import PlacedMark, place
from workshop.timeline.model import Lane, Outcome, Span, State, Timeline
from workshop.timeline.palette import DARK, LIGHT, css
from workshop.timeline.scale import Scale
from workshop.timeline.words import (
    ENDED,
    about,
    clip,
    ending,
    held,
    inside,
    meaning,
    notes,
    period,
    shortened,
    story,
    time,
    waits_for,
    wrapped,
)

LANES = 16
"""The largest number of lanes in a picture."""


@dataclass(frozen=True)
class _Layout:
    """Sizes in pixels. On the screen, the text has the size given here."""

    width: int
    left: int  # where the time axis begins
    right: int  # the space after its end, for signs
    row: int
    middle: int  # of the bars, in a row
    names: int  # characters of a lane's name
    words: int  # characters of a sentence
    headline: int  # characters of a headline
    ticks: int

    @property
    def plot(self) -> int:
        return self.width - self.left - self.right


# A column of text is 688 px wide in mkdocs-material, and 358 on a phone.
_WIDE = _Layout(720, 220, 30, 38, 21, 28, 106, 54, 7)
_NARROW = _Layout(350, 12, 28, 52, 37, 42, 51, 25, 5)

_BAR = 18
# Widths of a character, generously: code of 11 px, words of 12, titles of 15.
_MONO, _SANS, _BOLD = 6.7, 6.6, 9.4
_LEAST = 4.0
"""The width of a span that takes no time at all."""
_LEVEL = 15
"""The height of a line of marks below a lane."""
_TITLE_LINES, _HEADLINE_LINES = 4, 3
_SHORTEST_CUT = 12
"""Code that would be cut to fewer characters is not written."""


def svg(
    timeline: Timeline,
    *,
    title: str,
    name: str = "",
    narrow: bool = False,
    duration: float | None = None,
) -> str:
    """Return the picture of *timeline*.

    Args:
        timeline: what to draw.
        title: the title of the picture.
        name: a label, such as "Before", to tell the picture from another one.
        narrow: draw it for phones.
        duration: the least length of the time axis. Pictures that have the same one
            can be compared.
    """
    return _draw([(name, timeline)], title, narrow, duration)


def svg_pair(
    before: Timeline,
    after: Timeline,
    *,
    title: str,
    narrow: bool = False,
    names: tuple[str, str] = ("Before", "After"),
) -> str:
    """Return one picture of both, one below the other on the same time axis.

    Args:
        before: the upper timeline.
        after: the lower timeline.
        title: the title of the picture.
        narrow: draw it for phones.
        names: the labels of the two timelines.
    """
    panels = [(names[0], before), (names[1], after)]
    return _draw(panels, title, narrow, max(before.duration, after.duration))


def _draw(
    panels: Sequence[tuple[str, Timeline]],
    title: str,
    narrow: bool,
    duration: float | None,
) -> str:
    layout = _NARROW if narrow else _WIDE
    page = _Page(layout)
    longest = max(timeline.duration for _, timeline in panels)
    scale = Scale(max(duration or 0.0, longest), layout.left, layout.plot)
    _draw_title(page, title)
    for name, timeline in panels:
        _draw_panel(page, name, timeline, scale)
    _draw_legend(page)
    for text in notes(panels)[:4]:
        _draw_remark(page, text)
    page.y += 10
    description = " ".join(
        f"{name}: {story(timeline)}" if name else story(timeline)
        for name, timeline in panels
    )
    whole = f"{panels[0][0]}: {title}" if len(panels) == 1 and panels[0][0] else title
    return _document(page, whole, description)


class _Page:
    """The elements drawn so far, and the height that they take."""

    def __init__(self, layout: _Layout) -> None:
        self.layout = layout
        self.y = 0.0
        self.drawn: list[str] = []
        self.states: set[State] = set()
        self.outcomes: set[Outcome] = set()
        self.waited_for: set[str] = set()
        self.dense = False

    def add(self, *elements: str) -> None:
        """Draw *elements* on top of the earlier ones."""
        self.drawn += elements


def _document(page: _Page, title: str, description: str) -> str:
    body = "\n".join(page.drawn)
    width, height = page.layout.width, _n(page.y)
    # A page can have several pictures, so the ids depend on the content.
    content = f"{width} {title} {description} {body}".encode()
    uid = "t" + hashlib.sha256(content).hexdigest()[:8]
    body = body.replace("url(#", f"url(#{uid}-")
    patterns = "".join(_patterns(page, uid))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="loop-timeline" '
        f'width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'role="img" aria-labelledby="{uid}-title {uid}-desc">\n'
        f'<title id="{uid}-title">{_escape(title)}</title>\n'
        f'<desc id="{uid}-desc">{_escape(description)}</desc>\n'
        f"<style>{_CSS}</style>\n"
        f"<defs>{patterns}</defs>\n"
        f'<rect class="paper" width="{width}" height="{height}" rx="6"/>\n'
        f"{body}\n</svg>\n"
    )


def _draw_title(page: _Page, title: str) -> None:
    room = int((page.layout.width - 24) / _BOLD)
    page.y = 8
    for line in textwrap.wrap(title, room, max_lines=_TITLE_LINES, placeholder=" …"):
        page.y += 19
        page.add(_text("title", 12, page.y, line))


def _draw_header(page: _Page, name: str, timeline: Timeline) -> None:
    """Draw the label, the headline, and the duration if there is no headline."""
    layout = page.layout
    left, room = 12.0, layout.headline
    words = timeline.headline or time(timeline.duration)
    if name:
        width = len(name) * 9 + 16
        page.add(
            _rect("chip", 12, page.y + 9, width, 24, 12),
            _text("chip", 12 + width / 2, page.y + 26, name),
        )
        if layout is _NARROW and timeline.headline:
            page.y += 28
        else:
            left, room = left + width + 10, room - int((width + 10) / 13)
    for line in wrapped(words, room)[:_HEADLINE_LINES]:
        page.y += 29
        page.add(_text("headline", left, page.y, line))
    page.y += 10


def _draw_panel(page: _Page, name: str, timeline: Timeline, scale: Scale) -> None:
    layout = page.layout
    _draw_header(page, name, timeline)
    lanes = fold(timeline, LANES)
    marks = [_placed(lane, scale, layout) for lane in lanes]
    heights = [
        layout.row + _LEVEL * (_levels(it) if lane.spans else max(_levels(it) - 1, 0))
        for lane, it in zip(lanes, marks, strict=True)
    ]
    top = page.y + 22
    bottom = top + layout.row + sum(heights)
    y = top + layout.row
    bands = ""
    for number, height in enumerate(heights):
        if number % 2 == 0:
            bands += f"M0 {_n(y)}h{_n(layout.width)}v{_n(height)}H0z"
        y += height
    page.add(f'<path class="band" d="{bands}"/>')
    lines = ""
    for moment, label in scale.ticks(layout.ticks):
        x = _n(scale.at(moment))
        lines += f"M{x} {_n(top - 4)}V{_n(bottom)}"
        kind = "tick" if moment else "first"
        page.add(_text(kind, scale.at(moment) - (0 if moment else 4), top - 8, label))
    page.add(f'<path class="grid" d="{lines}"/>')
    page.y = top
    _draw_loop(page, timeline, scale)
    page.y += layout.row
    for lane, placed, height in zip(lanes, marks, heights, strict=True):
        _draw_lane(page, lane, scale)
        _draw_marks(page, placed, below=9 if lane.spans else -4)
        page.y += height
    page.y = bottom + 4


def _placed(lane: Lane, scale: Scale, layout: _Layout) -> tuple[PlacedMark, ...]:
    def width(label: str) -> float:
        return len(label) * 7.8 + 10

    right = layout.width - 4
    return place(lane.marks, scale.at, width, right, near=5)


def _levels(placed: Sequence[PlacedMark]) -> int:
    return max((mark.level + 1 for mark in placed), default=0)


def _draw_marks(page: _Page, placed: Sequence[PlacedMark], below: float) -> None:
    """Draw the marks of a lane, each with its label, *below* the middle of its bars."""
    bars_end = page.y + page.layout.middle + below
    for mark in placed:
        y = bars_end + 4 + _LEVEL * mark.level
        stem = f"M{_n(mark.x)} {_n(bars_end + 6)}V{_n(y + 8)}" if mark.level else ""
        page.add(
            f'<path class="moment" d="M{_n(mark.x)} {_n(bars_end)}l-4.5 8h9z{stem}"/>',
            _text(
                "before" if mark.before else "after",
                mark.x + (-8 if mark.before else 8),
                y + 8,
                mark.label,
            ),
        )


def _draw_loop(page: _Page, timeline: Timeline, scale: Scale) -> None:
    """Draw what occupied the loop: the spans of all lanes in one row."""
    layout = page.layout
    _draw_name(page, "event loop", "", "loop")
    middle = page.y + layout.middle
    end = scale.at(timeline.duration)
    free = _rect("free", layout.left, middle - 9, end - layout.left, _BAR, 3)
    page.add(_with_title(free, "the event loop, which is free where nothing is drawn"))
    _draw_spans(page, Lane("", held(timeline)), scale, middle)


def _draw_lane(page: _Page, lane: Lane, scale: Scale) -> None:
    name = (
        f"{'  ' * (min(lane.depth, 4) - 1)}└ {lane.name}" if lane.depth else lane.name
    )
    _draw_name(page, name, ending(lane), "name")
    middle = page.y + page.layout.middle
    _draw_spans(page, lane, scale, middle)
    if lane.outcome is not Outcome.DONE:
        page.outcomes.add(lane.outcome)
        x = min(scale.at(lane.end) + 13, page.layout.width - 11)
        sign = _sign(lane.outcome, x, middle)
        page.add(_with_title(sign, f"{lane.name}: {ending(lane)}"))


def _draw_name(page: _Page, name: str, end: str, kind: str) -> None:
    layout = page.layout
    if layout is _NARROW:
        end = clip(end, 22)
        room = layout.names - (len(end) + 2 if end else 0)
        page.add(_text(kind, 12, page.y + 16, name, room))
        if end:
            page.add(_text("ending", layout.width - 12, page.y + 16, end))
        return
    y = page.y + layout.middle + (-3 if end else 4)
    page.add(_text(kind, 12, y, name, layout.names))
    if end:
        page.add(_text("below", 12, y + 15, end, layout.names + 1))


def _draw_spans(page: _Page, lane: Lane, scale: Scale, middle: float) -> None:
    labels: list[str] = []
    on_top: list[str] = []
    ticks = ""
    for group in _visible(_joined(lane.spans), scale):
        first, last = group[0], group[-1]
        # A span at the very end is drawn before it, so that it is in the picture.
        left = min(scale.at(first.start), scale.at(scale.duration) - _LEAST)
        width = scale.at(last.end) - left
        if len(group) > 1:
            page.dense = True
            bar = _rect("dense", left, middle - 9, max(width, _LEAST), _BAR)
            many = f"{len(group)} short steps {period(first.start, last.end)}"
            page.add(_with_title(_filled(bar, "dense"), f"{lane.name} {many}".strip()))
            continue
        page.states.add(first.state)
        if first.state is State.RUNNING and width <= _LEAST:
            # Too narrow for a hover text, and often many: one path for all of them.
            ticks += f"M{_n(left)} {_n(middle - 9)}h{_n(_LEAST)}v{_BAR}h-{_n(_LEAST)}z"
            continue
        if first.state is State.READY:
            page.waited_for.add(waits_for(lane))
        named = lane if lane.name else Lane(first.label, ())
        words = about(named, first if lane.name else _unlabelled(first))
        shape = _with_title(_shape(first.state, left, middle, width), words)
        (on_top if first.state is State.RUNNING else page.drawn).append(shape)
        if lane.name:
            labels += _label(inside(lane, first), first.state, left, middle, width)
    if ticks:
        on_top.append(f'<path class="running" d="{ticks}"/>')
    page.add(*on_top, *labels)


def _joined(spans: Sequence[Span]) -> list[Span]:
    """Return *spans* with those waits as one that go on at the same line.

    The steps in between take no time that could be drawn, but stay.
    """
    found: list[Span] = []
    latest: int | None = None
    for span in spans:
        wait = span.state is State.AWAITING
        if wait and latest is not None and _goes_on(found[latest], span):
            found[latest] = replace(found[latest], end=span.end)
            continue
        if wait:
            latest = len(found)
        found.append(span)
    return found


def _goes_on(wait: Span, span: Span) -> bool:
    return replace(wait, start=0, end=0) == replace(span, start=0, end=0) and (
        wait.end == span.start
    )


def _visible(spans: Sequence[Span], scale: Scale) -> Iterator[list[Span]]:
    """Yield each span alone, except for groups that are too short and too close."""
    crowd: list[Span] = []
    for span in spans:
        left, right = scale.at(span.start), scale.at(span.end)
        alone = right - left >= _LEAST or span.state is State.BLOCKING
        if crowd and (alone or left > scale.at(crowd[-1].end) + _LEAST):
            yield from _settle(crowd, scale)
            crowd = []
        if alone:
            yield [span]
        else:
            crowd.append(span)
    yield from _settle(crowd, scale)


def _settle(crowd: list[Span], scale: Scale) -> Iterator[list[Span]]:
    if not crowd:
        return
    width = scale.at(crowd[-1].end) - scale.at(crowd[0].start)
    runs = [span for span in crowd if span.state is State.RUNNING]
    if len(runs) > 2 and width > 3 * _LEAST:
        yield crowd
        return
    # A pause between two steps that are close together is too short to see.
    until = -_LEAST
    for span in runs or crowd[:1]:
        if scale.at(span.start) >= until:
            yield [span]
            until = scale.at(span.start) + _LEAST


def _shape(state: State, x: float, middle: float, width: float) -> str:
    match state:
        case State.AWAITING:
            y = _n(middle)
            return f'<path class="awaiting" d="M{_n(x)} {y}H{_n(x + width)}"/>'
        case State.READY:
            bar = _rect("ready", x, middle - 6, max(width, _LEAST), 12)
        case State.THREAD:
            bar = _rect("thread", x, middle - 8, max(width, _LEAST), 16, 8)
        case State.BLOCKING:
            bar = _rect("blocking", x, middle - 9, max(width, _LEAST), _BAR)
        case State.RUNNING:
            return _rect("running", x, middle - 9, max(width, _LEAST), _BAR, 1)
    return _filled(bar, state)


def _label(
    words: Sequence[str], state: State, x: float, middle: float, width: float
) -> Iterator[str]:
    """Write the longest of *words* that has room, if there is one."""
    # Leave enough of the bar on both sides of the words to recognize it.
    room = int((width - (8 if state is State.AWAITING else 28)) / _MONO)
    text = next((it for it in words if len(it) <= room), "")
    if state is State.AWAITING:
        # Code may be cut, but a number must not be.
        text = text or (clip(words[-1], room) if words else "")
        if len(text) > (_SHORTEST_CUT if text.endswith("…") else 2):
            yield _text("code", x + width / 2, middle - 5, text)
    elif text:
        plate = len(text) * _MONO + 8
        left = x + (width - plate) / 2
        yield _rect("plate", left, middle - 7, plate, 14, 3)
        yield _text("inside", x + width / 2, middle + 4, text)


def _draw_legend(page: _Page) -> None:
    layout = page.layout
    entries = [
        (_shape(state, 0, 0, 26), meaning(state, page.waited_for))
        for state in State
        if state in page.states
    ]
    if page.dense:
        dense = _filled(_rect("dense", 0, -9, 26, _BAR), "dense")
        entries.append((dense, "many short steps"))
    entries += [
        (_sign(outcome, 13, 0), ENDED[outcome])
        for outcome in Outcome
        if outcome in page.outcomes
    ]
    x, page.y = 12.0, page.y + 18
    for shape, text in entries:
        width = 34 + len(text) * _SANS + 16
        if x + width > layout.width and x > 12:
            x, page.y = 12.0, page.y + 24
        page.add(
            f'<g transform="translate({_n(x)} {_n(page.y)})">{shape}'
            f"{_text('key', 34, 4, text)}</g>"
        )
        x += width
    page.y += 12


def _draw_remark(page: _Page, text: str) -> None:
    for line in wrapped(text, page.layout.words)[:3]:
        page.y += 16
        page.add(_text("remark", 12, page.y, line))


def _sign(outcome: Outcome, x: float, y: float) -> str:
    match outcome:
        case Outcome.CANCELLED:
            path = "M-6-6L6 6M6-6L-6 6"
        case Outcome.FAILED:
            path = "M0-8V2M0 6V8"
        case _:
            path = "M-7 0H7M2-5L7 0L2 5"
    at = f'transform="translate({_n(x)} {_n(y)})"'
    return f'<path class="sign {outcome}" {at} d="{path}"/>'


def _patterns(page: _Page, uid: str) -> Iterator[str]:
    used = [*(str(state) for state in State if state in page.states)]
    if page.dense:
        used.append("dense")
    for name in used:
        if name in _PATTERNS:
            attributes, content = _PATTERNS[name]
            yield (
                f'<pattern id="{uid}-{name}" patternUnits="userSpaceOnUse" '
                f"{attributes}>{content}</pattern>"
            )


_PATTERNS = {
    "blocking": (
        'width="8" height="8" patternTransform="rotate(45)"',
        '<path class="paper" d="M0 0h8v8H0z"/><path class="b" d="M0 0h5v8H0z"/>',
    ),
    "ready": (
        'width="6" height="6"',
        '<path class="paper" d="M0 0h6v6H0z"/>'
        '<circle class="r" cx="3" cy="3" r="1.6"/>',
    ),
    "thread": (
        'width="4" height="4"',
        '<path class="paper" d="M0 0h4v4H0z"/><path class="t" d="M0 0h4v2H0z"/>',
    ),
    "dense": (
        'width="5" height="8"',
        '<path class="paper" d="M0 0h5v8H0z"/><path class="running" d="M0 0h2v8H0z"/>',
    ),
}
"""Fills by name: attributes and content."""


def _rect(
    kind: str, x: float, y: float, width: float, height: float, radius: int = 0
) -> str:
    rounded = f' rx="{radius}"' if radius else ""
    return (
        f'<rect class="{kind}" x="{_n(x)}" y="{_n(y)}" '
        f'width="{_n(max(width, 0))}" height="{_n(height)}"{rounded}/>'
    )


def _filled(element: str, pattern: str) -> str:
    return f'{element[:-2]} fill="url(#{pattern})"/>'


def _with_title(element: str, text: str) -> str:
    tag = element[1:].partition(" ")[0]
    return f"{element[:-2]}><title>{_escape(text)}</title></{tag}>"


def _text(kind: str, x: float, y: float, text: str, most: int = 0) -> str:
    """Return *text*. If it is longer than *most*, it is cut, and its title has all."""
    indented = text.startswith(" ")
    shown = shortened(text, most) if most else text
    whole = f"<title>{_escape(text.strip())}</title>" if shown != text else ""
    keep = ' xml:space="preserve"' if indented else ""
    return (
        f'<text class="{kind}" x="{_n(x)}" y="{_n(y)}"{keep}>'
        f"{_escape(shown, quote=False)}{whole}</text>"
    )


def _unlabelled(span: Span) -> Span:
    return Span(span.state, span.start, span.end, "", span.where)


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


_MONO_FONT = 'ui-monospace,Menlo,Consolas,"DejaVu Sans Mono",monospace'
_SANS_FONT = 'system-ui,"Segoe UI",Roboto,"DejaVu Sans",sans-serif'
_CSS = (
    f".loop-timeline,[data-md-color-scheme=default] .loop-timeline,"
    f"[data-jp-theme-light=true] .loop-timeline{{{css(LIGHT)}}}"
    f"@media (prefers-color-scheme:dark){{.loop-timeline{{{css(DARK)}}}}}"
    f"[data-md-color-scheme=slate] .loop-timeline,"
    f"[data-jp-theme-light=false] .loop-timeline,"
    f".vscode-dark .loop-timeline{{{css(DARK)}}}"
    # Alone or as an image it has its own size; in a page, that of its column.
    ".loop-timeline:not(:root){display:block;width:100%;max-width:60rem;height:auto}"
    f".loop-timeline text{{font:12px {_SANS_FONT};fill:var(--mute)}}"
    ".loop-timeline rect.chip{fill:var(--ink)}"
    ".loop-timeline text.chip"
    "{font-size:14px;font-weight:700;fill:var(--paper);text-anchor:middle}"
    + "".join(
        f".loop-timeline .{kind}{{{style}}}"
        for kind, style in {
            "paper": "fill:var(--paper)",
            "band": "fill:var(--band)",
            "grid": "fill:none;stroke:var(--grid)",
            "free": "fill:var(--paper);stroke:var(--mute)",
            "title": "font-size:15px;fill:var(--ink)",
            "headline": "font-size:22px;font-weight:700;fill:var(--ink)",
            "tick": "text-anchor:middle",
            "loop": "font-weight:600;fill:var(--ink)",
            "name": f"font-family:{_MONO_FONT};fill:var(--ink)",
            "below": "font-weight:600;fill:var(--ink)",
            "ending": "font-weight:600;fill:var(--ink);text-anchor:end",
            "code": f"font-family:{_MONO_FONT};font-size:11px;fill:var(--ink);"
            "text-anchor:middle;pointer-events:none",
            "inside": f"font-family:{_MONO_FONT};font-size:11px;font-weight:600;"
            "fill:var(--ink);text-anchor:middle;pointer-events:none",
            "plate": "fill:var(--paper);pointer-events:none",
            "running": "fill:var(--running)",
            "blocking": "stroke:var(--blocking);stroke-width:2.5",
            "ready": "stroke:var(--ready);stroke-width:1.5;stroke-dasharray:3 2",
            "thread": "stroke:var(--thread);stroke-width:2",
            "awaiting": "fill:none;stroke:var(--awaiting);stroke-width:3",
            "b": "fill:var(--blocking)",
            "r": "fill:var(--ready)",
            "t": "fill:var(--thread)",
            "sign": "fill:none;stroke:var(--ink);stroke-width:3",
            "moment": "fill:var(--ink);stroke:var(--ink)",
            "after": "font-weight:600;fill:var(--ink)",
            "before": "font-weight:600;fill:var(--ink);text-anchor:end",
        }.items()
    )
)


def _escape(text: str, *, quote: bool = True) -> str:
    """Return *text* for XML, which does not allow control characters."""
    return html.escape(plain(text), quote=quote)
