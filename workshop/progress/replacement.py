"""Replace the learner's `app.py`, and undo that.

The learner's files are copied first. `undo` reverts every replacement, including an
undo, so nothing is ever lost.
"""

from __future__ import annotations

import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from workshop import files
from workshop.lesson import Lesson
from workshop.progress.record import LessonRecord
from workshop.progress.snapshots import Snapshot, Snapshots
from workshop.progress.store import Store, content_hash_of

Verb = Literal["reset", "catch-up", "undo"]


class ReplacementError(Exception):
    """Nothing was changed; the message says why and what to do."""


@dataclass(frozen=True)
class Replacement:
    """What happened to a lesson's `app.py`.

    Attributes:
        changed: False if the file already had the wanted content.
        kept: Where the learner's files are now; None if there was no `app.py`, or
            nothing changed.
        step: The step that the file is for (reset, catch-up).
        back_to: The snapshot that was restored (undo).
    """

    lesson: Lesson
    verb: Verb
    changed: bool
    kept: Snapshot | None = None
    step: int | None = None
    back_to: Snapshot | None = None


def reset(lesson: Lesson, store: Store, snapshots: Snapshots) -> Replacement:
    """Replace `app.py` with the starter.

    Raises:
        ReplacementError: Nothing was changed. So for the functions below.
    """
    return _start_at(1, "reset", lesson, store, snapshots)


def catch_up(
    lesson: Lesson, step: int, store: Store, snapshots: Snapshots
) -> Replacement:
    """Replace `app.py` with the solution up to the step before *step*.

    Raises:
        LessonError: The lesson has no such step.
    """
    return _start_at(step, "catch-up", lesson, store, snapshots)


def undo(
    lesson: Lesson, store: Store, snapshots: Snapshots, number: int | None = None
) -> Replacement:
    """Restore `app.py` as it was before the last replacement.

    *number* selects the snapshot with this number. Without one, snapshots equal to the
    current files are skipped: after an update that kept the file as it was, the last
    replacement is the one before.
    """
    with files.one_at_a_time(_lock(snapshots)):
        there = snapshots.of(lesson.slug)
        wanted = [it for it in there if number in (None, it.number)]
        if not wanted:
            raise ReplacementError(
                f"There is no state {number} of lesson {lesson.number} to go back to."
                if there
                else f"Lesson {lesson.number} has nothing to undo: "
                "its app.py was never replaced."
            )
        back_to = wanted[0] if number is not None else _last_other(lesson, wanted)
        content = _read(back_to.app_file)
        changed, kept = _replace(lesson, content, "undo", store, snapshots)
        if changed:
            standing = back_to.standing
            store.update(lambda state: state.of(lesson.slug).restore(standing))
    return Replacement(lesson, "undo", changed, kept, back_to=back_to)


def _last_other(lesson: Lesson, snapshots: Sequence[Snapshot]) -> Snapshot:
    """Return the first of *snapshots* that differs from `app.py`, or the first."""
    there = _read(lesson.app_file) if lesson.app_file.exists() else None
    others = (it for it in snapshots if _read(it.app_file) != there)
    return next(others, snapshots[0])


def _start_at(
    step: int, verb: Verb, lesson: Lesson, store: Store, snapshots: Snapshots
) -> Replacement:
    content = _read(lesson.state_file(step - 1))
    with files.one_at_a_time(_lock(snapshots)):
        changed, kept = _replace(lesson, content, verb, store, snapshots)

        def note(record: LessonRecord) -> None:
            record.start_at(step, content_hash_of(content))

        store.update(lambda state: note(state.of(lesson.slug)))
    return Replacement(lesson, verb, changed, kept, step=step)


def _replace(
    lesson: Lesson, content: bytes, verb: Verb, store: Store, snapshots: Snapshots
) -> tuple[bool, Snapshot | None]:
    """Copy the learner's files, then write *content* to `app.py`."""
    file = lesson.app_file
    why_not = obstacle(file)
    if why_not:
        raise ReplacementError(f"{why_not} Nothing was changed.")
    there = _read(file) if file.exists() else None
    if there == content:
        return False, None
    kept = None
    mode = 0o644
    try:
        if there is not None:
            mode = stat.S_IMODE(file.stat().st_mode)
            standing = store.load().of(lesson.slug).standing()
            kept = snapshots.take(lesson.folder, there, verb, standing)
            if file.read_bytes() != there:
                raise ReplacementError(
                    f"{file} was saved in the meantime. Nothing was changed. "
                    "Run the command again."
                )
        files.replace(file, content, mode)
    except OSError as problem:
        raise ReplacementError(
            f"{file} was not replaced: {files.reason(problem)}. Your file is as it "
            "was. Is the disk full, or the folder write-protected?"
        ) from None
    return True, kept


def obstacle(file: Path) -> str:
    """Return why *file* must not be replaced, as a sentence; "" if it may be."""
    try:
        mode = file.lstat().st_mode
    except OSError:
        return ""  # it is missing, so nothing can be lost
    if stat.S_ISLNK(mode):
        return (
            f"{file} is a link to {file.readlink()}, which may not belong to the "
            "lesson. Replace the link with a file, then try again."
        )
    if not stat.S_ISREG(mode):
        return f"{file} is not a file. Move it away, then try again."
    if not mode & stat.S_IWUSR:
        return f"{file} is write-protected. Make it writable, then try again."
    return ""


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ReplacementError(
            f"{path} is missing. It was probably moved or deleted. Nothing was changed."
        ) from None
    except OSError as problem:
        raise ReplacementError(
            f"{path} cannot be read: {files.reason(problem)}. Nothing was changed."
        ) from None


def _lock(snapshots: Snapshots) -> Path:
    return snapshots.root.with_suffix(".lock")
