"""Detecting that nothing can make progress any more, without a stopwatch."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from workshop.testing.reporting.failures import ENDED_IT, AppExit, Stalled
from workshop.testing.sync.quiescence import is_quiescent, threads_are_asleep
from workshop.testing.time.debugging import is_at_prompt
from workshop.testing.time.event_loop import outside_seen
from workshop.testing.time.limits import end

T = TypeVar("T")

CYCLES = 400
# Only where threads or sockets have taken part: how long they must have been silent.
SILENCE_SECONDS = 2.0
# Two looks are a millisecond apart. If they are this far apart, a debugger or a laptop
# that slept has stopped this process and its threads.
STOPPED_SECONDS = 0.5
# How many pauses they must have had if it can be seen that all of them only wait.
PAUSES = 200
# How many of them take a millisecond if, after each of the last ones, the operating
# system says too that all threads sleep. The others are only turns of the loop.
CALM_PAUSES = 15


async def until_stalled(
    awaitable: Awaitable[T],
    cycles: int = CYCLES,
    *,
    otherwise: str = "Nothing can make progress any more: each task waits for another.",
) -> T:
    """Return the result of *awaitable*, or fail if it can never come.

    For code that lives in the loop: *cycles* turns of the loop without a result mean a
    deadlock. If threads or sockets have taken part in this test, they must also have
    been silent for two seconds, or all be waiting to be woken.

    Raises:
        Stalled: with *otherwise* as its message. The awaitable is cancelled.

    """
    task = asyncio.ensure_future(awaitable)
    try:
        await wait_until_idle(lambda: None, cycles, until=task.done)
    except asyncio.CancelledError:
        await end(task)
        raise
    if not task.done():
        await end(task)
        raise Stalled(otherwise)
    try:
        return task.result()
    except SystemExit as exc:
        raise AppExit(f"app.py {ENDED_IT}.") from exc


async def when_idle(look: Callable[[], T]) -> T:
    """Return `look()` when nothing that is under way can make progress any more.

    A fact that holds at one moment may not hold later, because work that the app did
    not wait for goes on: look at once, and look again here. For example:

        assert database.out == 0
        assert await when_idle(lambda: database.out) == 0

    """
    await wait_until_idle(look)
    return look()


async def wait_until_idle(
    progress: Callable[[], object],
    cycles: int = CYCLES,
    *,
    until: Callable[[], bool] = lambda: False,
) -> None:
    """Return when *until* holds, or when *progress* has stopped changing.

    Stopped means: not for *cycles* turns of the loop and, if threads or sockets have
    ever taken part, not for two seconds either. It returns earlier if nothing outside
    of the loop can act any more; see `is_quiescent` and `threads_are_asleep`.
    """
    loop = asyncio.get_running_loop()
    seen, remaining, since = _moment(loop, progress), cycles, time.monotonic()
    pauses, calm, hasty, looked = 0, 0, True, since
    while not until():
        await asyncio.sleep(0)
        now = _moment(loop, progress)
        before, looked = looked, time.monotonic()
        if looked - before > STOPPED_SECONDS or is_at_prompt():
            since = looked
        if now != seen:
            seen, remaining, since = now, cycles, time.monotonic()
            pauses = calm = 0
        remaining -= 1
        if remaining <= 0:
            if not outside_seen(loop) or time.monotonic() - since >= SILENCE_SECONDS:
                return
            if pauses and pauses % PAUSES == 0:
                still = calm < CALM_PAUSES or threads_are_asleep()
                if still and is_quiescent(loop):
                    return
                hasty = False
            pauses += 1
            if hasty and calm >= CALM_PAUSES:
                continue  # the threads have had their time, and only wait
            # Give the processor to the threads we wait for. A timer of the loop
            # would not do: under a manual clock it never fires.
            time.sleep(0.001)  # noqa: ASYNC251 -- the pause is for other threads
            calm = calm + 1 if threads_are_asleep() else 0


def _moment(
    loop: asyncio.AbstractEventLoop, progress: Callable[[], object]
) -> tuple[int, object]:
    return outside_seen(loop), progress()
