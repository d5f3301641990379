"""Where output goes, and the marks that states are shown by."""

from __future__ import annotations

import os
import sys
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

# State is told by shape and word; colour only repeats it.
MARKS = {
    "passed": ("✓", "+", "green"),
    "failed": ("✗", "x", "red"),
    "error": ("!", "!", "red"),
    "timed out": ("⧖", "T", "red"),
    "crashed": ("✸", "*", "red"),
    "not run": ("·", ".", "dim"),
    "not tried": ("·", ".", "dim"),
}


@cache
def out() -> Console:
    """Return the console for standard output."""
    from rich.console import Console
    from rich.theme import Theme

    class PipeConsole(Console):
        """A console that leaves it to its caller when a reader has gone."""

        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    # Without a terminal nothing is gained by breaking lines at column 80.
    width = None if sys.stdout.isatty() else 100
    # Rich's own style has a black background: dark boxes on a light terminal.
    theme = Theme({"markdown.code": "bold cyan"})
    return PipeConsole(highlight=False, width=width, theme=theme)


def mark(verdict: str) -> str:
    """Return the sign for *verdict*, in ASCII where nothing else is safe."""
    fancy, plain, _ = MARKS[verdict]
    # The full screen puts something without an encoding in the output's place.
    encoding = getattr(sys.stdout, "encoding", getattr(sys.__stdout__, "encoding", ""))
    try:
        fancy.encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return plain
    return fancy


def colour(verdict: str) -> str:
    """Return the Rich style for *verdict*."""
    return MARKS[verdict][2]


def came_by_make() -> bool:
    """Whether the person typed `make` rather than `python -m workshop`."""
    return "MAKELEVEL" in os.environ


def command(
    verb: str, lesson: str = "", options: str = "", *, make: bool | None = None
) -> str:
    """Return how the person would type *verb*: by make if they used it."""
    if came_by_make() if make is None else make:
        arguments = f' ARGS="{options}"' if options else ""
        if not lesson:
            return f"make {verb}{arguments}"
        action = "" if verb == "show" else f" {verb}"
        return f"make lesson-{lesson}{action}{arguments}"
    words = ["python -m workshop", verb, lesson, options]
    return " ".join(word for word in words if word)
