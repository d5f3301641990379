"""Conflict markers that git leaves in a file when it cannot combine two versions.

Python reports such a file with an unhelpful error such as "invalid decimal literal".
Standard library only, because the first steps of the tool import this module, too.
"""

from __future__ import annotations

import re

_BEGIN, _BASE, _MIDDLE, _END = "<<<<<<<", "|||||||", "=======", ">>>>>>>"
# `git rebase` writes a commit and its subject after the last marker.
_REBASED = re.compile(r"[0-9a-f]{7,40} \(.*\)")

ADVICE = (
    "`python -m workshop update` keeps your version and saves a copy first; "
    "`git merge --abort` returns to the state before the merge."
)
"""Advice on conflict markers in a lesson's file."""


def first_marker(text: str) -> int | None:
    """Return the line number of the first whole conflict in *text*, if there is one.

    A whole conflict has all three markers in order, each at the start of a line. So a
    heading that is underlined with seven equals signs does not count.
    """
    begin, has_middle = None, False
    for number, line in enumerate(text.splitlines(), start=1):
        match _kind(line):
            case "<<<<<<<":
                begin, has_middle = number, False
            case "=======" if begin is not None:
                has_middle = True
            case ">>>>>>>" if begin is not None and has_middle:
                return begin
    return None


def is_marker(line: str) -> bool:
    """Return whether *line* is a conflict marker."""
    return _kind(line) != ""


def words_for(name: str, line: int) -> str:
    """Return the message about a conflict in the file *name* at *line*."""
    return (
        f"{name} has conflict markers in line {line}: git could not combine two "
        f"versions of the file and wrote both into it. {ADVICE}"
    )


def words_for_tool(problem: SyntaxError) -> str:
    """Return the message about a conflict in a file of the tool itself."""
    return (
        f"{problem.filename} has conflict markers in line {problem.lineno}: git could "
        "not combine two versions of the file. Undo the merge with `git merge --abort` "
        "(or `git rebase --abort`), then run `python -m workshop update`, which keeps "
        "your files without conflicts."
    )


def own_version(text: str) -> str:
    """Return *text* with the learner's side of each conflict.

    After `git merge` and `git pull`, that is the upper side. After `git rebase` and
    `git stash pop`, which begin with the other version, it is the lower side.
    """
    kept: list[str] = []
    upper: list[str] = []
    lower: list[str] = []
    side: list[str] | None = None  # None outside a conflict
    for line in text.splitlines(keepends=True):
        kind = _kind(line)
        if side is None:
            if kind == _BEGIN:
                side = upper
            else:
                kept.append(line)
        elif kind == _BASE:
            side = []  # the common base of both versions
        elif kind == _MIDDLE:
            side = lower
        elif kind == _END:
            kept += lower if _is_own(line) else upper
            upper, lower, side = [], [], None
        else:
            side.append(line)
    return "".join(kept)


def _is_own(end: str) -> bool:
    label = end.strip()[len(_END) :].strip()
    return label == "Stashed changes" or _REBASED.fullmatch(label) is not None


def _kind(line: str) -> str:
    """Return the marker at the start of *line*, without its label, or ""."""
    stripped = line.rstrip()
    if stripped == _MIDDLE:
        return _MIDDLE
    head, _, label = stripped.partition(" ")
    return head if label and head in (_BEGIN, _BASE, _END) else ""
