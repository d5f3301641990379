"""What can go wrong between a learner and a room."""

from __future__ import annotations


class RoomError(Exception):
    """Joining or leaving failed. The message says why, and what to do next."""


class UnansweredError(Exception):
    """The room gave no usable response, so try again later.

    Attributes:
        how: "unreachable" if the request was not sent, "lost" if the response did not
            arrive, "garbled" if it is not one of a room, "busy" if the room said so.
        seconds: How long the room asks its clients to wait, if it does.

    """

    def __init__(self, how: str, reason: str, seconds: float | None = None) -> None:
        super().__init__(f"{how}: {reason}")
        self.how = how
        self.seconds = seconds


class UnknownLearnerError(Exception):
    """The room does not know this learner: they left, or it is a new room."""


class RejectedError(Exception):
    """The room understands the request and will never accept it."""

    def __init__(self, status: int, seconds: float | None = None) -> None:
        super().__init__(f"status {status}")
        self.status = status
        self.seconds = seconds


class NotARoomError(Exception):
    """Something else responds at the address. The message says how."""
