"""What the event loop did, as data: lanes of spans on one time scale.

Recording makes it, drawing reads it; neither knows of the other.
All times are milliseconds since the recording began.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

VERSION = 1
"""Raised when the JSON form changes in a way that older readers misread."""


class State(StrEnum):
    """What a task or a thread is doing in a span."""

    RUNNING = "running"
    """It holds the event loop, for a short time."""
    BLOCKING = "blocking"
    """It holds the event loop for so long that others notice."""
    READY = "ready"
    """It could go on, and waits for its turn on the loop."""
    AWAITING = "awaiting"
    """It waits for something, and the loop is free for others."""
    THREAD = "thread"
    """A thread does the work; the loop is free for others."""


class Outcome(StrEnum):
    """How a lane ended."""

    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"
    UNFINISHED = "unfinished"
    """It was still there when the recording ended."""


@dataclass(frozen=True)
class Span:
    """One state of one lane from *start* to *end*.

    `label` is the code it is at (`await fetch("venue", 1)`) and `where` the
    place of that code (`app.py:41`); both may be empty.
    """

    state: State
    start: float
    end: float
    label: str = ""
    where: str = ""


@dataclass(frozen=True)
class Lane:
    """One task, request or thread, with its spans in order of time.

    `depth` is 0, or one more than that of the lane that started this one,
    which stands somewhere above it. `reason` says of a failed lane with what.
    """

    name: str
    spans: tuple[Span, ...]
    depth: int = 0
    outcome: Outcome = Outcome.DONE
    reason: str = ""

    @property
    def start(self) -> float:
        """When its first span begins; 0 without spans."""
        return self.spans[0].start if self.spans else 0.0

    @property
    def end(self) -> float:
        """When its last span ends; 0 without spans."""
        return self.spans[-1].end if self.spans else 0.0


@dataclass(frozen=True)
class Timeline:
    """A whole recording. `notes` are sentences about what cannot be seen in it.

    Of an `ordered` one the times only say what came before what, and what went on
    at the same time: they count beginnings and ends instead of milliseconds.
    """

    lanes: tuple[Lane, ...]
    duration: float
    notes: tuple[str, ...] = ()
    ordered: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON data, which `from_json` reads."""
        return {"version": VERSION, **asdict(self)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Timeline:
        """Return the timeline that `as_json` made *data* of.

        Raises ValueError, TypeError or KeyError for anything else.
        """
        if data["version"] != VERSION:
            raise ValueError(f"a timeline of version {data['version']}, not {VERSION}")
        return cls(
            tuple(
                Lane(
                    lane["name"],
                    tuple(
                        Span(
                            State(span["state"]),
                            span["start"],
                            span["end"],
                            span["label"],
                            span["where"],
                        )
                        for span in lane["spans"]
                    ),
                    lane["depth"],
                    Outcome(lane["outcome"]),
                    lane["reason"],
                )
                for lane in data["lanes"]
            ),
            data["duration"],
            tuple(data["notes"]),
            bool(data.get("ordered", False)),
        )
