"""What the event loop did, as data: lanes of spans on one time scale.

The recorder creates timelines and the drawing code reads them; neither depends on the
other. All times are milliseconds since the recording began.
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
    """It runs on the event loop, for a short time."""
    BLOCKING = "blocking"
    """It runs on the event loop for so long that other lanes are delayed."""
    READY = "ready"
    """It could continue, but waits for the event loop or for a free thread."""
    AWAITING = "awaiting"
    """It awaits something, and the event loop is free for other lanes."""
    THREAD = "thread"
    """A thread does the work, and the event loop is free for other lanes."""


class Outcome(StrEnum):
    """How a lane ended."""

    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"
    UNFINISHED = "unfinished"
    """It had not ended when the recording did."""


@dataclass(frozen=True)
class Span:
    """One state of one lane from *start* to *end*.

    `label` is the code that it executes (`await fetch("venue", 1)`) and `where` is the
    location of that code (`app.py:41`). Both may be empty.
    """

    state: State
    start: float
    end: float
    label: str = ""
    where: str = ""


@dataclass(frozen=True)
class Mark:
    """A moment in a lane, such as `commit` or `response 201`."""

    at: float
    label: str


@dataclass(frozen=True)
class Lane:
    """One task, request, call or thread, with its spans in order of time.

    `depth` is 0, or one more than the depth of the lane that started this one. The
    starting lane comes earlier in the timeline. `reason` is the error of a failed lane.
    `marks` are in order of time.
    """

    name: str
    spans: tuple[Span, ...]
    depth: int = 0
    outcome: Outcome = Outcome.DONE
    reason: str = ""
    marks: tuple[Mark, ...] = ()

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
    """A whole recording.

    `notes` are sentences about what the lanes do not show. `headline` is the result
    that matters most, such as "Bob waited 300 ms"; it may be empty.

    The times of an `ordered` timeline are positions in a sequence instead of
    milliseconds. They show only what came first and what overlapped.
    """

    lanes: tuple[Lane, ...]
    duration: float
    notes: tuple[str, ...] = ()
    ordered: bool = False
    headline: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON data, which `from_json` reads."""
        return {"version": VERSION, **asdict(self)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Timeline:
        """Return the timeline from which `as_json` made *data*.

        Raises:
            ValueError: *data* has another version.
            KeyError: *data* is not a timeline.
            TypeError: *data* is not a timeline.

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
                    tuple(
                        Mark(mark["at"], mark["label"])
                        for mark in lane.get("marks", ())
                    ),
                )
                for lane in data["lanes"]
            ),
            data["duration"],
            tuple(data["notes"]),
            bool(data.get("ordered", False)),
            data.get("headline", ""),
        )
