"""The status of a learner's connection to a room."""

from __future__ import annotations

from dataclasses import dataclass

from workshop.room.client.membership import Membership


@dataclass(frozen=True)
class RoomStatus:
    """Which room the learner has joined, and whether it responds.

    Attributes:
        membership: The learner's membership; None if they have not joined a room.
        online: Whether the room responded to the last request; None before the first.
        waiting: The number of events that the room has not confirmed yet.
        ended: Whether the room has rejected the learner's token.

    """

    membership: Membership | None = None
    online: bool | None = None
    waiting: int = 0
    ended: bool = False

    @property
    def words(self) -> str:
        """The status in a few words; empty if the learner has not joined.

        >>> from workshop.room.client.membership import Membership
        >>> ann = Membership("http://192.168.0.7:8080", "1", "secret", "Ann")
        >>> RoomStatus(ann, online=False, waiting=3).words
        'room: offline, 3 events waiting'
        """
        if self.membership is None:
            return "room: ended, j joins again" if self.ended else ""
        word = {None: "connecting", True: "connected", False: "offline"}[self.online]
        if not self.waiting or self.online is not False:
            return f"room: {word}"
        events = "event" if self.waiting == 1 else "events"
        return f"room: {word}, {self.waiting} {events} waiting"
