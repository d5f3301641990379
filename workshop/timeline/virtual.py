"""Virtual time, for pictures that are the same byte for byte.

Sleeping costs nothing here: if no task is ready, the clock jumps to the next timer.
Blocking is modelled: `time.sleep` moves the clock while it holds the loop. Threads and
sockets live in real time, so they are refused, unless threads are modelled too.
"""

from __future__ import annotations

import asyncio
import functools
import selectors
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from contextvars import copy_context
from typing import Any, Literal, NoReturn, TypeVar

from workshop.private_apis.event_loop import threads_of
from workshop.timeline.recording import recorders_of

Result = TypeVar("Result")

# Whatever the machine: pictures shall not depend on it.
_DEFAULT_THREADS = 32

# Real seconds that a modelled thread may take for what takes no modelled time.
_PATIENCE = 10.0


class VirtualTimeError(RuntimeError):
    """Something took part that does not live in virtual time."""


def run(
    main: Callable[[], Coroutine[Any, Any, Result]],
    *,
    threads: Literal["refused", "modelled"] = "refused",
) -> Result:
    """Run `main()` in virtual time, and return what it returns.

    While it runs, `time.sleep` is `block`. Code that has imported `sleep` itself is not
    seen, and sleeps for real.

    With *threads* "modelled", a function for a thread runs in one, but never at the
    same time as anything else: it continues whenever its `time.sleep` is over, and only
    such sleeping takes (modelled) time. This holds for `anyio.to_thread.run_sync` (so
    for FastAPI's `def` endpoints) if it is called as an attribute, for
    `loop.run_in_executor` and for `asyncio.to_thread`. Limits on the number of threads
    count as always.

    Raises:
        VirtualTimeError: if a thread, a socket or a process takes part, or if every
            task waits for another one.

    """
    with ExitStack() as patches:
        runner = patches.enter_context(asyncio.Runner(loop_factory=VirtualTimeLoop))
        loop = runner.get_loop()
        assert isinstance(loop, VirtualTimeLoop), "we made it"
        loop.threads = threads
        patches.enter_context(_sleeping_blocks())
        if threads == "modelled":
            patches.enter_context(_anyio_modelled())
        result = runner.run(main())
        loop.check()
        return result


def block(seconds: float) -> None:
    """Hold the running loop, or the modelled thread, for *seconds* of its time.

    Raises:
        RuntimeError: outside of virtual time.

    """
    worker = getattr(_here, "worker", None)
    if isinstance(worker, _Worker):
        worker.sleep(seconds)
        return
    loop = asyncio.get_running_loop()
    if not isinstance(loop, VirtualTimeLoop):
        raise RuntimeError(
            "block() holds a loop of virtual time, and this is a real one. "
            "Run the code with workshop.timeline.virtual.run()."
        )
    loop.move(seconds)
    for recorder in recorders_of(loop):
        recorder.blocked(seconds, sys._getframe(1))


class _Idle(selectors.DefaultSelector):
    """Never waits: tells the loop how long it would have waited."""

    def __init__(self) -> None:
        super().__init__()
        self.waited: Callable[[float | None], None] = lambda seconds: None

    def select(
        self, timeout: float | None = None
    ) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(0)
        if not events and (timeout is None or timeout > 0):
            self.waited(timeout)
        return events


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """A loop whose clock jumps to the next timer when nothing is ready."""

    threads: Literal["refused", "modelled"] = "refused"

    def __init__(self) -> None:
        """Start at 0."""
        self._now = 0.0
        self._refusal: VirtualTimeError | None = None
        self._home = threading.get_ident()
        self.workers: set[_Worker] = set()
        self._pools: dict[int, _Pool] = {}
        idle = _Idle()
        idle.waited = self._wait
        super().__init__(idle)

    def time(self) -> float:
        """Return the virtual time in seconds; in a modelled thread, its own."""
        worker = getattr(_here, "worker", None)
        return worker.now if isinstance(worker, _Worker) else self._now

    def move(self, seconds: float) -> None:
        """Let *seconds* pass at once."""
        # Sums of decimal fractions shall not depend on their order.
        self._now = round(self._now + max(seconds, 0), 9)

    def refuse(self, refusal: VirtualTimeError) -> None:
        """Raise *refusal* as soon as the loop can, even if it was swallowed once."""
        self._refusal = refusal

    def check(self) -> None:
        """Raise a refusal that could not be raised where it happened."""
        if self._refusal is not None:
            refusal, self._refusal = self._refusal, None
            raise refusal

    def _wait(self, seconds: float | None) -> None:
        self.check()
        if seconds is None:
            raise VirtualTimeError(
                "Virtual time stands still: nothing is ready and no timer is set. "
                "Either everybody waits for each other, or the code waits for "
                "something outside the loop, such as a thread or a socket. "
                "Record such code in real time."
            )
        self.move(seconds)

    # ---- what does not live in virtual time

    def call_soon_threadsafe(  # type: ignore[override]  # passed on as they are
        self, callback: Callable[..., object], *args: Any, **options: Any
    ) -> asyncio.Handle:
        """Queue *callback*, but refuse calls from threads of real time."""
        if threading.get_ident() != self._home and not hasattr(_here, "worker"):
            self.refuse(_refusal(f"the thread {threading.current_thread().name!r}"))
        return super().call_soon_threadsafe(callback, *args, **options)

    def run_in_executor(  # type: ignore[override]  # passed on as they are
        self, executor: Any, function: Callable[..., Result], *args: Any
    ) -> asyncio.Future[Result]:
        """Run *function* in a modelled thread."""
        if self.threads == "refused":
            raise _refusal("a thread", 'Or say run(…, threads="modelled").')
        if executor is not None and not isinstance(executor, ThreadPoolExecutor):
            raise _refusal("another process")
        most = _DEFAULT_THREADS if executor is None else threads_of(executor)
        pool = self._pools.setdefault(id(executor), _Pool(most))
        worker = _Worker(self, functools.partial(function, *args))
        pool.submit(worker)
        return worker.future

    def work(self, function: Callable[[], Result]) -> asyncio.Future[Result]:
        """Run *function* in a modelled thread of no pool."""
        worker = _Worker(self, function)
        worker.begin(self._now)
        return worker.future

    def close(self) -> None:
        """Close the loop, and end modelled threads that still sleep."""
        for worker in list(self.workers):
            worker.abandon()
        super().close()


class _Abandoned(BaseException):
    """Ends a modelled thread whose loop is no more."""


class _Worker:
    """A thread that runs only while the loop waits for it."""

    def __init__(self, loop: VirtualTimeLoop, function: Callable[[], Any]) -> None:
        self.future: asyncio.Future[Any] = loop.create_future()
        self.loop, self._function = loop, function
        self._pool: _Pool | None = None
        self._go, self._back = threading.Semaphore(0), threading.Semaphore(0)
        # A blocked loop does not keep threads from going on, so they have a time of
        # their own. When the loop looks again, it is ahead of them.
        self.now = 0.0
        self._nap: float | None = None
        self._abandoned = False
        self._thread: threading.Thread | None = None
        self._result: Any = None
        self._failure: BaseException | None = None

    def begin(self, now: float, pool: _Pool | None = None) -> None:
        """Begin at the time *now*, in a place of *pool*. For the loop."""
        self.now, self._pool = now, pool
        self.loop.call_soon(self.go_on)

    def go_on(self) -> None:
        """Let the thread run until it sleeps or ends. For the loop."""
        if self._thread is None:
            if self.future.cancelled():
                self._leave()
                return
            self.loop.workers.add(self)
            self._thread = threading.Thread(
                target=self._run, name="modelled thread", daemon=True
            )
            self._thread.start()
        else:
            self._go.release()
        if not self._back.acquire(timeout=_PATIENCE):
            self._failure = VirtualTimeError(
                f"A modelled thread did nothing for {_PATIENCE:.0f} seconds. It "
                "waits for a lock, for the event loop or for the outside, which "
                "all stand still while it runs. Record such code in real time."
            )
            self.loop.refuse(self._failure)
        if self._nap is not None:
            self.now = round(self.now + self._nap, 9)
            self._nap = None
            self.loop.call_at(self.now, self.go_on)
            return
        self._leave()
        if self.future.cancelled():
            return
        if self._failure is None:
            self.future.set_result(self._result)
        else:
            self.future.set_exception(self._failure)

    def _leave(self) -> None:
        self.loop.workers.discard(self)
        if self._pool is not None:
            self._pool.freed(self.now)

    def sleep(self, seconds: float) -> None:
        """Give way to the loop for *seconds*. For the thread."""
        self._nap = max(seconds, 0)
        self._back.release()
        self._go.acquire()
        if self._abandoned:
            raise _Abandoned

    def abandon(self) -> None:
        """End the thread where it sleeps."""
        self._abandoned = True
        self._go.release()
        if self._thread is not None:
            self._thread.join(_PATIENCE)

    def _run(self) -> None:
        _here.worker = self
        try:
            self._result = self._function()
        except BaseException as failure:  # noqa: BLE001 -- raised where it is awaited
            self._failure = failure
        finally:
            self._back.release()


class _Pool:
    """So many modelled threads and no more."""

    def __init__(self, most: int) -> None:
        self._free = most
        self._waiting: deque[_Worker] = deque()

    def submit(self, worker: _Worker) -> None:
        """Let *worker* begin as soon as a thread is free."""
        self._waiting.append(worker)
        self._begin(worker.loop.time())

    def freed(self, now: float) -> None:
        """Let the next worker begin in the place of one that ended at *now*."""
        self._free += 1
        self._begin(now)

    def _begin(self, now: float) -> None:
        while self._free and self._waiting:
            worker = self._waiting.popleft()
            if not worker.future.done():
                self._free -= 1
                worker.begin(now, self)


def _refusal(what: str, otherwise: str = "") -> VirtualTimeError:
    return VirtualTimeError(
        f"In virtual time {what} took part, which needs real time: the clock would "
        f"jump ahead while it works. Record such code in real time. {otherwise}".strip()
    )


def _refusing(what: str) -> Callable[..., NoReturn]:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise _refusal(what)

    return refuse


_HARMLESS = ("create_task", "create_future")
for _name in dir(asyncio.AbstractEventLoop):
    if _name.startswith(("sock_", "create_", "connect_", "add_reader", "add_writer")):
        if _name not in vars(VirtualTimeLoop) and _name not in _HARMLESS:
            setattr(VirtualTimeLoop, _name, _refusing("a socket"))
    elif _name.startswith("subprocess_"):
        setattr(VirtualTimeLoop, _name, _refusing("another process"))


@contextmanager
def _sleeping_blocks() -> Iterator[None]:
    real = time.sleep

    @functools.wraps(real)
    def sleep(seconds: float, /) -> None:
        try:
            virtual = isinstance(asyncio.get_running_loop(), VirtualTimeLoop)
        except RuntimeError:
            virtual = hasattr(_here, "worker")
        if virtual:
            block(seconds)
        else:
            real(seconds)

    time.sleep = sleep  # type: ignore[assignment]  # its parameter may be an index
    try:
        yield
    finally:
        time.sleep = real


@contextmanager
def _anyio_modelled() -> Iterator[None]:
    """Let `anyio.to_thread.run_sync` use modelled threads, with anyio's limits."""
    try:
        import anyio
        import anyio.to_thread
    except ImportError:
        yield
        return
    to_thread: Any = anyio.to_thread
    real = to_thread.run_sync

    @functools.wraps(real)
    async def run_sync(
        function: Callable[..., Any],
        *args: Any,
        abandon_on_cancel: bool = False,
        cancellable: bool | None = None,
        limiter: anyio.CapacityLimiter | None = None,
    ) -> Any:
        loop = asyncio.get_running_loop()
        if not isinstance(loop, VirtualTimeLoop):
            return await real(
                function, *args, abandon_on_cancel=abandon_on_cancel, limiter=limiter
            )
        await asyncio.sleep(0)
        async with limiter or anyio.to_thread.current_default_thread_limiter():
            leaves = abandon_on_cancel if cancellable is None else cancellable
            with anyio.CancelScope(shield=not leaves):
                context = copy_context()
                return await loop.work(functools.partial(context.run, function, *args))

    to_thread.run_sync = run_sync
    try:
        yield
    finally:
        to_thread.run_sync = real


_here = threading.local()
