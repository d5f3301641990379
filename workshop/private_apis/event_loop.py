"""What asyncio keeps private: the turn of a loop, timers, tasks and readers."""

from __future__ import annotations

import asyncio
import selectors
import time
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from types import FrameType
from typing import Any, TypeVar

AnyHandle = TypeVar("AnyHandle", bound=asyncio.Handle)


class ObservedLoop(asyncio.BaseEventLoop):
    """Counts turns and I/O events, and asks before `SystemExit` stops the loop.

    Mix it into a real loop, in front of it. It replaces two methods that asyncio calls
    in every turn of the loop, rather than adding calls of its own.

    Attributes:
        outside: how often something outside of the loop has taken part.
        last_read: by file descriptor, what `outside` was when data last came from it.
        turns: how often the loop has looked for events and run what was ready.

    """

    outside = 0
    turns = 0

    def __init__(self, *args: Any) -> None:
        """Make the loop that this is mixed into, with *args*."""
        self.last_read: dict[int, int] = {}
        super().__init__(*args)

    def stops_for(self, error: BaseException) -> bool:
        """Return whether *error*, raised by a task or a callback, stops the loop."""
        return True

    def _process_events(self, event_list: list[Any]) -> None:
        # Each response of a server counts, not only the first connection to it.
        for event in event_list:
            self.outside += 1
            # On Windows it is the future of an operation, of which no more is known.
            if isinstance(event, tuple) and event[1] & selectors.EVENT_READ:
                self.last_read[event[0].fd] = self.outside
        super()._process_events(event_list)  # type: ignore[misc]  # not in typeshed

    def _run_once(self) -> None:
        # asyncio lets SystemExit and KeyboardInterrupt of any task or callback leave
        # run_forever(). What is ready stays ready, so the loop can go on.
        self.turns += 1
        try:
            super()._run_once()  # type: ignore[misc]  # not in typeshed
        except (SystemExit, KeyboardInterrupt) as error:
            if self.stops_for(error):
                raise


def ready_callbacks(loop: asyncio.AbstractEventLoop) -> int:
    """Return how many callbacks *loop* will run before it looks for events again.

    The callback that asks does not count. So 0 means that everything else waits for a
    timer, a thread or a connection.
    """
    return len(loop._ready)  # type: ignore[attr-defined]


def await_events(loop: asyncio.AbstractEventLoop, seconds: float) -> None:
    """Block this thread until *loop* has an event to process, or for *seconds*.

    Nothing of the loop runs meanwhile. Where the system cannot look at events without
    taking them, which is so on Windows, it just lets the seconds pass.
    """
    selector = getattr(loop, "_selector", None)
    if isinstance(selector, selectors.DefaultSelector):
        # Not a method of a subclass, which may have an idea of time of its own.
        selectors.DefaultSelector.select(selector, seconds)
    else:
        time.sleep(seconds)


def timers_of(loop: asyncio.AbstractEventLoop) -> list[asyncio.TimerHandle]:
    """Return the timers of *loop* that have not been cancelled."""
    timers: list[asyncio.TimerHandle] = getattr(loop, "_scheduled", [])
    return [timer for timer in timers if not timer.cancelled()]


def waits_for_others(frame: FrameType) -> bool:
    """Return whether an event loop waits in *frame* until another thread calls it.

    It has no callback that is ready, no timer and no connection. *frame* is the
    innermost one of the loop's thread. False also means: unknown.
    """
    turn = frame.f_back
    if (
        turn is None
        or turn.f_code is not asyncio.BaseEventLoop._run_once.__code__  # type: ignore[attr-defined]  # not in typeshed
        or frame.f_code.co_filename != selectors.__file__
    ):
        return False
    loop = turn.f_locals.get("self")
    selector = getattr(loop, "_selector", None)
    if not isinstance(selector, selectors.BaseSelector):
        return False
    # The loop has looked for timers before it began to wait: `timeout` says what it
    # found. What was given to it since then is ready. Its only file is the one with
    # which other threads wake it.
    return (
        turn.f_locals.get("timeout", 0) is None
        and not loop._ready  # type: ignore[union-attr]  # private
        and len(selector.get_map() or ()) == 1
    )


def context_of(handle: asyncio.Handle) -> Context:
    """Return the context in which *handle* will run its callback."""
    context: Context = handle._context  # type: ignore[attr-defined]
    # Python 3.12 has `get_context()`, 3.11 has only the attribute.
    return context


def without_caller(handle: AnyHandle) -> AnyHandle:
    """Return *handle* without the innermost frame of where it was made.

    Only a loop in debug mode keeps those frames.
    """
    made = getattr(handle, "_source_traceback", None)
    if made:
        del made[-1]
    return handle


def forget_task(task: asyncio.Task[Any]) -> None:
    """Make *task*, which refuses to end, unknown to its loop, which can then be closed.

    Closing a loop with `asyncio.Runner` waits for every task that asyncio knows of.
    """
    asyncio._unregister_task(task)
    task._log_destroy_pending = False  # type: ignore[attr-defined]


def has_lost_its_wakeup(task: asyncio.Task[Any]) -> bool:
    """Return whether *task* still waits for a future that is done.

    Call it when the loop has nothing to do. Then the future was set in another thread,
    by a call that failed before it could tell the loop.
    """
    awaited = getattr(task, "_fut_waiter", None)
    return isinstance(awaited, asyncio.Future) and awaited.done()


def error_of(task: asyncio.Task[Any]) -> BaseException | None:
    """Return the exception of a finished *task* without marking it as retrieved.

    `Task.exception` would silence "Task exception was never retrieved".
    """
    return task._exception


class PulledReader(asyncio.StreamReader):
    """A stream reader without a transport: it fetches data when somebody reads."""

    async def pull(self) -> None:
        """Call `feed_data` or `feed_eof`."""
        raise NotImplementedError

    async def _wait_for_data(self, func_name: str) -> None:
        await self.pull()


def threads_of(executor: ThreadPoolExecutor) -> int:
    """Return how many threads *executor* may have."""
    return executor._max_workers
