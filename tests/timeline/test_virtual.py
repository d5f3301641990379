"""Virtual time: the same picture every time, and a clear no to real time."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI, Request
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from tests.timeline import crowd
from tests.timeline.stand_ins import modelled_sqlite
from tests.timeline.telling import lane, names, spans
from workshop.timeline import NameRequests, Timeline, record
from workshop.timeline.virtual import VirtualTimeError, VirtualTimeLoop, block, run

app = FastAPI()


async def ask(venue: str, seconds: float) -> str:
    await asyncio.sleep(seconds)
    return venue


@app.get("/together")
async def together() -> tuple[str, str]:
    return await asyncio.gather(ask("north", 0.1), ask("south", 0.25))


@app.get("/blocking")
async def blocking() -> None:
    time.sleep(0.2)  # noqa: ASYNC251 -- the bug to be seen


@app.get("/thread")
def thread() -> None:
    time.sleep(0.2)


@app.middleware("http")
async def stamp(
    request: Request, call_next: Callable[[Request], Awaitable[Any]]
) -> Any:
    return await call_next(request)


async def four_requests() -> Timeline:
    transport = httpx2.ASGITransport(app=NameRequests(app))
    async with (
        httpx2.AsyncClient(transport=transport, base_url="http://test") as client,
        record() as recording,
    ):
        await asyncio.gather(
            *map(client.get, ("/together", "/thread", "/blocking", "/together"))
        )
    return recording.timeline


def test_every_run_is_the_same_byte_for_byte_in_every_process() -> None:
    elsewhere = subprocess.run(
        [sys.executable, "-m", "tests.timeline.crowd"],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONHASHSEED": "1"},
        capture_output=True,
        encoding="utf-8",
        check=True,
    )

    assert {crowd.told(), crowd.told(), elsewhere.stdout.strip()} == {crowd.told()}


def test_an_app_with_middleware_and_threads_is_reproducible() -> None:
    first, second, third = (
        run(four_requests, threads="modelled").as_json() for _ in range(3)
    )

    assert first == second == third
    timeline = Timeline.from_json(first)
    assert timeline.duration == 450
    assert names(timeline) == [
        (0, "you"),
        (1, "#1 GET /together"),
        (2, "ask('north', 0.1)"),
        (2, "ask('south', 0.25)"),
        (1, "#2 GET /thread"),
        (2, "thread: thread()"),
        (1, "#3 GET /blocking"),
        (1, "#4 GET /together"),
        (2, "ask('north', 0.1)"),
        (2, "ask('south', 0.25)"),
    ]


def test_sleeping_takes_no_time_and_ends_in_order() -> None:
    async def main() -> list[str]:
        loop = asyncio.get_running_loop()
        ended = [
            await first
            for first in asyncio.as_completed([ask("b", 86_400.5), ask("a", 3_600)])
        ]
        assert loop.time() == 86_400.5
        return ended

    assert run(main) == ["a", "b"]


def test_a_statement_takes_the_time_given_by_the_scenario(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{(tmp_path / 'box_office.db').as_posix()}"

    async def order(number: int) -> None:
        engine = create_async_engine(url, poolclass=NullPool)
        async with engine.begin() as connection:
            await connection.execute(text("SELECT 1"))
            await connection.execute(text("SELECT 2"))
        await engine.dispose()

    async def main() -> Timeline:
        await order(0)
        async with record(here=None) as recording:
            await asyncio.gather(order(1), order(2))
        return recording.timeline

    with modelled_sqlite(0.002):
        timeline = run(main)

    first = lane(timeline, "order(1)")
    statements = [
        (span.end - span.start, span.label)
        for span in first.spans
        if span.label.startswith("await connection.execute")
    ]
    assert statements == [
        (2, 'await connection.execute(text("SELECT 1"))'),
        (2, 'await connection.execute(text("SELECT 2"))'),
    ]
    # They have a connection each, so both wait at the same time.
    assert spans(lane(timeline, "order(2)")) == spans(first)
    assert timeline.duration == first.end


async def _connect() -> None:
    await asyncio.open_connection("127.0.0.1", 1)


async def _serve() -> None:
    await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)


async def _start_process() -> None:
    await asyncio.create_subprocess_exec(sys.executable)


async def _use_thread() -> None:
    await asyncio.to_thread(print)


async def _use_process() -> None:
    with ProcessPoolExecutor(1) as pool:
        await asyncio.get_running_loop().run_in_executor(pool, print)


async def _wait_for_nobody() -> None:
    await asyncio.Event().wait()


async def _use_foreign_thread() -> None:
    loop, done = asyncio.get_running_loop(), asyncio.Event()
    worker = threading.Thread(
        target=lambda: loop.call_soon_threadsafe(done.set), name="foreign"
    )
    worker.start()
    worker.join()
    await done.wait()


@pytest.mark.parametrize(
    ("code", "threads", "words"),
    [
        (_connect, "refused", "uses a socket"),
        (_serve, "refused", "uses a socket"),
        (_start_process, "refused", "uses another process"),
        (_use_thread, "refused", 'uses a thread.*threads="modelled"'),
        (_use_process, "modelled", "uses another process"),
        (_wait_for_nobody, "refused", "stands still: no task is ready"),
        (_use_foreign_thread, "modelled", "uses the thread 'foreign'"),
    ],
)
def test_real_time_is_an_error(
    code: Callable[[], Any], threads: Any, words: str
) -> None:
    with pytest.raises(VirtualTimeError, match=words):
        run(code, threads=threads)


def test_block_needs_virtual_time_and_sleep_is_restored() -> None:
    real = time.sleep

    async def virtual() -> None:
        assert time.sleep is not real
        for _ in range(3):
            block(0.1)
        assert isinstance(asyncio.get_running_loop(), VirtualTimeLoop)
        # And not the 0.30000000000000004 that three times 0.1 is to a computer.
        assert asyncio.get_running_loop().time() == 0.3

    async def wrong() -> None:
        with pytest.raises(RuntimeError, match="real time"):
            block(0.1)

    run(virtual)
    asyncio.run(wrong())

    assert time.sleep is real
