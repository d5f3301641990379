"""What an app printed, made short enough to be read."""

from __future__ import annotations

import re
from itertools import groupby

_LINES = 30
_OTHERS = 3

# The first line of what a request, or the lifespan, has raised.
_RAISED = re.compile(r"ERROR uvicorn\.error: Exception in (.+)")


def printed(text: str) -> str:
    """Return *text* with what repeats told once, and its middle left out if long."""
    return clip(folded(text))


def clip(text: str) -> str:
    """Return *text*, its middle left out when it is long."""
    lines = text.splitlines()
    if len(lines) <= _LINES:
        return "\n".join(lines)
    half = _LINES // 2
    left_out = len(lines) - 2 * half
    return "\n".join(
        [*lines[:half], f"[... {left_out} lines left out ...]", *lines[-half:]]
    )


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
