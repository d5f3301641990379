"""A learner's side of the room.

`Participation` is what the actions use. Everything that waits for the network runs in
threads of its own, so the room never delays a verdict. pydantic and httpx2 are imported
there, and only after the learner has joined.
"""

from workshop.room.client.address import Invitation, InvitationError, invitation
from workshop.room.client.membership import Membership
from workshop.room.client.participation import Participation
from workshop.room.client.problems import RoomError
from workshop.room.client.status import RoomStatus

__all__ = [
    "Invitation",
    "InvitationError",
    "Membership",
    "Participation",
    "RoomError",
    "RoomStatus",
    "invitation",
]
