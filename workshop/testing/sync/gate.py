"""A stand-in for a slow call of the outside world: it returns when the test says so."""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any

from workshop.testing.reporting.failures import TimeLimitExceeded
from workshop.testing.reporting.source import Held, held_here
from workshop.testing.sync.condition import Condition, on_event_loop, running_loop
from workshop.testing.sync.latch import Latch
from workshop.testing.sync.quiescence import activity, is_deadlocked
from workshop.testing.time.debugging import real_seconds
from workshop.testing.time.event_loop import WatchedLoop
from workshop.testing.time.limits import LIMIT_SECONDS

if TYPE_CHECKING:
    from workshop.testing.sync.remote_function import RemoteFunction

_gates: weakref.WeakSet[Gate] = weakref.WeakSet()

# How long the loop may stand still while a thread is at a closed gate.
_THREAD_LIMIT_SECONDS = 2 * LIMIT_SECONDS
# How soon it looks whether the event loop waits for it, how rarely at last, and how
# many looks in a row must find that.
_LOOK_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 1.0
_LOOKS = 3

_UNSET: Any = object()


class Gate:
    """Holds its callers until it is opened, and counts them.

    `await gate(…)` stands in for an `async def`, `gate.blocking(…)` for a `def`. Each
    call is counted and then waits for `open` or `fail`. Once the gate is open, calls
    return at once. At the end of every test all gates open.

    A `blocking` call on the event loop's own thread must not wait, because then nothing
    else, not even the test, would ever run again. It is recorded as `held` and returns
    at once, so that the test can say which line blocked the loop.
    """

    def __init__(self, what: str, *, result: Any = None) -> None:
        """Make a closed gate in front of *what*, for example `"the mainframe"`."""
        self.what = what
        self.calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
        self.waiting = 0
        self.cancelled = 0
        self.held: Held | None = None
        self._result = result
        self._compute: Callable[..., Any] | None = None
        self._error: BaseException | None = None
        self._remote: RemoteFunction | None = None
        self._lock = threading.Lock()
        self._condition = Condition()
        self._latch = Latch(self._condition)
        self._home = running_loop()
        _gates.add(self)

    @property
    def count(self) -> int:
        """How many calls have arrived so far, answered or not."""
        return len(self.calls)

    @property
    def is_open(self) -> bool:
        """Whether calls return at once."""
        return self._latch.is_open

    def results(self, compute: Callable[..., Any]) -> Gate:
        """Return `compute(*args, **kwargs)` from each call. Returns the gate."""
        self._compute = compute
        return self

    async def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Wait in the event loop until the gate opens, then return the result."""
        self._arrive(args, kwargs)
        try:
            await self._condition.until(self._latch.opens_for_me())
        except BaseException:
            self.cancelled += 1
            raise
        finally:
            self._leave()
        return self._answer(args, kwargs)

    def blocking(self, *args: Any, **kwargs: Any) -> Any:
        """Wait in a thread until the gate opens, then return the result.

        Raises:
            TimeLimitExceeded: if the event loop stands still for six seconds, or for
                ever because it waits for this call.

        """
        if on_event_loop() and not self._latch.opens_for_me()():
            self.held = self.held or held_here()
            self._arrive(args, kwargs)
            self._leave()
            return self._answer(args, kwargs)
        self._arrive(args, kwargs)
        try:
            if not self._opens_in_time(real_seconds(_THREAD_LIMIT_SECONDS)):
                raise TimeLimitExceeded(
                    f"Waiting for {self.what} held up everything else. "
                    "Expected: other work goes on meanwhile."
                )
        finally:
            self._leave()
        return self._answer(args, kwargs)

    async def entered(self, times: int = 1) -> None:
        """Wait until *times* calls have arrived.

        Raises:
            TimeLimitExceeded: if they have not arrived within the outer limit.

        """
        try:
            await self._condition.wait_for(lambda: self.count >= times, "")
        except TimeLimitExceeded:
            raise TimeLimitExceeded(self._missing(times)) from None

    async def entered_or_done(self, *tasks: asyncio.Future[Any]) -> bool:
        """Wait until a call has arrived, or any of *tasks* is done without one.

        Returns:
            Whether a call has arrived.

        """
        entered = asyncio.ensure_future(self.entered())
        await asyncio.wait({entered, *tasks}, return_when=asyncio.FIRST_COMPLETED)
        if not entered.cancel() and not entered.cancelled():
            entered.exception()  # retrieved, because the result says enough
        return self.count > 0

    def open(self, result: Any = _UNSET) -> None:
        """Release all callers, now and from now on. Safe in any thread."""
        if result is not _UNSET:
            self._result = result
        self._latch.open()

    def fail(self, error: BaseException) -> None:
        """Raise *error* in all callers, now and from now on. Safe in any thread."""
        self._error = error
        self.open()

    def __enter__(self) -> Gate:
        """Return the gate, which opens at the end of the block in any case."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Open the gate."""
        self.open()

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """Allow another process, such as one of a pool, to wait here too."""
        from workshop.testing.sync.remote_function import RemoteFunction

        with self._lock:
            self._remote = self._remote or RemoteFunction(self.blocking)
        return self._remote.handle

    def _opens_in_time(self, seconds: float | None) -> bool:
        """Wait in a thread; return whether the caller may pass.

        Only the seconds in which the event loop stands still count: while it turns,
        the test's own limits hold, and a busy machine needs its time.
        """
        loop, still, looks, pause = self._home, 0.0, 0, _LOOK_SECONDS
        if seconds is None or not isinstance(loop, WatchedLoop):
            return self._latch.wait(seconds)
        before = activity(loop)
        while still < seconds and looks < _LOOKS:
            if self._latch.wait(pause):
                return True
            deadlocked, now = is_deadlocked(loop), activity(loop)
            still = still + pause if now[0] == before[0] else 0
            looks = looks + 1 if deadlocked and now == before else 0
            before = now
            # Many threads that wake often would look as if they were at work.
            pause = _LOOK_SECONDS if looks else min(2 * pause, _LONGEST_PAUSE_SECONDS)
        return False

    def _arrive(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        with self._lock:
            # In this order a test in another thread sees no call that does not wait.
            self.waiting += 1
            self.calls.append((args, kwargs))
        self._condition.notify_all()

    def _leave(self) -> None:
        with self._lock:
            self.waiting -= 1

    def _answer(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if self._error is not None:
            raise self._error
        if self._compute is not None:
            return self._compute(*args, **kwargs)
        return self._result

    def _missing(self, times: int) -> str:
        if not self.count:
            found = f"The app never asked for {self.what}."
        else:
            found = f"Only {self.count} of {times} calls ever asked for {self.what}."
        return f"{found} Expected: it asks, through the function that stands for it."


def open_all_gates() -> None:
    """Release the callers of all gates, so that no thread outlives its test."""
    for gate in list(_gates):
        gate.open()


def let_go_at_gates(app: object) -> None:
    """Release the callers at every gate that wait on behalf of *app*."""
    for gate in list(_gates):
        gate._latch.let_go(app)


def first_held() -> Held | None:
    """Return the line that blocked the loop at any gate of this test."""
    return next((gate.held for gate in list(_gates) if gate.held), None)


def forget_gates() -> None:
    """Remove the gates of the previous test."""
    for gate in list(_gates):
        if gate._remote is not None:
            gate._remote.close()
    _gates.clear()
