"""The list of lessons: type to filter, Enter to open one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from workshop.lesson import Lesson
from workshop.progress import State
from workshop.screen.console import mark
from workshop.screen.watch.words import style, two_sides


class Lessons(ModalScreen[str | None]):
    """All lessons; the result is the slug of the chosen one, or None."""

    CSS = """
    Lessons { align: center middle; background: ansi_default; }
    Lessons > * { width: 100%; }
    #title { height: 1; padding: 0 1; text-style: bold reverse; }
    Lessons Input { border: none; height: 1; padding: 0 1; margin: 1 0; }
    Lessons OptionList { height: 1fr; border: none; padding: 0; }
    Lessons OptionList:focus { border: none; }
    #help { height: auto; padding: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "back"),
        Binding("up", "move('cursor_up')", show=False, priority=True),
        Binding("down", "move('cursor_down')", show=False, priority=True),
        Binding("pageup", "move('page_up')", show=False, priority=True),
        Binding("pagedown", "move('page_down')", show=False, priority=True),
    ]

    def __init__(self, lessons: Sequence[Lesson], state: State, here: str) -> None:
        super().__init__()
        self._lessons = lessons
        self._state = state
        self._here = here

    def compose(self) -> ComposeResult:
        """Put the filter above the list."""
        here = next((it for it in self._lessons if it.slug == self._here), None)
        at = f"you are at {here.number} · {here.title}" if here else ""
        yield Static(two_sides(Text("Lessons"), Text(at)), id="title")
        yield Input(placeholder="Type a number or a word", select_on_focus=False)
        options = OptionList(id="lessons")
        options.can_focus = False
        yield options
        yield Static(
            "Type to filter.  ↑ ↓ choose.  Enter goes there.  Esc goes back.",
            id="help",
        )

    def on_mount(self) -> None:
        """Show all lessons, with the current one selected."""
        self._show("")
        options = self.query_one(OptionList)
        options.highlighted = next(
            (n for n, it in enumerate(self._lessons) if it.slug == self._here), 0
        )

    @on(Input.Changed)
    def _filter(self, event: Input.Changed) -> None:
        self._show(event.value)

    @on(Input.Submitted)
    def _choose(self) -> None:
        option = self.query_one(OptionList).highlighted_option
        if option is not None:
            self.dismiss(option.id)

    @on(OptionList.OptionSelected)
    def _clicked(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option_id)

    def action_move(self, how: str) -> None:
        """Move in the list while the filter has the focus."""
        getattr(self.query_one(OptionList), f"action_{how}")()

    def _show(self, wanted: str) -> None:
        options = self.query_one(OptionList)
        options.clear_options()
        for lesson in matching(self._lessons, self._state, wanted):
            options.add_option(Option(row(lesson, self._state), id=lesson.slug))
        if options.option_count:
            options.highlighted = 0
        else:
            options.add_option(Option(f"No lesson has {wanted!r}.", disabled=True))


def matching(lessons: Sequence[Lesson], state: State, wanted: str) -> list[Lesson]:
    """Return the lessons that match every word of *wanted*; a digit is a number.

    Words of progress match too: `open`, `begun`, `finished`.
    """
    words = wanted.lower().split()
    return [
        lesson
        for lesson in lessons
        if all(
            int(word) == int(lesson.number)
            if word.isdecimal()
            else word
            in f"{lesson.title} {lesson.slug} {standing(lesson, state)}".lower()
            for word in words
        )
    ]


def standing(lesson: Lesson, state: State) -> str:
    """Return the learner's progress in *lesson* as one word."""
    record = state.of(lesson.slug)
    if record.is_finished(len(lesson.brief.sections)):
        return "finished"
    return "begun" if record.passed else "open"


def row(lesson: Lesson, state: State) -> Text:
    """Return the line of *lesson*: mark, number, title, progress in words."""
    total = len(lesson.brief.sections)
    passed = state.of(lesson.slug).passed
    done = sum(number in passed for number in range(1, total + 1))
    word = standing(lesson, state)
    shown = len(state.of(lesson.slug).shown)
    sign = "passed" if word == "finished" else "not tried"
    return Text.assemble(
        (f" {mark(sign)} ", style(sign)),
        (f"{lesson.number}  {lesson.title:<27}", "bold"),
        f" {lesson.minutes:>3} min  {done} of {total}  {word}",
        f", {shown} shown" if shown else "",
    )
