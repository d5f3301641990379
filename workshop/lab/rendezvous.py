"""Proof that calls overlap: a place that opens only when all of them are there."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import weakref
from collections.abc import Callable
from typing import Any

from workshop.lab.bell import Bell, on_event_loop
from workshop.lab.failures import Never
from workshop.lab.limit import LIMIT_SECONDS
from workshop.lab.source import Held, held_here
from workshop.lab.stall import quiet

_meetings: weakref.WeakSet[Rendezvous] = weakref.WeakSet()


class Rendezvous:
    """Holds its callers until *parties* of them are in flight at the same time.

    Use it as an async stand-in, or ``rendezvous.blocking`` as a sync one. Once they
    have met, callers pass at once. When the others do not come and nobody can make
    progress any more, everyone is let go, so that a test of code that calls one after
    another ends, with ``most`` telling how many came together.
    """

    def __init__(self, parties: int, what: str, *, result: Any = None) -> None:
        """Wait for *parties* calls of *what*, for example ``"venue calls"``."""
        self.parties = parties
        self.what = what
        self.most = 0
        self.count = 0
        self.waiting = 0
        self.held: Held | None = None
        self._result = result
        self._compute: Callable[..., Any] | None = None
        self._released = threading.Event()
        self._lock = threading.Lock()
        self._bell = Bell()
        self._watcher: asyncio.Task[None] | None = None
        _meetings.add(self)

    def results(self, compute: Callable[..., Any]) -> Rendezvous:
        """Answer each call with ``compute(*args, **kwargs)``. Returns itself."""
        self._compute = compute
        return self

    async def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Wait in the event loop until all have come, then answer."""
        self._arrive()
        try:
            if not self._released.is_set():
                self._watch()
                await self._bell.until(self._released.is_set)
        finally:
            self._leave()
        return self._answer(args, kwargs)

    def blocking(self, *args: Any, **kwargs: Any) -> Any:
        """Wait in a thread until all have come, then answer.

        On the event loop's thread nobody else could ever come: it is recorded as
        ``held``, and everyone is let go.
        """
        self._arrive()
        try:
            if on_event_loop() and not self._released.is_set():
                self.held = self.held or held_here()
                self.release()
            elif not self._released.wait(LIMIT_SECONDS):
                self.release()
        finally:
            self._leave()
        return self._answer(args, kwargs)

    async def met(self) -> None:
        """Wait until all have come together.

        Raises:
            AssertionError: when they never did, saying how many did.

        """
        if not self._released.is_set():
            self._watch()
        try:
            await self._bell.hears(self._released.is_set, "")
        except Never:
            self.release()
        if self.most < self.parties:
            raise Never(
                f"Only {self.most} of {self.parties} {self.what} were ever in flight "
                "together."
            )

    def release(self) -> None:
        """Let everyone through, now and from now on. Safe in any thread."""
        self._released.set()
        self._bell.ring()

    def _watch(self) -> None:
        if self._watcher is None:
            # A context of its own: this task belongs to the test, whoever came first.
            self._watcher = asyncio.get_running_loop().create_task(
                self._release_when_stalled(), context=contextvars.Context()
            )

    async def _release_when_stalled(self) -> None:
        await quiet(lambda: self.count, until=self._released.is_set)
        self.release()

    def _arrive(self) -> None:
        with self._lock:
            self.count += 1
            self.waiting += 1
            self.most = max(self.most, self.waiting)
        if self.waiting >= self.parties:
            self.release()
        self._bell.ring()

    def _leave(self) -> None:
        with self._lock:
            self.waiting -= 1

    def _answer(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return self._compute(*args, **kwargs) if self._compute else self._result


def release_all_meetings() -> None:
    """Let everyone go who still waits at a rendezvous."""
    for meeting in list(_meetings):
        meeting.release()


def forget_meetings() -> None:
    """Forget the meetings of the test that is over."""
    _meetings.clear()


def first_held_meeting() -> Held | None:
    """Return the line that held the loop at any rendezvous of this test."""
    return next((each.held for each in list(_meetings) if each.held), None)
