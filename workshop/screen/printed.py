"""What an app printed, made short enough to be read.

Colours (SGR) may be in the texts, each line's own: see `workshop.terminal`.
"""

from __future__ import annotations

import re
from itertools import groupby
from pathlib import Path

from workshop.screen.pages import short
from workshop.terminal.control_codes import sanitize

_LINES = 30
_CHARACTERS = 2_000
"""How much of one line is shown. A screen is about as large."""
_OTHERS = 3

# The first line of what a request, or the lifespan, has raised.
_RAISED = re.compile(r"ERROR uvicorn\.error: Exception in (.+)")


def printed(text: str, whole: Path | None = None) -> str:
    """Return *text* with what repeats told once, and its middle left out if long.

    *whole* is the file that holds all of it: it is named where something is left out.
    """
    return clip(folded(text), whole)


def clip(text: str, whole: Path | None = None) -> str:
    """Return *text*, its middle left out when it is long; *whole* is all of it."""
    where = f"; all of it: {short(whole)}" if whole else ""
    lines = [_clip_line(line, where) for line in text.splitlines()]
    if len(lines) <= _LINES:
        return "\n".join(lines)
    half = _LINES // 2
    left_out = len(lines) - 2 * half
    note = f"[... {left_out} lines left out{where} ...]"
    return "\n".join([*lines[:half], note, *lines[-half:]])


def _clip_line(line: str, where: str) -> str:
    left_out = len(line) - _CHARACTERS
    if left_out <= 0:
        return line
    # A colour may be on at the cut, or its code be cut in two.
    head = sanitize(line[:_CHARACTERS])
    return f"{head} [... {left_out} characters left out{where} ...]"


def folded(text: str) -> str:
    """Return *text* with what comes several times in a row told once.

    Errors are the same that differ only in the request that they came from.
    """
    lines = []
    for _, group in groupby(_records(text), key=_kind):
        same = list(group)
        first = same[0]
        if (len(same) - 1) * len(first) > 1:
            lines += [*first, _note(same)]
        else:
            lines += [line for record in same for line in record]
    return "\n".join(lines)


def _records(text: str) -> list[list[str]]:
    """Return the lines of *text*, each with the indented ones that follow it."""
    records: list[list[str]] = []
    for line in text.splitlines():
        if records and line[:1].isspace():
            records[-1].append(line)
        else:
            records.append([line])
    return records


def _kind(record: list[str]) -> list[str]:
    return [_RAISED.sub("", record[0]), *record[1:]] if len(record) > 1 else record


def _note(same: list[list[str]]) -> str:
    more = f"the same {len(same) - 1} times more" if len(same) > 2 else "the same again"
    found = [_RAISED.match(record[0]) for record in same]
    where = list(dict.fromkeys(match[1] for match in found if match))[1:]
    named = ", ".join(where[:_OTHERS])
    left_out = len(where) - _OTHERS
    if left_out > 0:
        named += f" and {left_out} more"
    return f"[{more}, in {named}]" if named else f"[{more}]"
