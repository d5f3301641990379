"""Conflict markers that git leaves in a file when it cannot combine two versions.

Python reports a file with markers as "invalid decimal literal" or the like, which
helps nobody. Standard library only: the tool's first steps import this, too.
"""

from __future__ import annotations

import re

_BEGIN, _BASE, _MIDDLE, _END = "<<<<<<<", "|||||||", "=======", ">>>>>>>"
# What `git rebase` writes behind the last marker: a commit and its subject.
_REBASED = re.compile(r"[0-9a-f]{7,40} \(.*\)")

ADVICE = (
    "`python -m workshop update` keeps your version and saves a copy first; "
    "`git merge --abort` goes back to before the merge."
)
"""What a learner can do about markers in a file of a lesson."""


def first_marker(text: str) -> int | None:
    """Return the line number of the first whole conflict in *text*, if there is one.

    A conflict is whole with its three markers, in order, each at the start of a line:
    a heading underlined with seven signs is none.
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
    """Whether *line* is a marker, perhaps the only one that is left of a conflict."""
    return _kind(line) != ""


def words_for(name: str, line: int) -> str:
    """Say that the file *name* has a conflict at *line*, and what to do."""
    return (
        f"{name} has conflict markers in line {line}: git could not combine two "
        f"versions of the file and wrote both into it. {ADVICE}"
    )


def words_for_tool(problem: SyntaxError) -> str:
    """Say that a file of the tool itself has a conflict, so that it cannot run."""
    return (
        f"{problem.filename} has conflict markers in line {problem.lineno}: git could "
        "not combine two versions of the file. `git merge --abort` (or `git rebase "
        "--abort`) goes back to before; then `python -m workshop update` does it "
        "without conflicts."
    )


def own_version(text: str) -> str:
    """Return *text* with the learner's side of each conflict.

    That is the upper side after `git merge` and `git pull`, and the lower side after
    `git rebase` and `git stash pop`, which begin with the other version.
    """
    kept: list[str] = []
    upper: list[str] = []
    lower: list[str] = []
    side: list[str] | None = None  # None is outside of a conflict
    for line in text.splitlines(keepends=True):
        kind = _kind(line)
        if side is None:
            if kind == _BEGIN:
                side = upper
            else:
                kept.append(line)
        elif kind == _BASE:
            side = []  # what both versions were made from
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
    """Return which marker *line* is, without its label; "" if it is none."""
    stripped = line.rstrip()
    if stripped == _MIDDLE:
        return _MIDDLE
    head, _, label = stripped.partition(" ")
    return head if label and head in (_BEGIN, _BASE, _END) else ""
