"""Events in the order in which they happened."""

from __future__ import annotations

from workshop.testing.reporting.failures import TimeLimitExceeded
from workshop.testing.sync.condition import Condition


class Journal:
    """A list of events that any coroutine or thread can write and a test can await."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self._condition = Condition()

    def record(self, event: str) -> None:
        """Append *event*. Safe in any thread."""
        self.events.append(event)
        self._condition.notify_all()

    def position(self, event: str) -> int:
        """Return the position of the first *event*, counted from 0.

        Raises:
            TimeLimitExceeded: if it is not there; the message lists the events.

        """
        if event not in self.events:
            raise TimeLimitExceeded(f"{event!r} never happened. What did: {self}.")
        return self.events.index(event)

    async def reached(self, event: str) -> None:
        """Wait until *event* has been recorded.

        Raises:
            TimeLimitExceeded: if it was not recorded within the outer limit.

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
