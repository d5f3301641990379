"""Who copies a context, and what stands between an error and its response."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import Any

from fastapi import Depends, FastAPI, Request
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse

from tests.facts import fact
from workshop.testing import exchange

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
