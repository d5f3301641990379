"""Move progress to another machine or another clone."""

from __future__ import annotations

import copy
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
    """Nothing was written or imported; the message says why."""


@dataclass(frozen=True)
class Brought:
    """What an import adds: the newly passed steps by lesson.

    `other` is True if records of hints, shown steps or solutions changed.
    """

    passed: dict[str, list[int]]
    other: bool

    @property
    def is_empty(self) -> bool:
        """Whether the import added nothing."""
        return not self.passed and not self.other


def write_export(state: State, file: Path) -> None:
    """Write *state* to *file*, which must be new or an earlier export.

    Raises:
        TransferError: The file was not written.
    """
    try:
        # Keep a link; its target is replaced.
        file = file.resolve()
        if file.exists():
            try:
                read_export(file)
            except TransferError:
                raise TransferError(
                    f"{file} exists already and is not a progress export, so it was "
                    "not overwritten. Choose another name."
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
            f"{file} is not a progress export. Your progress is unchanged. "
            "Export it with `python -m workshop progress export FILE`."
        ) from None
    return state


def bring(state: State, other: State, *, of_anyone: bool) -> Brought | None:
    """Merge *other* into *state*, or return None if it may be another learner's.

    With *of_anyone* it is merged in any case. Progress that adds nothing is never
    refused, because it changes nothing.
    """
    known = bool(state.learners & other.learners)
    if not (known or of_anyone) and state.has_progress():
        brought = merge(copy.deepcopy(state), other)
        return brought if brought.is_empty else None
    state.learners |= other.learners
    return merge(state, other)


def merge(state: State, other: State) -> Brought:
    """Add the progress in *other* to *state*, which never loses a step.

    If a step passed on both sides, the earlier time counts. A step that passed on one
    side without being shown does not count as shown. What *state* knows about the
    file's present content is kept, because the other file is not here.
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
        for step, count in theirs.hints.items():
            mine.hints[step] = max(count, mine.hints.get(step, 0))
        seen = [time for time in (mine.solution_seen, theirs.solution_seen) if time]
        mine.solution_seen = min(seen, default="")
        differs |= before != (mine.hints, mine.shown, mine.solution_seen)
    return Brought(passed, differs)


def _merge_shown(mine: LessonRecord, theirs: LessonRecord) -> None:
    """Merge the shown steps. Call it before the passed steps are merged."""
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
    """Raise `ValueError` for values that the workshop would not have written."""
    if not _SLUG.fullmatch(slug):
        raise ValueError(slug)
    for step in (*record.passed, *record.shown, *record.hints):
        if not 1 <= step <= 99:
            raise ValueError(step)
    if not all(0 <= count <= 99 for count in record.hints.values()):
        raise ValueError(slug)
    times = (*record.passed.values(), *record.shown.values())
    for time in (*times, *filter(None, [record.solution_seen])):
        if datetime.fromisoformat(time).tzinfo is None:
            raise ValueError(time)
