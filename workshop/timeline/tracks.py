"""What the recorder has seen so far, before it becomes a timeline."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto

from workshop.timeline.model import Outcome
from workshop.timeline.places import CodeLocation


class Kind(Enum):
    """What a track follows."""

    TASK = auto()
    REQUEST = auto()
    THREAD = auto()
    CALLBACK = auto()
    CALL = auto()
    """A call with a lane of its own, below its caller's."""
    RESPONSE = auto()
    """The messages sent to the client of a request."""
    MARKS = auto()
    """A lane that has only marks."""
    HERE = auto()
    """The task that records, from the beginning to the end of the recording."""


@dataclass(slots=True)
class Slice:
    """An uninterrupted time in which a track ran.

    It could have begun at `ready`. Afterwards the track was suspended at `parked`.
    `held` is the code that occupied the loop, if it was seen. `blocks` means that the
    slice counts as blocking, even if it was short.
    """

    ready: float
    start: float
    end: float
    parked: tuple[CodeLocation, ...] = ()
    held: tuple[CodeLocation, ...] = ()
    blocks: bool = False


@dataclass(eq=False, slots=True)
class Track:
    """One task, request, call, thread or callback.

    A track gets a lane if it belongs to the user: its code is the user's (`users`), or
    the user named it or started it (`chosen`). `queued` is the time since which it has
    been ready; None while it is not. `marks` are times and labels.
    """

    name: str
    kind: Kind
    parent: Track | None
    born: float
    users: bool
    chosen: bool = False
    parked: tuple[CodeLocation, ...] = ()
    slices: list[Slice] = field(default_factory=list)
    marks: list[tuple[float, str]] = field(default_factory=list)
    queued: float | None = None
    ended: float | None = None
    outcome: Outcome = Outcome.UNFINISHED
    reason: str = ""
