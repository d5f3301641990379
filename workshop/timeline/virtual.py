"""Virtual time, which makes pictures identical byte for byte.

Sleeping takes no real time: if no task is ready, the clock jumps to the next timer.
Blocking is modelled: `time.sleep` advances the clock while it blocks the loop. Threads
and sockets work in real time, so they are refused unless threads are modelled too.
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

# The default number depends on the machine, but pictures must not.
_DEFAULT_THREADS = 32

# The real seconds that a modelled thread may run without sleeping.
_PATIENCE = 10.0


class VirtualTimeError(RuntimeError):
    """The code uses something that does not work in virtual time."""


def run(
    main: Callable[[], Coroutine[Any, Any, Result]],
    *,
    threads: Literal["refused", "modelled"] = "refused",
) -> Result:
    """Run `main()` in virtual time, and return what it returns.

    While it runs, `time.sleep` is `block`. Code that has imported the function `sleep`
    itself is not affected, and sleeps in real time.

    With *threads* "modelled", a function for a thread runs in a thread, but never at
    the same time as other code. It continues when its `time.sleep` ends, and only
    sleeping takes modelled time. This holds for `asyncio.to_thread`,
    `loop.run_in_executor` and `anyio.to_thread.run_sync` (and so for FastAPI's `def`
    endpoints), if it is called as an attribute. Limits on the number of threads apply
    as usual.

    Raises:
        VirtualTimeError: the code uses a thread, a socket or a process, or every task
            waits for another one.

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
    """Block the running loop, or the modelled thread, for *seconds* of its time.

    Raises:
        RuntimeError: the running loop has no virtual time.

    """
    worker = getattr(_here, "worker", None)
    if isinstance(worker, _Worker):
        worker.sleep(seconds)
        return
    loop = asyncio.get_running_loop()
    if not isinstance(loop, VirtualTimeLoop):
        raise RuntimeError(
            "block() needs a loop with virtual time, but this loop has real time. "
            "Run the code with workshop.timeline.virtual.run()."
        )
    loop.move(seconds)
    for recorder in recorders_of(loop):
        recorder.blocked(seconds, sys._getframe(1))


class _Idle(selectors.DefaultSelector):
    """A selector that never waits. It tells the loop how long it would have waited."""

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
        """Advance the clock by *seconds*."""
        # Rounding makes sums of decimal fractions independent of their order.
        self._now = round(self._now + max(seconds, 0), 9)

    def refuse(self, refusal: VirtualTimeError) -> None:
        """Raise *refusal* as soon as possible, even if the code has caught it once."""
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
                "Virtual time stands still: no task is ready and no timer is set. "
                "Either the tasks wait for each other, or the code waits for "
                "something outside the loop, such as a thread or a socket. "
                "Record such code in real time."
            )
        self.move(seconds)

    # ---- threads and other things of real time

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
        """Run *function* in a modelled thread outside of any pool."""
        worker = _Worker(self, function)
        worker.begin(self._now)
        return worker.future

    def close(self) -> None:
        """Close the loop, and end the modelled threads that are still sleeping."""
        for worker in list(self.workers):
            worker.abandon()
        super().close()


class _Abandoned(BaseException):
    """Ends a modelled thread whose loop has been closed."""


class _Worker:
    """A thread that runs only while the loop waits for it."""

    def __init__(self, loop: VirtualTimeLoop, function: Callable[[], Any]) -> None:
        self.future: asyncio.Future[Any] = loop.create_future()
        self.loop, self._function = loop, function
        self._pool: _Pool | None = None
        self._go, self._back = threading.Semaphore(0), threading.Semaphore(0)
        # Threads continue while the loop is blocked, so they have their own time. When
        # the loop runs again, its time is ahead of theirs.
        self.now = 0.0
        self._nap: float | None = None
        self._abandoned = False
        self._thread: threading.Thread | None = None
        self._result: Any = None
        self._failure: BaseException | None = None

    def begin(self, now: float, pool: _Pool | None = None) -> None:
        """Start at the time *now*, as a thread of *pool*. The loop calls this."""
        self.now, self._pool = now, pool
        self.loop.call_soon(self.go_on)

    def go_on(self) -> None:
        """Let the thread run until it sleeps or ends. The loop calls this."""
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
                f"A modelled thread neither slept nor ended for {_PATIENCE:.0f} "
                "seconds. It may be waiting for a lock, the event loop or a socket, "
                "which all stand still while it runs. Record such code in real time."
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
        """Let the loop run for *seconds*. The thread calls this."""
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
    """A pool with a limited number of modelled threads."""

    def __init__(self, most: int) -> None:
        self._free = most
        self._waiting: deque[_Worker] = deque()

    def submit(self, worker: _Worker) -> None:
        """Start *worker* as soon as a thread is free."""
        self._waiting.append(worker)
        self._begin(worker.loop.time())

    def freed(self, now: float) -> None:
        """Start the next worker after one has ended at *now*."""
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
        f"The code uses {what}, which cannot work in virtual time: the clock would "
        f"jump ahead meanwhile. Record such code in real time. {otherwise}".strip()
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
