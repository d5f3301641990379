"""Who runs a lifespan, what else does not run beside it, and where its state goes."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from contextvars import ContextVar
from typing import Any

import pytest
import uvicorn
from fastapi import APIRouter, FastAPI, Request
from starlette.applications import Starlette
from starlette.testclient import TestClient

from tests.facts import fact
from tests.facts.test_dependencies import client_of
from workshop.testing import Journal, StartupError
from workshop.testing.app.server import Server

TOPIC = "lifespan"


def recording(journal: Journal, name: str) -> Any:
    """Return a lifespan that writes down when it starts and ends."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        journal.record(f"{name} starts")
        yield
        journal.record(f"{name} ends")

    return lifespan


def on_startup(app: FastAPI | APIRouter, journal: Journal, name: str) -> None:
    """Give *app* an on_event handler."""
    with pytest.warns(DeprecationWarning, match="on_event is deprecated"):

        @app.on_event("startup")
        async def handler() -> None:
            journal.record(name)


@asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[Server]:
    """Serve *app* by uvicorn, in this loop."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_config=None, access_log=False)
    server = Server(config, listening)
    try:
        await server.up()
        yield server
        await server.stop()
    finally:
        await server.kill()


@fact("fastapi", topic=TOPIC)
def test_on_event_never_runs_beside_a_lifespan() -> None:
    """`on_event` handlers of an app with a `lifespan` never run, and nothing reports it
    at startup. The only sign is a `DeprecationWarning` where they are declared."""
    journal = Journal()
    app = FastAPI(lifespan=recording(journal, "lifespan"))
    on_startup(app, journal, "handler")

    with TestClient(app):
        pass

    assert journal.events == ["lifespan starts", "lifespan ends"]


@fact("fastapi", topic=TOPIC)
def test_on_event_without_a_lifespan_runs() -> None:
    """`on_event` handlers of an app without a `lifespan` still run in FastAPI, although
    they are deprecated."""
    journal = Journal()
    app = FastAPI()
    on_startup(app, journal, "handler")

    with TestClient(app):
        pass

    assert journal.events == ["handler"]


@fact("starlette", topic=TOPIC)
def test_starlette_has_no_on_event() -> None:
    """Starlette itself has no `on_event` and no `on_startup` any more."""
    assert not hasattr(Starlette, "on_event")
    with pytest.raises(TypeError, match="on_startup"):
        Starlette(on_startup=[])  # type: ignore[call-arg]


@fact("fastapi", topic=TOPIC)
def test_on_event_of_an_included_router_runs_beside_a_lifespan() -> None:
    """`on_event` handlers of an included router run even if the app has a `lifespan`.
    If it has none, they run twice."""
    journal = Journal()
    router = APIRouter()
    on_startup(router, journal, "router's handler")

    with_lifespan = FastAPI(lifespan=recording(journal, "lifespan"))
    with_lifespan.include_router(router)
    with TestClient(with_lifespan):
        pass
    beside = list(journal.events)
    journal.events.clear()
    without = FastAPI()
    without.include_router(router)
    with TestClient(without):
        pass

    assert beside == ["lifespan starts", "router's handler", "lifespan ends"]
    assert journal.events == ["router's handler", "router's handler"]


@fact("fastapi", topic=TOPIC)
def test_lifespans_of_included_routers_run_those_of_mounted_apps_do_not() -> None:
    """The lifespan of an included router is entered after the app's own and exited
    before it. The lifespan of a mounted app never runs."""
    journal = Journal()
    app = FastAPI(lifespan=recording(journal, "app"))
    app.include_router(APIRouter(lifespan=recording(journal, "router")))
    app.mount("/sub", FastAPI(lifespan=recording(journal, "mounted")))

    with TestClient(app):
        pass

    assert journal.events == ["app starts", "router starts", "router ends", "app ends"]


@fact("starlette", topic=TOPIC)
def test_test_client_runs_the_lifespan_only_as_a_context_manager() -> None:
    """`TestClient(app)` runs the lifespan only if it is used in a `with` block."""
    journal = Journal()
    app = FastAPI(lifespan=recording(journal, "lifespan"))

    TestClient(app).get("/")
    without = list(journal.events)
    with TestClient(app):
        pass

    assert without == []
    assert journal.events == ["lifespan starts", "lifespan ends"]


@fact("httpx2", topic=TOPIC)
async def test_the_in_process_transport_runs_no_lifespan() -> None:
    """`ASGITransport` never runs the lifespan of the app that it calls."""
    journal = Journal()
    app = FastAPI(lifespan=recording(journal, "lifespan"))

    async with client_of(app) as client:
        await client.get("/")

    assert journal.events == []


@fact("starlette", "fastapi", topic=TOPIC)
def test_each_request_has_a_shallow_copy_of_the_lifespan_state() -> None:
    """`request.state` has a shallow copy, for each request, of what the lifespan
    yields: objects in it are shared, but assigning a new value only affects that
    request. Items added to the yielded dict later do not appear in any request."""
    yielded: dict[str, Any] = {"shared": [], "number": 0}

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        yield yielded

    app = FastAPI(lifespan=lifespan)

    @app.get("/")
    async def page(request: Request) -> list[int]:
        yielded["number"] = 40
        request.state.number += 1
        request.state.shared.append("seen")
        return [request.state.number, len(request.state.shared)]

    with TestClient(app) as client:
        answers = [client.get("/").json(), client.get("/").json()]

    assert answers == [[1, 1], [1, 2]]


@fact("uvicorn", topic=TOPIC)
async def test_requests_do_not_see_context_variables_set_by_the_lifespan() -> None:
    """A context variable that the lifespan sets is not set in requests, because uvicorn
    runs the lifespan in a separate task."""
    variable: ContextVar[str] = ContextVar("variable", default="not set")

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        variable.set("set by the lifespan")
        yield

    app = FastAPI(lifespan=lifespan)

    @app.get("/")
    async def page() -> str:
        return variable.get()

    async with served(app) as server, server.client() as client:
        answer = await client.get("/")

    assert answer.json() == "not set"


@fact("uvicorn", topic=TOPIC)
async def test_no_request_is_served_before_startup_completes() -> None:
    """Uvicorn accepts no connection before the lifespan's startup is complete."""
    refused: list[bool] = []
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    port = listening.getsockname()[1]

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        try:
            await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            refused.append(True)
        yield

    app = FastAPI(lifespan=lifespan)
    server = Server(uvicorn.Config(app, log_config=None), listening)
    try:
        await server.up()
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
        await writer.wait_closed()
        await server.stop()
    finally:
        await server.kill()

    assert refused == [True]


@fact("uvicorn", topic=TOPIC)
async def test_a_failed_startup_ends_the_server_and_skips_shutdown() -> None:
    """If the lifespan fails before its `yield`, uvicorn exits without serving a
    request, and no line after the `yield` runs."""
    journal = Journal()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        journal.record("database opened")
        raise OSError("the mail server does not answer")
        yield
        journal.record("database closed")

    with pytest.raises(StartupError):
        async with served(FastAPI(lifespan=lifespan)):
            pass

    assert journal.events == ["database opened"]


@fact("uvicorn", topic=TOPIC)
def test_a_failed_startup_exits_with_3_a_failed_shutdown_does_not() -> None:
    """After a failed startup uvicorn exits with code 3. A failed shutdown is logged,
    but uvicorn exits as if it had succeeded."""
    log = logging.getLogger("uvicorn.error")
    said: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]

    @asynccontextmanager
    async def no_start(app: FastAPI) -> AsyncIterator[None]:
        raise OSError("the mail server does not answer")
        yield

    @asynccontextmanager
    async def no_end(app: FastAPI) -> AsyncIterator[None]:
        server.should_exit = True
        yield
        raise OSError("the mail server hung up")

    server = uvicorn.Server(
        uvicorn.Config(FastAPI(lifespan=no_end), port=0, log_config=None)
    )
    log.addHandler(handler)
    try:
        server.run()
        with pytest.raises(SystemExit) as exit_:
            uvicorn.run(FastAPI(lifespan=no_start), port=0, log_config=None)
    finally:
        log.removeHandler(handler)

    assert "Application shutdown failed. Exiting." in said
    assert exit_.value.code == 3


@fact("uvicorn", topic=TOPIC)
async def test_a_failed_task_group_ends_the_lifespan_but_not_the_server() -> None:
    """If a task of a `TaskGroup` around the `yield` fails, the lifespan ends at once
    and closes its resources, but the server keeps serving requests."""
    journal = Journal()

    async def fail() -> None:
        raise OSError("the price list is locked")

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(fail())
                yield
        finally:
            journal.record("database closed")

    app = FastAPI(lifespan=lifespan)

    async with served(app) as server, server.client() as client:
        await journal.reached("database closed")
        answer = await client.get("/openapi.json")

    assert answer.status_code == 200


@fact(topic=TOPIC)
async def test_an_exit_stack_closes_everything_in_reverse_order() -> None:
    """An `AsyncExitStack` (like nested `async with`) closes its resources in reverse
    order and continues after an error, which it raises when all are closed."""
    journal = Journal()

    async def close(name: str) -> None:
        journal.record(name)
        if name == "mail":
            raise OSError("the mail server hung up")

    stack = AsyncExitStack()
    for name in ("database", "mail", "cards"):
        stack.push_async_callback(close, name)
    with pytest.raises(OSError, match="hung up"):
        await stack.aclose()

    assert journal.events == ["cards", "mail", "database"]


@fact(topic=TOPIC)
async def test_awaiting_a_cancelled_task_raises_but_wait_does_not() -> None:
    """`await task` raises `CancelledError` if the task was cancelled;
    `asyncio.wait([task])` waits for it too, but raises nothing."""
    journal = Journal()

    async def reader() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            journal.record("let go")

    task = asyncio.create_task(reader())
    await asyncio.sleep(0)
    task.cancel()
    assert not journal.events
    await asyncio.wait([task])

    assert journal.events == ["let go"]
    with pytest.raises(asyncio.CancelledError):
        await task
