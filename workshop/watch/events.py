"""The events that a session sends to its listener."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workshop.grading import LessonVerdict, StepVerdict


@dataclass(frozen=True)
class Event:
    """Something that happened; `lesson` is the slug of the lesson it is about."""

    lesson: str


@dataclass(frozen=True)
class Watching(Event):
    """The file at `path` is being watched.

    If `polling`, it is read again and again, because its file system does not report
    changes; `reason` says so in a sentence, and is empty otherwise.
    """

    path: Path
    polling: bool
    reason: str


@dataclass(frozen=True)
class Started(Event):
    """Run number `run` has begun, with this number of tests."""

    run: int
    number_of_tests: int


@dataclass(frozen=True)
class Reported(Event):
    """The run reports its progress: one of grading's events, unchanged."""

    run: int
    event: dict[str, Any]


@dataclass(frozen=True)
class StepJudged(Event):
    """All tests of the current step have reported, while others still run.

    Only `Finished` counts: whether the app interfered with its tests is known then.
    """

    run: int
    step: StepVerdict


@dataclass(frozen=True)
class Finished(Event):
    """The run has its verdict, on the content with the hash `content`."""

    run: int
    verdict: LessonVerdict
    content: str


@dataclass(frozen=True)
class Ended(Event):
    """The run was ended and has no verdict; `reason` is a sentence."""

    run: int
    reason: str


@dataclass(frozen=True)
class Missing(Event):
    """There is no file at `path`; the session waits for it."""

    path: Path


@dataclass(frozen=True)
class Trouble(Event):
    """Something is wrong, which a sentence explains; the session continues."""

    text: str
