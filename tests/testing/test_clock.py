"""The clock that a test moves by hand."""

import asyncio
import time

import httpx2
import pytest

from workshop.testing import (
    Clock,
    Database,
    Gate,
    Journal,
    RunningApp,
    exchange,
    settle,
    time_follows_loop,
)
from workshop.testing.time.clock import ManualClockLoop

APP = '''
import asyncio
import os
import time
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from fastapi.sse import EventSourceResponse
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

app = FastAPI()


async def venue():
    """The outside world."""


def archive():
    """The outside world, slow."""


@app.get("/times")
async def times():
    return [time.time(), time.monotonic()]


@app.get("/quote")
async def quote():
    try:
        async with asyncio.timeout(3):
            return await venue()
    except TimeoutError:
        return "too late"


@app.get("/export")
async def export():
    async with asyncio.timeout(3):
        return await asyncio.to_thread(archive)


@app.get("/rows")
async def rows():
    engine = create_async_engine(os.environ["DATABASE_URL"])
    async with asyncio.timeout(0.000_001):
        async with engine.connect() as connection:
            found = [await connection.scalar(text(f"SELECT {n}")) for n in range(20)]
    await engine.dispose()
    return found


@app.get("/board", response_class=EventSourceResponse)
async def board():
    await asyncio.Event().wait()
    yield "sold"
'''


async def test_time_stands_still_until_it_is_advanced(clock: Clock) -> None:
    sleeping = asyncio.create_task(asyncio.sleep(0.001))
    await settle(500)

    assert (sleeping.done(), clock.now) == (False, 0)
    await clock.advance(0.001)
    assert sleeping.done()
    assert clock.now == pytest.approx(0.001)


async def test_a_task_that_acts_in_the_background_is_seen(clock: Clock) -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, ManualClockLoop)

    async def scheduled_meanwhile() -> int:
        before = loop.scheduled
        await asyncio.sleep(0)
        return loop.scheduled - before

    alone = await scheduled_meanwhile()
    acting = asyncio.create_task(settle(5))
    with_another = await scheduled_meanwhile()
    await acting

    assert (alone, with_another) == (1, 2)


async def test_timers_fire_in_order_each_at_its_own_time(clock: Clock) -> None:
    journal = Journal()

    async def tick(name: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        journal.record(f"{name} {clock.now:g}")
        await asyncio.sleep(seconds)
        journal.record(f"{name} {clock.now:g}")

    ticking = asyncio.gather(tick("a", 2), tick("b", 3))
    await clock.advance(3.5)
    assert journal.events == ["a 2", "b 3"]
    await clock.advance(3.5)
    assert journal.events == ["a 2", "b 3", "a 4", "b 6"]
    assert clock.now == 7
    await ticking


async def test_after_a_jump_a_timer_is_late_and_sees_the_time_after_it(
    clock: Clock,
) -> None:
    seen: list[float] = []

    async def wake() -> None:
        await asyncio.sleep(5)
        seen.append(clock.now)

    task = asyncio.create_task(wake())
    await settle()
    clock.jump(60)
    await task

    assert seen == [60]


async def test_a_cancelled_timer_does_not_fire(clock: Clock) -> None:
    journal = Journal()
    handle = asyncio.get_running_loop().call_later(1, journal.record, "rung")
    handle.cancel()
    await clock.advance(2)

    assert journal.events == []


async def test_a_timeout_fires_at_its_time(app: RunningApp, clock: Clock) -> None:
    venue = Gate("the venue")
    app.replace("venue", venue)
    quote = exchange(app, "GET", "/quote")
    await venue.entered()
    await clock.advance(2.9)
    assert not quote.done

    await clock.advance(0.2)
    await quote.finished()
    assert (quote.json(), venue.cancelled) == ("too late", 1)


async def test_a_thread_takes_real_time_without_a_timeout(
    app: RunningApp, client: httpx2.AsyncClient, clock: Clock
) -> None:
    archive = Gate("the archive", result="written")
    app.replace("archive", archive.blocking)
    export = asyncio.create_task(client.get("/export"))
    await archive.entered()
    await settle(500)
    assert not export.done()

    archive.open()
    assert (await export).json() == "written"
    assert clock.now == 0


async def test_a_thread_times_out_only_when_the_test_says_so(
    app: RunningApp, client: httpx2.AsyncClient, clock: Clock
) -> None:
    archive = Gate("the archive", result="written")
    app.replace("archive", archive.blocking)
    export = asyncio.create_task(client.get("/export"))
    await archive.entered()
    await clock.advance(3)

    assert (await export).status_code == 500
    assert isinstance(app.errors[0], TimeoutError)


async def test_the_module_time_follows_the_clock_in_the_app_alone(
    client: httpx2.AsyncClient, clock: Clock
) -> None:
    with time_follows_loop():
        before, real = (await client.get("/times")).json(), time.monotonic()
        await clock.advance(3600)
        after, later = (await client.get("/times")).json(), time.monotonic()
    outside = (await client.get("/times")).json()

    passed = [now - then for then, now in zip(before, after, strict=True)]
    assert passed == pytest.approx([3600, 3600])
    assert later - real < 3600
    assert outside[1] < after[1]


@pytest.mark.parametrize("attempt", range(5))
async def test_a_stopped_clock_never_times_out_a_database(
    client: httpx2.AsyncClient, database: Database, clock: Clock, attempt: int
) -> None:
    """Its driver works in a thread, or behind a socket, where the loop sees nobody."""
    assert (await client.get("/rows")).json() == list(range(20))


async def test_a_stream_is_kept_alive_after_fifteen_seconds(
    app: RunningApp, clock: Clock
) -> None:
    board = exchange(app, "GET", "/board")
    await board.response_started()
    assert b"ping" not in board.body
    await clock.advance(16)

    assert b"ping" in board.body
    board.disconnect()
    await board.finished()


async def test_endless_timers_are_noticed(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workshop.testing.time.clock._MOST_TIMERS", 20)

    async def hurry() -> None:
        while True:  # noqa: ASYNC110 -- this is what must be noticed
            await asyncio.sleep(1e-6)

    hurrying = asyncio.create_task(hurry())
    with pytest.raises(AssertionError, match=r"sleeps for next to nothing"):
        await clock.advance(1)
    hurrying.cancel()
