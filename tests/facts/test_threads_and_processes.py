"""Which thread and which loop code runs in, and what a dead process breaks."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from pathlib import Path

import anyio
import psutil
import pytest
from anyio import from_thread, to_thread
from fastapi import Depends, FastAPI

from tests.facts import fact
from workshop.testing import ServeProcess, ServerProcess, eventually, exchange, settle

TOPIC = "threads and processes"


async def thread_of_loop() -> int:
    return threading.get_ident()


@fact("fastapi", "anyio", topic=TOPIC)
async def test_a_def_route_can_call_into_the_loop() -> None:
    """In a `def` route, `anyio.from_thread.run()` runs an async function in the
    server's event loop."""
    app = FastAPI()

    @app.get("/")
    def page() -> list[int]:
        return [from_thread.run(thread_of_loop), threading.get_ident()]

    request = exchange(app, "GET", "/")
    await request.finished()
    loops, own = request.json()
    assert loops == threading.get_ident() != own


@fact("anyio", topic=TOPIC)
async def test_from_thread_needs_a_thread_of_anyio() -> None:
    """`anyio.from_thread.run()` raises `NoEventLoopError` in the threads of
    `asyncio.to_thread()`."""
    assert await to_thread.run_sync(from_thread.run, thread_of_loop)
    with pytest.raises(anyio.NoEventLoopError):
        await asyncio.to_thread(from_thread.run, thread_of_loop)


@fact(topic=TOPIC)
async def test_only_debug_mode_notices_a_call_from_another_thread() -> None:
    """`Queue.put_nowait()` in another thread raises an exception in debug mode only,
    if a task waits for the queue."""
    loop = asyncio.get_running_loop()
    for debug in (False, True):
        queue: asyncio.Queue[int] = asyncio.Queue()
        # Driven by hand: the exception would keep a task from ever being woken, and
        # the loop waits for its tasks when it is closed.
        waits = queue.get()
        waits.send(None).add_done_callback(lambda _: None)
        loop.set_debug(debug)
        put = asyncio.create_task(asyncio.to_thread(queue.put_nowait, 1))
        await eventually(put.done)
        loop.set_debug(False)
        waits.close()
        error = put.exception()
        assert ("Non-thread-safe" in str(error)) is debug


@fact("fastapi", topic=TOPIC)
async def test_a_def_dependency_may_run_in_another_thread() -> None:
    """A `def` dependency with `yield` and the `def` route that uses it may run in
    different threads."""
    app, go = FastAPI(), threading.Event()

    def session() -> Iterator[int]:
        yield threading.get_ident()

    async def meanwhile(opened: int = Depends(session)) -> AsyncIterator[int]:
        """Use the thread that is free now, as another request may do."""
        other = asyncio.create_task(to_thread.run_sync(go.wait))
        await settle(5)
        yield opened
        go.set()
        await other

    @app.get("/")
    def page(opened: int = Depends(meanwhile)) -> list[int]:
        return [opened, threading.get_ident()]

    request = exchange(app, "GET", "/")
    await request.finished()
    opened, used = request.json()
    assert opened != used


@fact(topic=TOPIC)
async def test_a_broken_pool_stays_broken() -> None:
    """If a process of a `ProcessPoolExecutor` dies, every later job raises
    `BrokenProcessPool`."""
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        with pytest.raises(BrokenExecutor):
            await loop.run_in_executor(pool, os._exit, 1)
        for _ in range(2):
            with pytest.raises(BrokenExecutor):
                await loop.run_in_executor(pool, len, "job")


@fact(topic=TOPIC)
async def test_a_timeout_does_not_end_the_job_of_a_process() -> None:
    """A timeout does not end a job that a process of a `ProcessPoolExecutor` has begun.
    Neither does `shutdown(wait=False, cancel_futures=True)`."""
    loop = asyncio.get_running_loop()
    pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))
    with socket.create_server(("127.0.0.1", 0)) as server:
        connect = f"socket.create_connection({server.getsockname()!r})"
        job = f"import socket; {connect}.recv(1); {connect}.recv(1)"
        future = loop.run_in_executor(pool, exec, job)
        begun, _ = await asyncio.to_thread(server.accept)
        with begun, pytest.raises(TimeoutError):
            await asyncio.wait_for(future, 0)
        processes = list(pool._processes.values())
        pool.shutdown(wait=False, cancel_futures=True)
        goes_on, _ = await asyncio.to_thread(server.accept)
    with goes_on:
        assert [process.is_alive() for process in processes] == [True]
        for process in processes:
            process.kill()
            await asyncio.to_thread(process.join)
        assert goes_on.recv(1) == b""


POOL = """
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager

from fastapi import FastAPI


@asynccontextmanager
async def lifespan(app):
    app.state.pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))
    yield
    END


app = FastAPI(lifespan=lifespan)


@app.get("/")
def size():
    return app.state.pool.submit(len, "job").result()
"""


@fact("uvicorn", topic=TOPIC)
async def test_a_pool_of_processes_outlives_the_server(
    tmp_path: Path, serve_process: ServeProcess
) -> None:
    """After SIGTERM, the processes of a `ProcessPoolExecutor` outlive uvicorn, unless
    the lifespan shuts the pool down: uvicorn ends by the signal, so `atexit` functions
    do not run."""
    if sys.platform == "win32":
        pytest.skip("Windows has no SIGTERM.")
    file = tmp_path / "app.py"
    left = {}
    for end in ("pass", "app.state.pool.shutdown()"):
        file.write_text(POOL.replace("END", end), "utf-8")
        async with serve_process(file) as server:
            async with server.client() as client:
                assert (await client.get("/")).json() == 3
            before = workers_of_pools(server)
            server.terminate()
            assert await server.ended() == -signal.SIGTERM
            left[end] = (before, workers_of_pools(server))
    assert left == {"pass": (1, 1), "app.state.pool.shutdown()": (1, 0)}


def workers_of_pools(server: ServerProcess) -> int:
    """Count them. Another child, the tracker of resources, ends by itself."""
    found = 0
    for child in server.children():
        with contextlib.suppress(psutil.Error):
            found += any("spawn_main" in word for word in child.cmdline())
    return found
