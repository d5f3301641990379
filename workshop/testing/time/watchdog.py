"""The thread that acts when a limit has passed, even if the event loop is blocked."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable


class Watchdog(threading.Thread):
    """One thread for all limits of a process: each request of a test has one.

    It takes no part in what an app does, and does not keep the process alive.
    """

    def __init__(self) -> None:
        """Make a watchdog that has not been started."""
        super().__init__(name="watchdog", daemon=True)
        self._changed = threading.Condition()
        self._numbers = itertools.count()
        self._due: list[tuple[float, int]] = []
        self._rings: dict[int, Callable[[], object]] = {}

    def call_later(self, seconds: float, ring: Callable[[], object]) -> int:
        """Call *ring* in this thread after *seconds*; return the call's number."""
        with self._changed:
            number = next(self._numbers)
            self._rings[number] = ring
            heapq.heappush(self._due, (time.monotonic() + seconds, number))
            # Usually an earlier one is waited for, and nobody need be woken.
            if self._due[0][1] == number:
                self._changed.notify()
        return number

    def cancel(self, number: int) -> None:
        """Cancel the call with this *number*, if it has not been made."""
        with self._changed:
            self._rings.pop(number, None)

    def run(self) -> None:
        """Make the calls that are due, one after another, for ever."""
        while True:
            ring = self._next()
            if ring is not None:
                ring()

    def _next(self) -> Callable[[], object] | None:
        with self._changed:
            while True:
                patience = self._due[0][0] - time.monotonic() if self._due else None
                if patience is not None and patience <= 0:
                    return self._rings.pop(heapq.heappop(self._due)[1], None)
                self._changed.wait(patience)


# Made when first needed: from Python 3.13 on, a thread object that was made before a
# fork cannot be started after it.
_keeper: Watchdog | None = None
_lock = threading.Lock()


def watchdog() -> Watchdog:
    """Return this process's watchdog, running. A forked process has its own."""
    global _keeper
    with _lock:
        if _keeper is None or not _keeper.is_alive():
            _keeper = Watchdog()
            _keeper.start()
        return _keeper
