"""Take progress along to another machine, or to another clone."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from workshop import files
from workshop.progress.record import VERSION, LessonRecord, State, from_json, to_json

_SLUG = re.compile(r"\d\d_[a-z0-9_]+")
_BYTES = 5_000_000


class TransferError(Exception):
    """Nothing was written or taken over; the message says why."""


@dataclass(frozen=True)
class Brought:
    """What an import adds: the newly passed steps by lesson, and what else.

    `other` tells whether hints, shown steps or looks at our solution are
    remembered differently now.
    """

    passed: dict[str, list[int]]
    other: bool

    @property
    def is_empty(self) -> bool:
        """Whether all of it was known before."""
        return not self.passed and not self.other


def write_export(state: State, file: Path) -> None:
    """Write *state* to *file*; replace nothing but an earlier export.

    Raises `TransferError`.
    """
    try:
        # A link stays one: what is behind it is replaced.
        file = file.resolve()
        if file.exists():
            try:
                read_export(file)
            except TransferError:
                raise TransferError(
                    f"{file} is there already, and is no progress that was exported. "
                    "It is left alone; choose another name."
                ) from None
        text = json.dumps(to_json(state), indent=2) + "\n"
        files.replace(file, text.encode(), 0o644)
    except (OSError, RuntimeError) as problem:  # the latter: links in a circle
        raise TransferError(
            f"Progress could not be written to {file}: {files.reason(problem)}."
        ) from None


def read_export(file: Path) -> State:
    """Return the state in *file*; raise `TransferError` if there is none."""
    try:
        with file.open("rb") as stream:
            content = stream.read(_BYTES)
    except OSError as problem:
        raise TransferError(
            f"{file} cannot be read: {files.reason(problem)}."
        ) from None
    try:
        data = json.loads(content.decode("utf-8-sig"))
        if isinstance(data["version"], int) and data["version"] > VERSION:
            raise TransferError(
                f"{file} was written by a newer version of the workshop. "
                "Update this checkout, then import it again."
            )
        state = from_json(data)
        for slug, record in state.lessons.items():
            _check(slug, record)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise TransferError(
            f"{file} holds no progress that was exported. "
            "Your progress is as it was before."
        ) from None
    return state


def merge(state: State, other: State) -> Brought:
    """Add what *other* remembers to *state*, which never loses a step by it.

    Of two times of a first pass the earlier one counts. A step that passed
    on one side without being shown is not a shown one. What *state* knows of
    the file as it stands is left alone: the other file is not here.
    """
    passed: dict[str, list[int]] = {}
    differs = False
    for slug, theirs in other.lessons.items():
        mine = state.of(slug)
        before = (dict(mine.hints), dict(mine.shown), mine.solution_seen)
        new = sorted(theirs.passed.keys() - mine.passed.keys())
        if new:
            passed[slug] = new
        _merge_shown(mine, theirs)
        mine.passed = _earlier(mine.passed, theirs.passed)
        for step, rungs in theirs.hints.items():
            mine.hints[step] = max(rungs, mine.hints.get(step, 0))
        seen = [time for time in (mine.solution_seen, theirs.solution_seen) if time]
        mine.solution_seen = min(seen, default="")
        differs |= before != (mine.hints, mine.shown, mine.solution_seen)
    return Brought(passed, differs)


def _merge_shown(mine: LessonRecord, theirs: LessonRecord) -> None:
    """Merge the shown steps; to be called before the passed ones are."""
    alone = {step for step in mine.passed if step not in mine.shown}
    alone |= {step for step in theirs.passed if step not in theirs.shown}
    both = _earlier(mine.shown, theirs.shown)
    mine.shown = {step: time for step, time in both.items() if step not in alone}
    mine.again &= mine.shown.keys()


def _earlier(some: dict[int, str], others: dict[int, str]) -> dict[int, str]:
    steps = sorted(some.keys() | others.keys())
    return {
        step: min(times[step] for times in (some, others) if step in times)
        for step in steps
    }


def _check(slug: str, record: LessonRecord) -> None:
    """Raise ValueError for what only a slip or a stranger could have written."""
    if not _SLUG.fullmatch(slug):
        raise ValueError(slug)
    for step in (*record.passed, *record.shown, *record.hints):
        if not 1 <= step <= 99:
            raise ValueError(step)
    if not all(0 <= rungs <= 99 for rungs in record.hints.values()):
        raise ValueError(slug)
    times = (*record.passed.values(), *record.shown.values())
    for time in (*times, *filter(None, [record.solution_seen])):
        if datetime.fromisoformat(time).tzinfo is None:
            raise ValueError(time)
