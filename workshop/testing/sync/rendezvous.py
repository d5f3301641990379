"""Proof that calls overlap: a barrier that opens only when all of them are waiting."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import weakref
from collections.abc import Callable
from typing import Any

from workshop.testing.reporting.failures import TimeLimitExceeded
from workshop.testing.reporting.source import Held, held_here
from workshop.testing.sync.condition import Condition, on_event_loop, running_loop
from workshop.testing.sync.idle import wait_until_idle
from workshop.testing.sync.latch import Latch
from workshop.testing.time.debugging import real_seconds
from workshop.testing.time.event_loop import WatchedLoop
from workshop.testing.time.limits import LIMIT_SECONDS, fail_after

_meetings: weakref.WeakSet[Rendezvous] = weakref.WeakSet()


class Rendezvous:
    """Holds its callers until *parties* of them are in flight at the same time.

    Use it as an async stand-in, or `rendezvous.blocking` as a sync one. Once they have
    met, calls return at once. If no further calls can come because nothing makes
    progress any more, all callers are released. A test of code that makes one call
    after another then ends, and `most` says how many calls were in flight together.

    Callers may come from other threads, with event loops of their own. Only the test's
    loop decides whether progress is possible, because any other one sees only itself.
    """

    def __init__(self, parties: int, what: str, *, result: Any = None) -> None:
        """Wait for *parties* calls of *what*, for example `"venue calls"`."""
        self.parties = parties
        self.what = what
        self.most = 0
        self.count = 0
        self.waiting = 0
        self.held: Held | None = None
        self._result = result
        self._compute: Callable[..., Any] | None = None
        self._lock = threading.Lock()
        self._condition = Condition()
        self._latch = Latch(self._condition)
        self._home = _tests_loop()
        self._watcher: asyncio.Task[None] | None = None
        _meetings.add(self)

    def results(self, compute: Callable[..., Any]) -> Rendezvous:
        """Return `compute(*args, **kwargs)` from each call. Returns the rendezvous."""
        self._compute = compute
        return self

    async def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Wait in the event loop until all have arrived, then return the result."""
        self._arrive()
        try:
            passes = self._latch.opens_for_me()
            if not passes():
                self._watch()
                if self._home is running_loop():
                    await self._condition.until(passes)
                else:
                    await self._wait_elsewhere(passes)
        finally:
            self._leave()
        return self._answer(args, kwargs)

    def blocking(self, *args: Any, **kwargs: Any) -> Any:
        """Wait in a thread until all have arrived, then return the result.

        On the event loop's thread no other call could ever arrive: the call is recorded
        as `held`, and all callers are released.
        """
        self._arrive()
        try:
            if on_event_loop() and not self._latch.opens_for_me()():
                self.held = self.held or held_here()
                self.release()
            elif not self._latch.wait(real_seconds(LIMIT_SECONDS)):
                self.release()
        finally:
            self._leave()
        return self._answer(args, kwargs)

    async def met(self) -> None:
        """Wait until all callers have met.

        Raises:
            TimeLimitExceeded: if they never did; the message says how many did.

        """
        if not self._latch.is_open:
            self._watch()
        try:
            await self._condition.wait_for(lambda: self._latch.is_open, "")
        except TimeLimitExceeded:
            self.release()
        if self.most < self.parties:
            raise TimeLimitExceeded(
                f"Only {self.most} of {self.parties} {self.what} were ever in flight "
                "together."
            )

    def release(self) -> None:
        """Release all callers, now and from now on. Safe in any thread."""
        self._latch.open()

    def _watch(self) -> None:
        """Make the test's loop release all callers once nothing makes progress."""
        self._home = home = self._home or _tests_loop()
        if home is None or home is running_loop():
            self._begin_to_watch()
        else:
            home.call_soon_threadsafe(self._begin_to_watch)

    def _begin_to_watch(self) -> None:
        if self._watcher is None and self._home is not None:
            # A context of its own: the task belongs to the test, not to the caller.
            self._watcher = self._home.create_task(
                self._release_when_stalled(), context=contextvars.Context()
            )

    async def _release_when_stalled(self) -> None:
        await wait_until_idle(lambda: self.count, until=lambda: self._latch.is_open)
        self.release()

    async def _wait_elsewhere(self, passes: Callable[[], bool]) -> None:
        """Wait in another loop than the test's, which may be blocked meanwhile."""
        try:
            await fail_after(self._condition.until(passes), "")
        except TimeLimitExceeded:
            self.release()

    def _arrive(self) -> None:
        with self._lock:
            self.count += 1
            self.waiting += 1
            self.most = max(self.most, self.waiting)
        if self.waiting >= self.parties:
            self.release()
        self._condition.notify_all()

    def _leave(self) -> None:
        with self._lock:
            self.waiting -= 1

    def _answer(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return self._compute(*args, **kwargs) if self._compute else self._result


def _tests_loop() -> WatchedLoop | None:
    """Return the loop that runs here if it is one that tests run on."""
    loop = running_loop()
    return loop if isinstance(loop, WatchedLoop) else None


def let_go_at_meetings(app: object) -> None:
    """Release the callers at every rendezvous that wait on behalf of *app*."""
    for meeting in list(_meetings):
        meeting._latch.let_go(app)


def release_all_meetings() -> None:
    """Release the callers of all rendezvous, so that no thread outlives its test."""
    for meeting in list(_meetings):
        meeting.release()


def forget_meetings() -> None:
    """Remove the rendezvous of the previous test."""
    _meetings.clear()


def first_held_meeting() -> Held | None:
    """Return the line that blocked the loop at any rendezvous of this test."""
    return next((each.held for each in list(_meetings) if each.held), None)
