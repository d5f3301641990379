"""The thread that sends a learner's events to the room."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from workshop.room.client import reports
from workshop.room.client.membership import Membership
from workshop.room.client.outbox import Outbox, Stored
from workshop.room.client.pauses import Pauses
from workshop.room.client.problems import (
    RejectedError,
    UnansweredError,
    UnknownLearnerError,
)

if TYPE_CHECKING:
    from workshop.room.client.exchange import Exchange

BATCH = 100
"""The maximum number of events in one request, as in the protocol."""

HEARTBEAT_SECONDS = 30.0
"""How often a heartbeat is sent, as in the protocol."""

CLOSE_SECONDS = 0.3


class Delivery:
    """Sends the events in *outbox*, and removes those that the room has stored.

    The thread is a daemon, so the process does not wait for it. The next process sends
    the events that are left. *changed* is called after each attempt, and *ended* if the
    room does not know the learner.

    Attributes:
        is_online: Whether the last attempt succeeded; None before the first.

    """

    def __init__(
        self,
        membership: Membership,
        outbox: Outbox,
        *,
        changed: Callable[[], None],
        ended: Callable[[], None],
        pauses: Pauses,
    ) -> None:
        self.is_online: bool | None = None
        self._membership = membership
        self._outbox = outbox
        self._changed = changed
        self._ended = ended
        self._pauses = pauses
        self._condition = threading.Condition()
        self._has_news = False
        self._in_haste = False
        self._closing = False
        self._over = False
        self._beat_at = math.inf
        self._failures = 0
        self._thread = threading.Thread(
            target=self._work, name="room delivery", daemon=True
        )

    def start(self) -> None:
        """Start to send events."""
        self._thread.start()

    def beat(self) -> None:
        """Send regular heartbeats from now on, because the learner is in watch mode."""
        with self._condition:
            self._beat_at = min(self._beat_at, time.monotonic())
            self._has_news = True
            self._condition.notify_all()

    def wake(self, *, in_haste: bool = False) -> None:
        """Check for new events. *in_haste* also ends the pause after a failure."""
        with self._condition:
            self._has_news = True
            self._in_haste = self._in_haste or in_haste
            self._condition.notify_all()

    def close(self, seconds: float = CLOSE_SECONDS) -> None:
        """Wait at most *seconds* for a last attempt to send."""
        with self._condition:
            self._closing = True
            self._condition.notify_all()
        if self._thread is not threading.current_thread():
            self._thread.join(seconds)
        self._over = True  # the thread ends after its current request

    def join(self, seconds: float) -> bool:
        """Wait until the thread ends; return whether it has."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    # Everything below runs in the thread.

    def _work(self) -> None:
        try:
            from workshop.room.client.exchange import Exchange

            with Exchange(self._membership.address) as exchange:
                self._send_all(exchange)
        except Exception:  # noqa: BLE001 -- a bug here must not disturb the learner
            self.is_online = False
        self._changed()

    def _send_all(self, exchange: Exchange) -> None:
        self._outbox.sweep()
        try_at = 0.0
        while not self._over:
            batch = self._outbox.first(BATCH)
            now = time.monotonic()
            is_due = bool(batch) or now >= self._beat_at
            if is_due and now >= try_at:
                pause = self._send(exchange, batch)
                try_at = time.monotonic() + pause
                continue
            due = try_at if is_due else max(try_at, self._beat_at)
            hurried = self._wait(due)
            if hurried is None:
                return
            if hurried:
                try_at = 0.0

    def _wait(self, until: float) -> bool | None:
        """Wait for new events, at most until the time *until*.

        Return whether to retry before the pause is over, or None to stop.
        """
        with self._condition:
            if not (self._has_news or self._in_haste):
                if self._closing:
                    return None
                seconds = until - time.monotonic()
                self._condition.wait_for(
                    lambda: self._has_news or self._in_haste or self._closing,
                    # On Windows, a wait without a timeout cannot be interrupted.
                    timeout=min(max(seconds, 0.0), 3600.0),
                )
            hurried, self._in_haste = self._in_haste, False
            self._has_news = False
            return hurried

    def _send(self, exchange: Exchange, batch: list[Stored]) -> float:
        """Send *batch*, with a heartbeat if one is due; return the pause afterwards."""
        from workshop.room.client.exchange import is_valid

        broken = [it for it in batch if not is_valid(it.report)]
        self._outbox.remove(broken)
        batch = [it for it in batch if it not in broken]
        events = [it.report for it in batch]
        beats = time.monotonic() >= self._beat_at
        if beats and len(events) < BATCH:
            events.append(reports.heartbeat())
            self._beat_at = time.monotonic() + HEARTBEAT_SECONDS
        if not events:
            return 0.0
        pause = 0.0
        try:
            exchange.send(self._membership, events)
        except UnknownLearnerError:
            self._over = True
            self._ended()
            return 0.0
        except RejectedError:
            self._outbox.remove(batch)  # they would always be rejected
            self.is_online = True
        except UnansweredError as problem:
            self._failures += 1
            self.is_online = False
            pause = self._pauses.after(self._failures, problem.seconds)
        else:
            self._outbox.remove(batch)
            self._failures = 0
            self.is_online = True
        self._changed()
        return pause
