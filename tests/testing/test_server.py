"""A real uvicorn in the test's own loop."""

import asyncio
import logging

import pytest

from tests.testing.conftest import shortened
from workshop.testing import (
    Gate,
    Journal,
    RunApp,
    RunningApp,
    Serve,
    StartupError,
    TimeLimitExceeded,
)

APP = '''
import asyncio
import os
from contextlib import asynccontextmanager
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse


def note(event):
    """The outside world."""


async def venue():
    """The outside world."""


@asynccontextmanager
async def lifespan(app):
    if os.environ.get("FAIL"):
        raise ConnectionError("no database")
    note("up")
    yield {"greeting": "welcome"}
    note("down")


app = FastAPI(lifespan=lifespan)


@app.get("/")
async def home(request: Request):
    return request.state.greeting


@app.get("/board")
async def board(request: Request):
    async def events():
        try:
            yield b"first"
            await venue()
        except asyncio.CancelledError:
            note("the customer left")
            raise
    return StreamingResponse(events())


@app.get("/wait")
async def wait(request: Request):
    await venue()
    return "left" if await request.is_disconnected() else "still there"
'''


async def test_it_serves_on_a_real_socket_with_the_apps_state(
    app: RunningApp, serve: Serve
) -> None:
    async with serve(app) as server, server.client() as client:
        answer = await client.get("/")

    assert (answer.json(), answer.headers["server"]) == ("welcome", "uvicorn")
    assert app.started, "an app that was running before the server runs on after it"


async def test_its_client_ignores_proxies_from_the_environment(
    app: RunningApp, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with serve(app) as server, server.client() as client:
        answer = await client.get("/")

    assert answer.json() == "welcome"


async def test_a_client_that_leaves_a_stream_is_noticed(
    app: RunningApp, serve: Serve
) -> None:
    journal, venue = Journal(), Gate("the venue")
    app.replace("note", journal.record)
    app.replace("venue", venue)
    async with serve(app) as server:
        async with server.client() as client, client.stream("GET", "/board") as board:
            assert await anext(board.aiter_bytes()) == b"first"
            await venue.entered()
        await journal.reached("the customer left")


async def test_a_handler_keeps_running_after_its_client_has_left(
    app: RunningApp, serve: Serve
) -> None:
    venue = Gate("the venue")
    app.replace("venue", venue)
    async with serve(app) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
        await venue.entered()
        writer.close()
        await writer.wait_closed()
        venue.open()

    assert (venue.count, venue.cancelled) == (1, 0)
    del reader


async def test_it_runs_the_lifespan_of_an_app_that_has_not_started(
    run_app: RunApp, serve: Serve
) -> None:
    journal = Journal()
    async with run_app(replace={"note": journal.record}, start=False) as app:
        async with serve(app):
            assert journal.events == ["up"]
        assert journal.events == ["up", "down"]


async def test_a_failed_startup_is_reported(run_app: RunApp, serve: Serve) -> None:
    async with run_app(env={"FAIL": "yes"}, start=False) as app:
        with pytest.raises(StartupError, match=r"start-up failed"):
            async with serve(app):
                pytest.fail("it has not started")


async def test_an_open_stream_keeps_the_server_from_stopping(
    app: RunningApp, serve: Serve
) -> None:
    venue = Gate("the venue")
    app.replace("venue", venue)
    async with (
        serve(app) as server,
        server.client() as client,
        client.stream("GET", "/board") as board,
    ):
        assert await anext(board.aiter_bytes()) == b"first"
        open_connection = r"waits for a connection that is open"
        with shortened(), pytest.raises(TimeLimitExceeded, match=open_connection):
            await server.stop()
        venue.open()


async def test_uvicorns_own_log_is_not_the_apps_output(
    run_app: RunApp, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    log = logging.getLogger("uvicorn.error")
    async with run_app(start=False) as app, serve(app) as server:
        log.info("written by the app")
        async with server.client() as client:
            await client.get("/")
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"this is not HTTP\r\n\r\n")
        await reader.read()
        writer.close()

    said = [each.message for each in caplog.records if each.name == "uvicorn.error"]
    assert said == ["written by the app", "Invalid HTTP request received."]


async def test_an_exception_of_the_app_is_reported_once(
    app: RunningApp, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    """By the test kit, with its request; not again by the server."""
    app.replace("venue", failing)
    async with serve(app) as server, server.client() as client:
        assert (await client.get("/wait")).status_code == 500

    assert caplog.messages == ["Exception in GET /wait"]


async def failing() -> None:
    """Stand in for a venue that cannot be reached."""
    raise OSError("no line")


async def test_two_servers_have_two_ports(app: RunningApp, serve: Serve) -> None:
    async with serve(app) as one, serve(app) as other:
        assert one.url != other.url


async def test_it_cannot_be_combined_with_a_manual_clock(
    app: RunningApp, serve: Serve, clock: object
) -> None:
    with pytest.raises(AssertionError, match=r"use `serve` or `clock`, not both"):
        async with serve(app):
            pass
