"""A question over the last lines: `y` is yes, every other key is no."""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.screen import ModalScreen
from textual.widgets import Static


class Ask(ModalScreen[bool]):
    """Ask *question*; what is behind it stays to be seen."""

    CSS = """
    Ask { align: center bottom; background: transparent; }
    Ask Static {
        width: 100%; height: auto; padding: 0 1;
        border: heavy ansi_magenta; background: ansi_default;
    }
    """

    def __init__(self, question: str) -> None:
        super().__init__()
        self._question = question

    def compose(self) -> ComposeResult:
        """Show the question and how to answer it."""
        yield Static(f"{self._question}\ny: yes    any other key: no", markup=False)

    def on_key(self, event: events.Key) -> None:
        """Take the first key as the answer."""
        event.stop()
        self.dismiss(event.key.lower() == "y")
