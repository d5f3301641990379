"""Shorten the output of an app so that it can be read.

The texts may contain colours (SGR), which end with their line: see `workshop.terminal`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from workshop.screen.pages import short
from workshop.terminal.control_codes import sanitize

OUTPUT_LINES = 30
"""How many lines of an app's output are shown."""

_CHARACTERS = 2_000
"""How much of a line is shown, about one screen."""
_OTHERS = 3

# The first line of an exception raised by a request or the lifespan.
_RAISED = re.compile(r"ERROR uvicorn\.error: Exception in (.+)")


def printed(text: str, whole: Path | None = None, limit: int = OUTPUT_LINES) -> str:
    """Return *text* with repetitions folded, and its middle omitted if it is long.

    It has *limit* lines at most, and a note about what was omitted. *whole* is the file
    with the full text; the note names it.
    """
    return clip(folded(text), whole, limit)


def clip(text: str, whole: Path | None = None, limit: int = OUTPUT_LINES) -> str:
    """Return *text* in *limit* lines and a note about its middle, which is omitted.

    *whole* is the file with the full text; the note names it.
    """
    where = f"; all of it: {short(whole)}" if whole else ""
    lines = [_clip_line(line, where) for line in text.splitlines()]
    if len(lines) <= limit:
        return "\n".join(lines)
    half = limit // 2
    left_out = len(lines) - 2 * half
    note = f"[... {left_out} lines left out{where} ...]"
    return "\n".join([*lines[:half], note, *lines[-half:]])


def _clip_line(line: str, where: str) -> str:
    left_out = len(line) - _CHARACTERS
    if left_out <= 0:
        return line
    # A colour may be active at the cut, or its code may be cut in two.
    head = sanitize(line[:_CHARACTERS])
    return f"{head} [... {left_out} characters left out{where} ...]"


def folded(text: str) -> str:
    """Return *text* with consecutive repetitions folded into one.

    Errors are the same if they differ only in the request that raised them.
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


def without_exceptions(text: str, raised: Iterable[str]) -> str:
    """Return *text* without the records about exceptions that are in *raised*.

    *raised* has them as `NameError: …`, perhaps followed by their place in parentheses.
    """
    known = tuple(raised)
    return "\n".join(
        line
        for record in _records(text)
        if not (
            _RAISED.match(record[0])
            and any(it.startswith(record[-1].strip()) for it in known)
        )
        for line in record
    )


def _records(text: str) -> list[list[str]]:
    """Return the lines of *text*, each grouped with the indented lines after it."""
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
