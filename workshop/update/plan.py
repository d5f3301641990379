"""Decide what an update does to each file, without touching any.

A file has up to four versions: the course's version at the last update (the base), the
learner's committed version, the version on the disk, and the course's new version.
Learners own `lessons/*/app.py`; all other files belong to the course.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from typing import NamedTuple

_APP = re.compile(r"lessons/(?P<slug>[^/]+)/app\.py")
_LESSON = re.compile(r"lessons/(?P<slug>[^/]+)/.+")


class Entry(NamedTuple):
    """One file as git stores it: its mode and the hash of its content."""

    mode: str
    blob: str


Tree = Mapping[str, Entry]

MISSING = Entry("", "missing")
"""A committed file that was deleted from the disk."""

SPECIAL = Entry("", "special")
"""A link, folder or the like on the disk where a file is expected."""

Merge = Callable[[str, str, str], str | None]
"""Merge two versions of a base into a new blob; None if they conflict."""


@dataclass
class Plan:
    """What an update does.

    Attributes:
        tree: The changes to the committed tree.
        writes: The files to write to the disk.
        deletes: The files to delete from the disk.
        kept: Lessons whose `app.py` stays as the learner left it.
        new_starters: Those of `kept` whose starter has changed.
        retired: Lessons removed from the course whose `app.py` the learner had edited.
        replaced: Other files of the learner's that the course's version replaces.
        conflicts: Files for which the learner has to choose a version.
        obstacles: Paths blocked by something that is not a file.

    """

    tree: dict[str, Entry | None] = field(default_factory=dict)
    writes: dict[str, Entry] = field(default_factory=dict)
    deletes: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    new_starters: list[str] = field(default_factory=list)
    retired: list[str] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)
    obstacles: list[str] = field(default_factory=list)


def lesson_of(path: str) -> str:
    """Return the lesson that *path* belongs to; "" if it belongs to none."""
    match = _LESSON.fullmatch(path)
    return match["slug"] if match else ""


def is_app(path: str) -> bool:
    """Whether *path* is the file that learners edit."""
    return _APP.fullmatch(path) is not None


def changed(before: Tree, after: Tree) -> list[str]:
    """Return the paths that differ between two trees, sorted."""
    return sorted(
        path
        for path in before.keys() | after.keys()
        if before.get(path) != after.get(path)
    )


def decide(
    base: Tree,
    committed: Tree,
    course: Tree,
    disk: Mapping[str, Entry],
    merge: Merge,
    *,
    overwrite: bool = False,
) -> Plan:
    """Return what happens to every file when *course* replaces *base*.

    *disk* has the files that differ from their committed version, including untracked
    ones that are in the way. With *overwrite*, conflicts are resolved in favour of the
    course.
    """
    plan = Plan()
    for path in changed(base, course):
        now = disk.get(path, committed.get(path, MISSING))
        if now == SPECIAL and not (is_app(path) and path in course):
            plan.obstacles.append(path)
        elif is_app(path):
            _decide_app(plan, path, base, committed, course, now)
        else:
            _decide_other(plan, path, base, committed, course, now, merge, overwrite)
    for path in sorted(disk.keys() | changed(base, committed)):
        now = disk.get(path, committed.get(path, MISSING))
        given = (MISSING, base.get(path), course.get(path))
        if is_app(path) and path in course and now not in given:
            plan.kept.append(lesson_of(path))
    plan.new_starters = [
        slug
        for slug in plan.kept
        if (path := f"lessons/{slug}/app.py") in base and base[path] != course[path]
    ]
    return plan


def _decide_app(
    plan: Plan, path: str, base: Tree, committed: Tree, course: Tree, now: Entry
) -> None:
    new, old, own = course.get(path), base.get(path), committed.get(path)
    if new is None:
        # The lesson was removed or renamed; do not leave half of it behind.
        if own is not None:
            plan.tree[path] = None
        if now != MISSING:
            plan.deletes.append(path)
            if now != old:
                plan.retired.append(lesson_of(path))
        return
    if own == old:
        plan.tree[path] = new
    if now in (MISSING, old):
        # Nothing here is the learner's work, unless it was committed.
        wanted = new if own in (old, None) else own
        if now != wanted:
            plan.writes[path] = wanted


def _decide_other(
    plan: Plan,
    path: str,
    base: Tree,
    committed: Tree,
    course: Tree,
    now: Entry,
    merge: Merge,
    overwrite: bool,
) -> None:
    new, old, own = course.get(path), base.get(path), committed.get(path)
    wins = overwrite or bool(lesson_of(path))
    result, is_clean = _combine(old, own, new, merge)
    if not is_clean and not wins:
        plan.conflicts.append(path)
        return
    if result != own:
        plan.tree[path] = result
    mine = None if now == MISSING else now
    if mine == result:
        return
    if mine in (own, None):
        on_disk = result
        if not is_clean and mine is not None:
            plan.replaced.append(path)
    else:
        on_disk, fits = _combine(own, mine, result, merge)
        if not fits:
            if not wins and own is not None:
                plan.conflicts.append(path)
                return
            plan.replaced.append(path)
    if on_disk is None:
        plan.deletes.append(path)
    elif on_disk != mine:
        plan.writes[path] = on_disk


def _combine(
    old: Entry | None, own: Entry | None, new: Entry | None, merge: Merge
) -> tuple[Entry | None, bool]:
    """Return *new* merged with the changes from *old* to *own*, and whether it worked.

    After a conflict, the result is *new* alone.
    """
    if own in (old, new):
        return new, True
    if new == old:
        return own, True
    if own is None:
        return new, True  # a deleted file comes back when the course changes it
    if old is None or new is None or old.mode != new.mode:
        return new, False
    blob = merge(old.blob, own.blob, new.blob)
    return (new, False) if blob is None else (Entry(new.mode, blob), True)


def entries_to_restage(
    staged: Mapping[str, Entry], plan: Plan, course: Tree
) -> dict[str, Entry]:
    """Return the *staged* entries that remain staged in the updated checkout."""
    touched: Set[str] = plan.tree.keys() | plan.writes.keys() | set(plan.deletes)
    return {
        path: entry
        for path, entry in staged.items()
        if course.get(path) != entry and (is_app(path) or path not in touched)
    }
