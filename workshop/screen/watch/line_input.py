"""A line that the learner types in watch mode."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen
from textual.widgets import Input, Static


class LineInput(ModalScreen[str | None]):
    """Asks for one line; the result is the line, or None."""

    CSS = """
    LineInput { align: center middle; background: ansi_default; }
    LineInput > * { width: 100%; }
    LineInput #title { height: 1; padding: 0 1; text-style: bold reverse; }
    LineInput Input { border: none; height: 1; padding: 0 1; margin: 1 0; }
    LineInput #help { height: auto; padding: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "back"),
    ]

    def __init__(self, question: str, example: str) -> None:
        super().__init__()
        self._question = question
        self._example = example

    def compose(self) -> ComposeResult:
        """Put the question above the line."""
        yield Static(self._question, id="title", markup=False)
        yield Input(placeholder=self._example, select_on_focus=False)
        yield Static(
            f"For example: {self._example}\nEnter goes on.  Esc goes back.",
            id="help",
            markup=False,
        )

    @on(Input.Submitted)
    def _submit(self, event: Input.Submitted) -> None:
        self.dismiss(event.value)
