"""What lesson 10 says about WebSockets."""

from __future__ import annotations

from collections.abc import AsyncIterator

from fastapi import (
    BackgroundTasks,
    Depends,
    FastAPI,
    HTTPException,
    Request,
    WebSocket,
    WebSocketDisconnect,
)
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import Response
from starlette.middleware.base import RequestResponseEndpoint

from tests.facts import fact
from workshop.testing import Gate, conversation, eventually, when_idle

TOPIC = "WebSockets"


@fact("fastapi", "starlette", topic=TOPIC)
async def test_the_second_send_to_a_client_that_has_left_raises_a_runtime_error() -> (
    None
):
    """The first `send` to a client that has left raises `WebSocketDisconnect`, and the
    next ones a `RuntimeError`."""
    app, gate, seen = FastAPI(), Gate("the news"), list[str]()

    @app.websocket("/")
    async def route(socket: WebSocket) -> None:
        await socket.accept()
        await gate()
        for _ in range(2):
            try:
                await socket.send_text("news")
            except WebSocketDisconnect:
                seen.append("WebSocketDisconnect")
            except RuntimeError:
                seen.append("RuntimeError")

    client = conversation(app, "/")
    await gate.entered()
    client.leave()
    gate.open()
    await client.finished()
    assert seen == ["WebSocketDisconnect", "RuntimeError"]


@fact("fastapi", topic=TOPIC)
async def test_an_endpoint_is_not_cancelled_when_its_client_leaves() -> None:
    """The endpoint of a WebSocket is not cancelled when its client leaves."""
    app, gate = FastAPI(), Gate("the price")

    @app.websocket("/")
    async def route(socket: WebSocket) -> None:
        await socket.accept()
        await gate()

    client = conversation(app, "/")
    await gate.entered()
    client.leave()
    assert await when_idle(lambda: (gate.waiting, client.done)) == (1, False)


@fact("fastapi", topic=TOPIC)
async def test_an_http_exception_before_accept_is_a_response() -> None:
    """An `HTTPException` before `accept()` refuses the handshake with its status."""
    app = FastAPI()

    @app.websocket("/")
    async def route(socket: WebSocket) -> None:
        raise HTTPException(401, "log in")

    client = conversation(app, "/")
    await client.finished()
    assert (client.status, client.refusal) == (401, {"detail": "log in"})


@fact("fastapi", "starlette", topic=TOPIC)
async def test_nothing_sends_a_close_frame_for_an_endpoint_that_returns() -> None:
    """After `accept()`, an endpoint that returns or raises an exception sends no close
    frame."""
    app = FastAPI()

    @app.websocket("/{how}")
    async def route(socket: WebSocket, how: str) -> None:
        await socket.accept()
        if how == "raise":
            raise LookupError

    for path in ("/return", "/raise"):
        client = conversation(app, path)
        await client.finished()
        assert (client.code, len(client.messages)) == (1006, 1)


@fact("fastapi", "starlette", topic=TOPIC)
async def test_http_middleware_and_cors_are_not_called_for_websockets() -> None:
    """`CORSMiddleware` and `@app.middleware("http")` let every WebSocket pass."""
    app, called = FastAPI(), list[str]()
    app.add_middleware(CORSMiddleware, allow_origins=["https://box-office.example"])

    @app.middleware("http")
    async def passes(request: Request, call_next: RequestResponseEndpoint) -> Response:
        called.append(request.url.path)
        return await call_next(request)

    @app.websocket("/")
    async def route(socket: WebSocket) -> None:
        await socket.accept()
        await socket.receive()

    client = conversation(app, "/", headers={"origin": "https://evil.example"})
    assert await eventually(lambda: client.accepted)
    client.leave()
    await client.finished()
    assert called == []


@fact("fastapi", topic=TOPIC)
async def test_a_dependency_of_a_websocket_lasts_until_its_endpoint_ends() -> None:
    """The code after `yield` in a dependency of a WebSocket runs when the endpoint
    ends, even with `scope="function"`."""
    app, seen = FastAPI(), list[str]()

    async def session() -> AsyncIterator[None]:
        yield
        seen.append("left")

    async def route(socket: WebSocket) -> None:
        await socket.accept()
        await socket.receive()
        seen.append("the endpoint ends")

    in_function, in_request = Depends(session, scope="function"), Depends(session)
    app.websocket("/function", dependencies=[in_function])(route)
    app.websocket("/request", dependencies=[in_request])(route)
    for path in ("/function", "/request"):
        client = conversation(app, path)
        assert await when_idle(lambda: [*seen]) == []
        client.leave()
        await client.finished()
        assert (client.status, seen) == (101, ["the endpoint ends", "left"])
        seen.clear()


@fact("fastapi", topic=TOPIC)
async def test_background_tasks_of_a_websocket_never_run() -> None:
    """The endpoint of a WebSocket can have a `BackgroundTasks` parameter, but the tasks
    never run, and no error is raised."""
    app, seen = FastAPI(), list[str]()

    @app.websocket("/")
    async def route(socket: WebSocket, tasks: BackgroundTasks) -> None:
        await socket.accept()
        tasks.add_task(seen.append, "mail")
        await socket.receive()

    client = conversation(app, "/")
    assert await eventually(lambda: client.accepted)
    client.leave()
    await client.finished()
    assert await when_idle(lambda: (seen, client.error)) == ([], None)
