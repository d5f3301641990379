"""The records of the room's log."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4


@dataclass(frozen=True)
class Draft:
    """A record that has not been stored yet.

    Attributes:
        kind: What happened. The kinds of learners' events are those of the protocol;
            in addition there are `joined` and `left`, and the instructor's `focus`,
            `message`, `poll`, `poll_closed`, `poll_removed`, `claim`, `answered` and
            `timer`.
        at: When it happened, by the clock of the learner or of the server.
        actor: The learner, or None for the instructor.
        data: The fields of this kind, as JSON.
        id: Unique together with the actor.

    """

    kind: str
    at: datetime
    actor: UUID | None = None
    data: dict[str, Any] = field(default_factory=dict)
    id: UUID = field(default_factory=uuid4)


@dataclass(frozen=True)
class Record(Draft):
    """A stored record.

    Attributes:
        seq: Its sequence number in the log. Numbers increase, with gaps.
        received: When the server stored it, by the server's clock.

    """

    seq: int = 0
    received: datetime = datetime.min
