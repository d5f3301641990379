"""What was seen while recording, before it becomes a timeline."""

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
    """A call that is shown apart from its caller."""
    ANSWER = auto()
    """What is sent to the client of a request."""
    HERE = auto()
    """The task that records, between entering and leaving the recording."""


@dataclass(slots=True)
class Slice:
    """A time without a pause in which a track ran.

    It could have begun at `ready`. Afterwards the track was `parked`; `held` is
    the place that kept it busy, where that was seen. `blocks` says that it held the
    loop for long, however short it was.
    """

    ready: float
    start: float
    end: float
    parked: tuple[CodeLocation, ...] = ()
    held: tuple[CodeLocation, ...] = ()
    blocks: bool = False


@dataclass(eq=False, slots=True)
class Track:
    """One task, request, thread or callback.

    A track is shown if it is the user's: its code is (`users`), or the user named it or
    started it (`chosen`). `queued` is set while it is ready.
    """

    name: str
    kind: Kind
    parent: Track | None
    born: float
    users: bool
    chosen: bool = False
    parked: tuple[CodeLocation, ...] = ()
    slices: list[Slice] = field(default_factory=list)
    queued: float | None = None
    ended: float | None = None
    outcome: Outcome = Outcome.UNFINISHED
    reason: str = ""
