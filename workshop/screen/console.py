"""The console for output, and the marks for verdicts."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import cache
from typing import IO, TYPE_CHECKING

from workshop.terminal.output import safe_plain, trusted

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, ConsoleRenderable
    from rich.segment import Segment

# Shapes and words show the state; colour only repeats it.
MARKS = {
    "passed": ("✓", "+", "green"),
    "failed": ("✗", "x", "red"),
    "error": ("!", "!", "red"),
    "timed out": ("⧖", "T", "red"),
    "crashed": ("✸", "*", "red"),
    "stopped": ("‖", "|", "red"),
    "not run": ("·", ".", "dim"),
    "not tried": ("·", ".", "dim"),
}


@cache
def out() -> Console:
    """Return the console for standard output."""
    from rich.console import Console, RenderHook
    from rich.theme import Theme

    class PipeConsole(Console):
        """A console that lets its caller handle a broken pipe.

        It wraps everything it writes in `_Safe`, so it can bypass the filter of
        standard output: the remaining colours and links are Rich's.
        """

        @property
        def file(self) -> IO[str]:
            """The stream that it writes to."""
            return trusted(self._file or sys.stdout)

        @file.setter
        def file(self, new_file: IO[str]) -> None:
            self._file = new_file

        @file.deleter
        def file(self) -> None:
            self._file = None

        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    # Without a terminal there is no reason to wrap lines at column 80.
    width = None if sys.stdout.isatty() else 100

    class Hook(RenderHook):
        """Cleans everything that is printed."""

        def process_renderables(
            self, renderables: list[ConsoleRenderable]
        ) -> list[ConsoleRenderable]:
            """Return *renderables*, wrapped so that rendering cleans them."""
            return [_Safe(each) for each in renderables]

    # Rich's default style has a black background: dark boxes on a light terminal.
    theme = Theme({"markdown.code": "bold cyan"})
    console = PipeConsole(highlight=False, width=width, theme=theme)
    console.push_render_hook(Hook())
    return console


class _Safe:
    """A renderable without control codes and secrets in its texts."""

    def __init__(self, renderable: ConsoleRenderable) -> None:
        self._renderable = renderable

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterator[Segment]:
        """Render the cleaned content."""
        for segment in console.render(self._renderable, options):
            yield segment._replace(text=safe_plain(segment.text))


def mark(verdict: str) -> str:
    """Return the mark for *verdict*; ASCII if the encoding may lack others."""
    fancy, plain, _ = MARKS[verdict]
    # The full screen replaces standard output with an object without an encoding.
    encoding = getattr(sys.stdout, "encoding", getattr(sys.__stdout__, "encoding", ""))
    try:
        fancy.encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return plain
    return fancy


def colour(verdict: str) -> str:
    """Return the Rich style for *verdict*."""
    return MARKS[verdict][2]
