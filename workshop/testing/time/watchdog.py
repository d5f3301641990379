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
        self._callbacks: dict[int, Callable[[], object]] = {}

    def call_later(self, seconds: float, callback: Callable[[], object]) -> int:
        """Call *callback* in this thread after *seconds*; return the call's number."""
        with self._changed:
            number = next(self._numbers)
            self._callbacks[number] = callback
            heapq.heappush(self._due, (time.monotonic() + seconds, number))
            # Usually the thread already waits for an earlier one and need not wake.
            if self._due[0][1] == number:
                self._changed.notify()
        return number

    def cancel(self, number: int) -> None:
        """Cancel the call with this *number*, if it has not been made."""
        with self._changed:
            self._callbacks.pop(number, None)

    def run(self) -> None:
        """Make the calls that are due, one after another, forever."""
        while True:
            callback = self._next()
            if callback is not None:
                callback()

    def _next(self) -> Callable[[], object] | None:
        with self._changed:
            while True:
                seconds = self._due[0][0] - time.monotonic() if self._due else None
                if seconds is not None and seconds <= 0:
                    return self._callbacks.pop(heapq.heappop(self._due)[1], None)
                self._changed.wait(seconds)


# Made when first needed: from Python 3.13 on, a thread object that was made before a
# fork cannot be started after it.
_watchdog: Watchdog | None = None
_lock = threading.Lock()


def watchdog() -> Watchdog:
    """Return this process's watchdog, running. A forked process has its own."""
    global _watchdog
    with _lock:
        if _watchdog is None or not _watchdog.is_alive():
            _watchdog = Watchdog()
            _watchdog.start()
        return _watchdog
