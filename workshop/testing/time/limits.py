"""The outer limit, which turns a hang into a message and decides nothing else."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from workshop.testing.reporting.failures import ENDED_IT, AppExit, TimeLimitExceeded
from workshop.testing.time.clock import ManualClockLoop
from workshop.testing.time.debugging import limits_are_lifted
from workshop.testing.time.watchdog import watchdog

T = TypeVar("T")

LIMIT_SECONDS = 3.0

# How many times the limit may pass while the app has processes of its own.
_PERIODS_WITH_PROCESSES = 4
# How many times it may pass while a test moves the clock.
_PERIODS_WITH_MOVING_CLOCK = 4

# How often a task that will not end is asked again before it is given up.
_CANCELLATIONS = 20


async def fail_after(awaitable: Awaitable[T], never: str) -> T:
    """Wait for *awaitable*, at most `LIMIT_SECONDS` of real time.

    A thread keeps the limit, not the loop, so it also holds under a clock that stands
    still. If the test has moved the clock meanwhile, the limit starts again, a few
    times at most: the app may have had much to do. In a debugger there is no limit.

    The awaitable runs in a task of its own, which is cancelled when the limit has
    passed. If it does not end then, the app's teardown handles it.

    Raises:
        TimeLimitExceeded: with *never* as its message, if the limit has passed.
        AppExit: if the awaitable raised `SystemExit`.

    """
    task = asyncio.ensure_future(awaitable)
    periods = 1
    try:
        while periods and not task.done():
            moved_to = _moved_to()
            with _deadline() as passed:
                both: set[asyncio.Future[Any]] = {task, passed}
                await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            periods = _more_periods(periods, moving=_moved_to() != moved_to)
    except asyncio.CancelledError:
        await end(task)
        raise
    if not task.done():
        await end(task)
        raise TimeLimitExceeded(never)
    try:
        return task.result()
    except SystemExit as exc:
        raise AppExit(
            f"app.py {ENDED_IT}. In production that ends the whole server."
        ) from exc


def _moved_to() -> float:
    """Return the time to which a test has moved the clock, or 0."""
    loop = asyncio.get_running_loop()
    return loop.time() if isinstance(loop, ManualClockLoop) else 0.0


def _more_periods(periods: int, *, moving: bool) -> int:
    """Return the number of the next period, or 0 if there is none.

    A process of a pool that is just starting may have to import everything first.
    """
    if moving and periods < _PERIODS_WITH_MOVING_CLOCK:
        return periods + 1
    multiprocessing = sys.modules.get("multiprocessing")
    starting = multiprocessing is not None and multiprocessing.active_children()
    return periods + 1 if starting and periods < _PERIODS_WITH_PROCESSES else 0


async def end(*tasks: asyncio.Future[Any]) -> bool:
    """Cancel *tasks*, give them some turns to end, and return whether all did.

    A task that swallows its cancellation is cancelled a few times more. One that waits
    for a thread cannot end before the thread does, so it is not awaited.
    """
    for _ in range(_CANCELLATIONS):
        left = [task for task in tasks if not task.done()]
        if not left:
            break
        for task in left:
            task.cancel()
        for _ in range(5):
            await asyncio.sleep(0)
    for task in tasks:
        if task.done() and not task.cancelled():
            task.exception()  # so that it does not count as never looked at
    return all(task.done() for task in tasks)


@contextmanager
def _deadline() -> Iterator[asyncio.Future[None]]:
    loop = asyncio.get_running_loop()
    passed: asyncio.Future[None] = loop.create_future()

    def expire() -> None:
        if limits_are_lifted():
            return
        try:
            loop.call_soon_threadsafe(_resolve, passed)
        except RuntimeError:  # the loop was closed meanwhile
            return

    number = watchdog().call_later(LIMIT_SECONDS, expire)
    try:
        yield passed
    finally:
        watchdog().cancel(number)
        passed.cancel()


def _resolve(future: asyncio.Future[None]) -> None:
    # A debugger that traces one thread can be seen from that thread alone.
    if not future.done() and not limits_are_lifted():
        future.set_result(None)
