"""Show each command for make beside the one for Windows, which has no make."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace

from workshop.goals import translate
from workshop.site.fence import Fence

SYSTEMS = ("Linux and macOS", "Windows")
_MAKE = re.compile(r"^(?:\$ )?make ")
_PYTHON = re.compile(r"\bpython -m workshop\b")


def has_make(fence: Fence) -> bool:
    """Whether *fence* is a block of commands to type, and one of them is for make."""
    typed = fence.language in ("console", "sh")
    return typed and any(map(_MAKE.match, fence.body.splitlines()))


def windows(command: str) -> str:
    """Return the line *command* as it is typed on Windows.

    >>> windows('make lesson-04 test ARGS="--step 3"')
    'py -m workshop test 04 --step 3'

    Raises:
        UnclearGoalsError: It is for make, and make has no such goals.
    """
    line = command.removeprefix("$ ")
    if not _MAKE.match(line):
        return _PYTHON.sub("py -m workshop", line)
    _, *words = shlex.split(line)
    options = [it.removeprefix("ARGS=") for it in words if it.startswith("ARGS=")]
    goals = [it for it in words if not it.startswith("ARGS=")]
    return " ".join(["py -m workshop", *translate(goals), *options])


def _lines_for_windows(lines: list[str]) -> list[str]:
    """Return *lines* for Windows; a reference shows the line for Python already."""
    python = [it for it in lines if _PYTHON.search(it)]
    return [windows(it) for it in python or lines]


def tabs(shown: Fence) -> str:
    """Return the block *shown* as a tab, with its twin for Windows in the next."""
    lines = _lines_for_windows(shown.body.splitlines())
    twin = replace(shown, body="\n".join(lines) + "\n")
    parts = []
    for system, fence in zip(SYSTEMS, (shown, twin), strict=True):
        inside = replace(fence, margin=f"{fence.margin}    ")
        parts.append(f'{fence.margin}=== "{system}"\n\n{inside.text}\n')
    return "\n".join(parts)
