"""Detecting that nothing can make progress any more, without a stopwatch."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from workshop.private_apis.event_loop import await_events, ready_callbacks
from workshop.testing.reporting.failures import ENDED_IT, AppExit, Stalled
from workshop.testing.sync.quiescence import (
    has_timer_of_an_app,
    is_quiescent,
    threads_are_asleep,
)
from workshop.testing.time.debugging import is_at_prompt
from workshop.testing.time.event_loop import WatchedLoop, events_seen, live_threads
from workshop.testing.time.limits import end

T = TypeVar("T")

# How many turns of the loop a task may take that never waits for anything.
CYCLES = 400
# How many turns in a row nothing else was ready to run.
_QUIET_TURNS = 3
# Only where threads or sockets have taken part: how long they must have been silent.
# A timer that is due after that time is ignored.
SILENCE_SECONDS = 2.0
# Two looks are a millisecond apart. If they are this far apart, a debugger or a laptop
# that slept has stopped this process and its threads.
STOPPED_SECONDS = 0.5
_PAUSE_SECONDS = 0.001
# How many pauses in a row must end without an event if it can be seen that all threads
# only wait, ...
_PAUSES = 200
# ... if the operating system says, too, that all threads sleep, ...
_CALM_PAUSES = 6
# ... and if a server outside of this loop may still be sending more of its response.
_CALM_PAUSES_WITH_SERVERS = 50


async def until_stalled(
    awaitable: Awaitable[T],
    cycles: int = CYCLES,
    *,
    otherwise: str = "Nothing can make progress any more: each task waits for another.",
) -> T:
    """Return the result of *awaitable*, or fail if it can never come.

    It can never come if nothing in the loop is ready to run, or if *cycles* turns of
    the loop bring no result. If threads or sockets have taken part in this test, they
    must also have been silent for two seconds, or be seen to have nothing left to do.

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


async def eventually(condition: Callable[[], bool]) -> bool:
    """Wait until *condition* holds; False: nothing is left that could make it so."""
    await wait_until_idle(lambda: None, until=condition)
    return condition()


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

    Stopped means: nothing in the loop is ready to run, or what runs has gone on for
    *cycles* turns. If threads or sockets have ever taken part, they must have been
    silent for two seconds too, unless it can be seen that none of them will act; see
    `is_quiescent` and `threads_are_asleep`.
    """
    loop = asyncio.get_running_loop()
    seen, threads = _moment(loop, progress), live_threads(loop)
    looked = since = time.monotonic()
    turns, quiet, pauses, calm = 0, 0, 0, 0
    while not until():
        await asyncio.sleep(0)
        now = _moment(loop, progress)
        before, looked = looked, time.monotonic()
        if looked - before > STOPPED_SECONDS or is_at_prompt():
            since = looked
        if now != seen:
            seen, since, turns, quiet, pauses, calm = now, looked, 0, 0, 0, 0
        turns += 1
        quiet = 0 if ready_callbacks(loop) else quiet + 1
        if turns < cycles and quiet < _QUIET_TURNS:
            continue
        if threads != (threads := live_threads(loop)):
            since, turns, quiet, pauses, calm = looked, 0, 0, 0, 0
            continue
        alone = not (events_seen(loop) or threads)
        if turns < cycles and alone and has_timer_of_an_app(loop, SILENCE_SECONDS):
            continue
        if alone or looked - since >= SILENCE_SECONDS:
            return
        # A timer of the loop would not do: under a manual clock it never fires.
        await_events(loop, _PAUSE_SECONDS)
        still = is_quiescent(loop, SILENCE_SECONDS)
        pauses = pauses + 1 if still else 0
        calm = calm + 1 if still and quiet and threads_are_asleep() else 0
        enough = _CALM_PAUSES_WITH_SERVERS if _has_servers(loop) else _CALM_PAUSES
        if pauses >= _PAUSES or calm >= enough:
            return


def _moment(
    loop: asyncio.AbstractEventLoop, progress: Callable[[], object]
) -> tuple[int, object]:
    return events_seen(loop), progress()


def _has_servers(loop: asyncio.AbstractEventLoop) -> bool:
    return isinstance(loop, WatchedLoop) and bool(loop.connections)
