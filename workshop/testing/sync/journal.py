"""What happened, in the order in which it happened."""

from __future__ import annotations

from workshop.testing.reporting.failures import TimeLimitExceeded
from workshop.testing.sync.condition import Condition


class Journal:
    """A list of events that any coroutine or thread may write and a test may await."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self._condition = Condition()

    def record(self, event: str) -> None:
        """Write *event* down. Safe in any thread."""
        self.events.append(event)
        self._condition.notify_all()

    def position(self, event: str) -> int:
        """Return where *event* stands for the first time, counted from 0.

        Raises:
            TimeLimitExceeded: when it is not in the journal; the words list what is.

        """
        if event not in self.events:
            raise TimeLimitExceeded(f"{event!r} never happened. What did: {self}.")
        return self.events.index(event)

    async def reached(self, event: str) -> None:
        """Wait until *event* has been recorded.

        Raises:
            TimeLimitExceeded: when it was not within the outer limit.

        """
        await self._condition.wait_for(
            lambda: event in self.events, f"{event!r} never happened."
        )

    def __contains__(self, event: object) -> bool:
        """Return whether *event* has been recorded."""
        return event in self.events

    def __str__(self) -> str:
        """Return the events in order, for a message."""
        return ", ".join(self.events) or "nothing"
