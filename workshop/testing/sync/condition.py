"""Waking a waiting test, from the event loop or from any thread."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable

from workshop.testing.time.event_loop import WatchedLoop
from workshop.testing.time.limits import fail_after


class Condition:
    """A condition that the event loop can wait on and any thread can notify."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[asyncio.Future[None]] = []

    def notify_all(self) -> None:
        """Wake every waiter. Safe in any thread, even after the loop has closed."""
        with self._lock:
            waiting, self._waiting = self._waiting, []
        for future in waiting:
            loop = future.get_loop()
            if loop.is_closed():
                continue
            if running_loop() is loop:
                _wake(future)
            else:
                # Another thread's loop may close just now. Then nothing waits there.
                with contextlib.suppress(RuntimeError):
                    loop.call_soon_threadsafe(_wake, future)

    async def until(self, true: Callable[[], bool]) -> None:
        """Wait until *true* holds. There is no limit here; see `wait_for`."""
        while not true():
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            with self._lock:
                self._waiting.append(future)
            if not true():  # it may have become true just before we joined the list
                await future

    async def wait_for(self, true: Callable[[], bool], never: str) -> None:
        """Wait until *true* holds, within the outer limit.

        Raises:
            TimeLimitExceeded: with *never* as its words.

        """
        if not true():
            await fail_after(self.until(true), never)


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def running_loop() -> asyncio.AbstractEventLoop | None:
    """Return the loop that runs in this thread, if one does."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def on_event_loop() -> bool:
    """Return whether the caller runs on the test's event loop and so blocks it.

    A thread that runs a loop of its own blocks only itself.
    """
    loop = running_loop()
    if loop is None:
        return False
    in_main_thread = threading.current_thread() is threading.main_thread()
    return in_main_thread or isinstance(loop, WatchedLoop)
