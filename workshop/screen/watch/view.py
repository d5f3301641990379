"""The layout of the terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from rich.console import RenderableType
from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import Static

from workshop.lesson import Lesson
from workshop.progress import State
from workshop.screen.pages import short
from workshop.screen.watch import words
from workshop.screen.watch.keys import Key
from workshop.screen.watch.room import RoomState
from workshop.screen.watch.room import notes as room_notes
from workshop.screen.watch.state import WatchState
from workshop.terminal.output import safe_plain

TALL = 30
"""With this many lines or more, each step has a line with its title."""
WIDE = 116
"""With this many columns or more, a text is shown beside the verdict."""
_BROAD = {"solution", "timeline", "docs"}
"""Texts that need the whole width: code and timelines."""


class Pane(VerticalScroll, can_focus=True):
    """A text that is scrolled by keys only."""

    def __init__(self, name: str) -> None:
        super().__init__(id=name)
        self._text = Static()

    def compose(self) -> ComposeResult:
        """Hold one text."""
        yield self._text

    def put(self, text: RenderableType, *, from_top: bool) -> None:
        """Show *text*; *from_top* scrolls to its beginning."""
        self._text.update(text)
        if from_top:
            self.scroll_home(animate=False)


class WatchView(Vertical):
    """The whole terminal: the verdict, surrounded by lines that never move.

    `reading` names the text that is open beside the verdict, or is empty.
    """

    DEFAULT_CSS = """
    WatchView #title { height: 1; padding: 0 1; text-style: bold reverse; }
    WatchView #file { height: 1; padding: 0 1; }
    WatchView #steps { height: auto; max-height: 14; padding: 0 1; }
    WatchView #body { height: 1fr; }
    WatchView Pane {
        width: 1fr; padding: 0 1; scrollbar-size-vertical: 1;
        border: none; border-top: solid ansi_default;
        border-title-style: bold;
    }
    WatchView Pane:focus { border-top: heavy ansi_default; }
    WatchView Pane Static { width: 100%; height: auto; }
    WatchView #text { display: none; }
    WatchView.reading #text { display: block; }
    WatchView.reading.narrow #verdict { display: none; }
    WatchView.reading.alone #verdict { display: none; }
    WatchView #notes { height: auto; max-height: 7; padding: 0 1; }
    WatchView #notes.asking {
        border: heavy ansi_default; text-style: bold; max-height: 12;
    }
    WatchView #room { height: auto; max-height: 6; padding: 0 1; }
    WatchView #bars, WatchView #status { height: 1; padding: 0 1; }
    WatchView #keys { height: auto; padding: 0 1; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.reading = ""
        self.verdict = Pane("verdict")
        self.text = Pane("text")
        self._show_again: Callable[[], None] = lambda: None
        self._shown: object = None
        self._place: object = None

    def compose(self) -> ComposeResult:
        """Put the verdict in the middle."""
        yield Static(id="title")
        yield Static(id="file")
        yield Static(id="steps")
        self.verdict.border_title = " Verdict "
        with Horizontal(id="body"):
            yield self.verdict
            yield self.text
        yield Static(id="notes")
        yield Static(id="room")
        yield Static(id="bars")
        yield Static(id="status")
        yield Static(id="keys")

    def on_resize(self, event: events.Resize) -> None:
        """Adapt to the new size."""
        self.set_class(event.size.width < WIDE, "narrow")
        self._show_again()

    def show(
        self,
        now: WatchState,
        *,
        lessons: Sequence[Lesson],
        state: State,
        address: str,
        said: str,
        question: str,
        keys: Sequence[Key],
        room: RoomState,
    ) -> None:
        """Show everything except the verdict.

        *address* is the served app's address, *said* the result of an action, and
        *question* a question waiting for an answer, with the keys for it. All three may
        be empty.
        """
        self._show_again = partial(
            self.show,
            now,
            lessons=lessons,
            state=state,
            address=address,
            said=said,
            question=question,
            keys=keys,
            room=room,
        )
        width, height = self.size.width - 2, self.size.height
        lesson = now.lesson
        passed = sorted(state.of(lesson.slug).passed)
        tall = height >= TALL
        steps = words.steps(now, passed, tall=tall)
        file = Text(short(lesson.app_file), "bold")
        where = Text(f"App: {address}/docs" if address else "")
        notes = words.notes(now)
        if notes and said:
            notes.append("\n")
        notes.append(said)
        if question:
            notes = Text(question)
        self._put("title", words.title(now, room.status.words))
        self._put("file", words.two_sides(file, where))
        self._put(
            "steps", Text("\n").join(steps) if tall else words.flow(steps, width, "   ")
        )
        self._put("notes", notes).set_class(bool(question), "asking")
        self._put("room", room_notes(room, lesson))
        self._put("bars", words.bars(now, lessons, state, width))
        self._put("status", words.status(now))
        self._put("keys", words.flow(words.key_caps(keys), width))

    def _put(self, name: str, text: Text | RenderableType) -> Static:
        if isinstance(text, Text) and (clean := safe_plain(text.plain)) != text.plain:
            text = Text(clean)  # may contain a file name or an exception's message
        part = self.query_one(f"#{name}", Static)
        part.update(text)
        part.display = bool(text) if isinstance(text, Text) else True
        return part

    def show_verdict(self, now: WatchState, text: Callable[[], RenderableType]) -> None:
        """Show the verdict if it is new.

        Scroll to its beginning only if it is about another step.
        """
        verdict = now.verdict
        shown = (now.lesson.slug, verdict, now.step, verdict is None and self.reading)
        if shown == self._shown:
            return
        step = now.step or (verdict.current if verdict else None)
        place = (now.lesson.slug, verdict is None, step and step.number)
        self.verdict.put(text(), from_top=place != self._place)
        self._shown, self._place = shown, place

    def read(self, what: str, title: str, text: RenderableType) -> None:
        """Open *text*, called *what*, beside the verdict."""
        self.text.border_title = f" {title} · Esc closes "
        self.text.put(text, from_top=self.reading != what)
        self.reading = what
        self.add_class("reading")
        self.set_class(what in _BROAD, "alone")
        self.text.focus()

    def follow(self, text: RenderableType) -> None:
        """Update the open text; if it was scrolled to its end, it stays there."""
        at_end = self.text.scroll_y >= self.text.max_scroll_y
        self.text.put(text, from_top=False)
        if at_end:
            self.text.scroll_end(animate=False)

    def close(self) -> None:
        """Show only the verdict."""
        self.reading = ""
        self.remove_class("reading")
        self.verdict.focus()
