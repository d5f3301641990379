"""A client that reads when it is told to, and leaves as it is told to."""

import pytest

from tests.testing.conftest import shortened
from workshop.testing import (
    RawConnection,
    RunningApp,
    Serve,
    TimeLimitExceeded,
    eventually,
    raw_connection,
    settle,
)

APP = """
import asyncio

from fastapi import FastAPI
from fastapi.responses import StreamingResponse

app = FastAPI()
made = []
left = []


@app.get("/large")
async def large():
    async def chunks():
        for number in range(1_000):
            made.append(number)
            yield b"x" * 10_000
        yield b"the end"
    return StreamingResponse(chunks())


@app.get("/quiet")
async def quiet():
    async def chunks():
        try:
            yield b"first"
            await asyncio.Event().wait()
        finally:
            left.append(True)
    return StreamingResponse(chunks())
"""
HEADERS = b"HTTP/1.1\r\nHost: box-office\r\n\r\n"


async def test_an_app_waits_for_a_client_that_does_not_read(
    app: RunningApp, serve: Serve
) -> None:
    made = app.module.made
    async with serve(app) as server, raw_connection(server) as ann:
        await ann.send(b"GET /large " + HEADERS)
        await eventually(lambda: len(made) > 1)
        await settle(1000)
        waiting = len(made)
        await settle(1000)
        assert len(made) == waiting < 1_000

        received = await ann.read(b"the end")

    assert len(made) == 1_000
    assert received.count(b"x" * 10_000) == 1_000


@pytest.mark.parametrize("leave", [RawConnection.close, RawConnection.reset])
async def test_the_app_notices_that_the_client_has_left(
    app: RunningApp, serve: Serve, leave: object
) -> None:
    async with serve(app) as server, raw_connection(server) as ann:
        await ann.send(b"GET /quiet " + HEADERS)
        await ann.read(b"first")
        assert app.module.left == []

        assert callable(leave)
        leave(ann)

        assert await eventually(lambda: app.module.left == [True])


async def test_what_never_arrives_is_an_error(app: RunningApp, serve: Serve) -> None:
    async with serve(app) as server, raw_connection(server) as ann:
        await ann.send(b"GET /quiet " + HEADERS)
        with shortened(), pytest.raises(TimeLimitExceeded, match="never sent b'second"):
            await ann.read(b"second")


async def test_reading_ends_when_the_server_closes(
    app: RunningApp, serve: Serve
) -> None:
    async with serve(app) as server, raw_connection(server) as ann:
        await ann.send(b"this is not HTTP\r\n\r\n")
        received = await ann.read(b"never")

    assert received.startswith(b"HTTP/1.1 400 ")
