"""The errors of a learner's connection to a room."""

from __future__ import annotations


class RoomError(Exception):
    """Joining or leaving failed. The message says why and what to do next."""


class UnansweredError(Exception):
    """The room sent no usable response, so retry later.

    Attributes:
        how: "unreachable" if the request was not sent, "lost" if no response arrived,
            "garbled" if the response is not a room's, "busy" if the room is overloaded.
        seconds: The room's `Retry-After`, if it sent one.

    """

    def __init__(self, how: str, reason: str, seconds: float | None = None) -> None:
        super().__init__(f"{how}: {reason}")
        self.how = how
        self.seconds = seconds


class UnknownLearnerError(Exception):
    """The room has no such learner: they have left, or it is a new room."""


class RejectedError(Exception):
    """The room understands the request but will never accept it."""

    def __init__(self, status: int, seconds: float | None = None) -> None:
        super().__init__(f"status {status}")
        self.status = status
        self.seconds = seconds


class NotARoomError(Exception):
    """Another program responds at the address. The message says how."""
