"""A clock that stands still until the test moves it.

A clock that jumps to the next timer whenever the loop is idle is wrong as soon as a
thread or a socket takes part: it sees no work in the loop, and times out work that is
in progress elsewhere. Here time moves only when the test says so, and real threads and
sockets take the real time they need.
"""

from __future__ import annotations

import asyncio
import heapq
import selectors
from collections.abc import Callable
from typing import Any

from workshop.testing.time.event_loop import WatchedLoop, settle

# The loop does not start at 0, so that a time is never false in a condition.
START = 1_000.0

# How many turns of the loop the consequences of one timer may take.
_CYCLES = 30
_MOST_TIMERS = 10_000


class _PatientSelector(selectors.DefaultSelector):
    """Waits for files and threads, but never until a timer is due."""

    def select(
        self, timeout: float | None = None
    ) -> list[tuple[selectors.SelectorKey, int]]:
        due = timeout is not None and timeout <= 0
        return super().select(0 if due else None)


class ManualClockLoop(WatchedLoop, asyncio.SelectorEventLoop):
    """A loop whose time is a number that only `Clock.advance` changes.

    Attributes:
        scheduled: how many callbacks have been made ready to run. A task that waits
            for the loop's next turn adds one in each turn.

    """

    def __init__(self) -> None:
        """Start at `START`."""
        self.scheduled = 0
        self._now = START
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        super().__init__(_PatientSelector())

    def time(self) -> float:
        """Return the loop's time."""
        return self._now

    def call_soon(  # type: ignore[override]  # passed on as they are
        self, *args: Any, **options: Any
    ) -> asyncio.Handle:
        """Count a callback that runs in the next turn."""
        self.scheduled += 1
        return super().call_soon(*args, **options)

    def call_at(  # type: ignore[override]  # passed on as they are
        self, when: float, callback: Callable[..., object], *args: Any, **options: Any
    ) -> asyncio.TimerHandle:
        """Make a timer and remember when it is due."""
        handle = super().call_at(when, callback, *args, **options)
        heapq.heappush(self._timers, (when, id(handle), handle))
        return handle

    def next_timer(self) -> float | None:
        """Return when the next timer that has not been cancelled is due."""
        while self._timers:
            when, _, handle = self._timers[0]
            if when > self._now and not handle.cancelled():
                return when
            heapq.heappop(self._timers)
        return None

    def move_to(self, when: float) -> None:
        """Set the clock forward; what is due runs in the loop's next turn."""
        self._now = max(self._now, when)


class Clock:
    """Moves the time of the running loop."""

    @property
    def now(self) -> float:
        """Seconds since the test began, as far as the clock was moved."""
        return _loop().time() - START

    async def advance(self, seconds: float) -> None:
        """Let *seconds* pass, and fire every timer that is due meanwhile, in order.

        After each timer the loop gets some turns, so that a task that was woken can
        act, and perhaps set the next timer, before time goes on. Work in threads is not
        awaited: if it has to be over first, wait for a gate or a journal.

        Raises:
            AssertionError: if timers follow each other without time passing.

        """
        loop = _loop()
        target = loop.time() + seconds
        await settle(_CYCLES)
        for _ in range(_MOST_TIMERS):
            when = loop.next_timer()
            if when is None or when > target:
                break
            loop.move_to(when)
            await settle(_CYCLES)
        else:
            raise AssertionError(
                f"{_MOST_TIMERS} timers went off within {seconds} seconds. "
                "Something sleeps for next to nothing, again and again."
            )
        loop.move_to(target)
        await settle(_CYCLES)

    def jump(self, seconds: float) -> None:
        """Let *seconds* pass at once: every timer that is due by then is late."""
        loop = _loop()
        loop.move_to(loop.time() + seconds)


def _loop() -> ManualClockLoop:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, ManualClockLoop), "the `clock` fixture sets up its loop"
    return loop
