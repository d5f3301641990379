"""Who copies a context, and what stands between an error and its response."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from contextvars import ContextVar, Token
from typing import Any

import httpx2
from fastapi import Depends, FastAPI, Request
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse, StreamingResponse

from tests.facts import fact
from workshop.testing import Gate, exchange, settle

TOPIC = "context and middleware"
badge: ContextVar[str] = ContextVar("badge", default="nobody")


async def set_async() -> None:
    badge.set("Ann")


def set_in_thread() -> None:
    badge.set("Ann")


async def name_in_handler(dependency: Any) -> object:
    app = FastAPI()

    @app.get("/", dependencies=[Depends(dependency)])
    async def page() -> str:
        return badge.get()

    request = exchange(app, "GET", "/")
    await request.finished()
    return request.json()


@fact("fastapi", topic=TOPIC)
async def test_a_handler_sees_what_an_async_dependency_sets() -> None:
    """A handler sees the context variables that an `async def` dependency sets."""
    assert await name_in_handler(set_async) == "Ann"


@fact("fastapi", topic=TOPIC)
async def test_a_handler_does_not_see_what_a_def_dependency_sets() -> None:
    """A handler does not see the context variables that a `def` dependency sets."""
    assert await name_in_handler(set_in_thread) == "nobody"


@fact(topic=TOPIC)
async def test_to_thread_copies_the_context_and_run_in_executor_does_not() -> None:
    """`to_thread()` copies the context, and `run_in_executor()` does not."""
    badge.set("Ann")
    loop = asyncio.get_running_loop()
    assert await asyncio.to_thread(badge.get) == "Ann"
    assert await loop.run_in_executor(None, badge.get) == "nobody"


@fact("starlette", topic=TOPIC)
async def test_a_500_of_the_handler_of_exception_has_no_cors_header() -> None:
    """The response of a handler for `Exception` does not pass `CORSMiddleware`."""
    app = FastAPI()
    app.add_middleware(CORSMiddleware, allow_origins=["*"])

    @app.exception_handler(Exception)
    async def report(request: Request, error: Exception) -> JSONResponse:
        return JSONResponse({}, 500)

    @app.get("/")
    async def page() -> None:
        raise ValueError

    for path, header in (("/", None), ("/nowhere", "*")):
        request = exchange(app, "GET", path, headers={"origin": "https://shop"})
        await request.finished()
        assert request.headers.get("access-control-allow-origin") == header


OTHER = "created in a different Context"


def reset(token: Token[str]) -> str:
    """Try to reset the badge, and return the result in words."""
    try:
        badge.reset(token)
    except ValueError as error:
        return str(error).rpartition("was ")[2]
    return "reset"


async def after_a_stream(dependency: Any, *, leaves: bool) -> None:
    """Run a request for a stream that has *dependency*, until its end."""
    app, item = FastAPI(), Gate("an item")

    async def items() -> AsyncIterator[str]:
        yield await item()

    @app.get("/", dependencies=[dependency])
    async def page() -> StreamingResponse:
        return StreamingResponse(items())

    request = exchange(app, "GET", "/")
    await item.entered()
    request.disconnect() if leaves else item.open("A1")
    await request.finished()


@fact("fastapi", topic=TOPIC)
async def test_an_async_dependency_can_reset_a_variable_after_a_stream() -> None:
    """An `async def` dependency with `yield` can reset a context variable at its end,
    even if the client leaves a stream, because it runs in the task of the request. This
    holds for both scopes."""
    found = []

    async def wear() -> AsyncIterator[None]:
        token = badge.set("Ann")
        try:
            yield
        finally:
            found.append(reset(token))

    for dependency in (Depends(wear), Depends(wear, scope="function")):
        await after_a_stream(dependency, leaves=False)
        await after_a_stream(dependency, leaves=True)
    assert found == ["reset"] * 4


@fact("fastapi", topic=TOPIC)
async def test_a_def_dependency_cannot_reset_a_variable() -> None:
    """A `def` dependency with `yield` cannot reset a context variable at its end: its
    two parts run in threads, each with a different copy of the context."""
    found = []

    def wear() -> Iterator[None]:
        token = badge.set("Ann")
        try:
            yield
        finally:
            found.append(reset(token))

    for dependency in (Depends(wear), Depends(wear, scope="function")):
        await after_a_stream(dependency, leaves=False)
        await after_a_stream(dependency, leaves=True)
    assert found == [OTHER] * 4


@fact("starlette", topic=TOPIC)
async def test_a_stream_cannot_reset_what_its_handler_has_set() -> None:
    """With uvicorn, `StreamingResponse` runs its generator in a different task from the
    handler's. The generator sees the context variables that the handler has set, but
    cannot reset them."""
    app, found = FastAPI(), []

    async def items(token: Token[str]) -> AsyncIterator[str]:
        yield badge.get()
        found.append(reset(token))

    @app.get("/")
    async def page() -> StreamingResponse:
        return StreamingResponse(items(badge.set("Ann")))

    request = exchange(app, "GET", "/")
    await request.finished()
    assert (request.body, found) == (b"Ann", [OTHER])


@fact("fastapi", topic=TOPIC)
async def test_a_handler_that_is_a_generator_may_be_left_suspended() -> None:
    """FastAPI's own streams, except server-sent events, have a checkpoint after each
    item. If the client has left by then, the generator stays suspended at its `yield`,
    and only the garbage collector closes it."""
    app, item, found = FastAPI(), Gate("an item"), []

    @app.get("/", response_class=StreamingResponse)
    async def page() -> AsyncIterator[str]:
        token = badge.set("Ann")
        try:
            await item()
            for _ in range(3):
                yield "A1"
        finally:
            found.append(reset(token))

    request = exchange(app, "GET", "/")
    await item.entered()
    request.disconnect()
    item.open()
    await request.finished()
    del request
    await settle()
    gc.collect()
    await settle()
    assert found == [OTHER]


@fact("httpx2", topic=TOPIC)
async def test_the_in_process_client_runs_the_app_in_the_task_of_its_caller() -> None:
    """`ASGITransport` runs the app in the task that sends the request, so a context
    variable that a request sets is still set in the next one."""
    app = FastAPI()

    @app.get("/{name}")
    async def page(name: str) -> str:
        before = badge.get()
        badge.set(name)
        return before

    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://b") as client:
        found = [(await client.get(f"/{name}")).json() for name in ("Ann", "Bob")]
    assert found == ["nobody", "Ann"]
