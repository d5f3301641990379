"""What lesson 09 says about limits."""

from __future__ import annotations

import asyncio
import socket

import uvicorn
from fastapi import FastAPI

from tests.facts import fact
from workshop.testing import fail_after, settle

TOPIC = "limits on work"


@fact(topic=TOPIC)
async def test_a_semaphore_that_is_released_too_often_grows() -> None:
    """An `asyncio.Semaphore(3)` that is acquired once and released three times lets in
    five, without an error. A `BoundedSemaphore` raises a `ValueError` instead."""
    limit = asyncio.Semaphore(3)
    await limit.acquire()
    for _ in range(3):
        limit.release()
    let_in = [asyncio.create_task(limit.acquire()) for _ in range(10)]
    await settle()
    assert sum(task.done() for task in let_in) == 5
    for task in let_in:
        task.cancel()

    bounded = asyncio.BoundedSemaphore(3)
    try:
        bounded.release()
    except ValueError:
        return
    raise AssertionError("it was released although it had not been acquired")


@fact("uvicorn", topic=TOPIC)
async def test_limit_concurrency_counts_idle_connections() -> None:
    """Uvicorn's `limit_concurrency` counts connections, so idle ones count too, and its
    503 has no `Retry-After`."""
    app = FastAPI()
    app.get("/")(lambda: 1)
    config = uvicorn.Config(app, limit_concurrency=2, lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    listening = socket.create_server(("127.0.0.1", 0))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    heads, writers = [], []
    for _ in range(2):
        reader, writer = await asyncio.open_connection(*listening.getsockname())
        writers.append(writer)
        writer.write(b"GET / HTTP/1.1\r\nhost: box-office\r\n\r\n")
        answered = reader.readuntil(b"\r\n\r\n")
        heads.append(await fail_after(answered, "There was no response."))
    for writer in writers:
        writer.close()
    server.should_exit = True
    await serving

    assert [head.split()[1] for head in heads] == [b"200", b"503"]
    assert b"retry-after" not in heads[1].lower()
