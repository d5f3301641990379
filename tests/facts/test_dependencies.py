"""When the code after `yield` of a dependency runs, and what its errors become."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Annotated

import anyio
import anyio.lowlevel
import httpx2
import pytest
from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException
from fastapi.exceptions import DependencyScopeError
from fastapi.responses import StreamingResponse

from tests.facts import fact
from workshop.testing import Journal, exchange

TOPIC = "dependencies with yield"


def client_of(app: FastAPI) -> httpx2.AsyncClient:
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    return httpx2.AsyncClient(transport=transport, base_url="http://facts")


async def inner() -> AsyncIterator[None]:
    yield


async def outer(
    needed: Annotated[None, Depends(inner, scope="function")],
) -> AsyncIterator[None]:
    yield


async def order_of_events(*, scope: str | None) -> list[str]:
    journal = Journal()

    async def resource() -> AsyncIterator[None]:
        yield
        journal.record("after yield")

    depends = (
        Depends(resource) if scope is None else Depends(resource, scope="function")
    )
    app = FastAPI()

    @app.get("/", dependencies=[depends])
    async def page(background: BackgroundTasks) -> None:
        background.add_task(journal.record, "background task")
        journal.record("handler")

    await exchange(app, "GET", "/", journal=journal).finished()
    return [str(event) for event in journal.events]


@fact("fastapi", "starlette", topic=TOPIC)
async def test_by_default_clean_up_runs_after_the_background_tasks() -> None:
    """The code after `yield` runs after the whole response has been sent and after its
    background tasks, unless the dependency asks for `scope="function"`."""
    assert await order_of_events(scope=None) == [
        "handler",
        "http.response.start",
        "http.response.body",
        "background task",
        "after yield",
    ]


@fact("fastapi", "starlette", topic=TOPIC)
async def test_with_function_scope_clean_up_runs_before_the_response() -> None:
    """With `Depends(…, scope="function")` the code after `yield` runs after the handler
    has returned and before the first byte of the response is sent."""
    assert await order_of_events(scope="function") == [
        "handler",
        "after yield",
        "http.response.start",
        "http.response.body",
        "background task",
    ]


async def answer_when_the_exit_raises(error: Exception, scope: str) -> int:
    async def resource() -> AsyncIterator[None]:
        yield
        raise error

    app = FastAPI()
    depends = (
        Depends(resource) if scope == "request" else Depends(resource, scope="function")
    )

    @app.get("/", dependencies=[depends])
    async def page() -> None:
        return None

    async with client_of(app) as client:
        return (await client.get("/")).status_code


@fact("fastapi", topic=TOPIC)
async def test_by_default_an_error_after_yield_does_not_change_the_response() -> None:
    """If the code after `yield` raises (a failing commit, even an `HTTPException`), the
    client still has the complete 200 that was already sent."""
    assert await answer_when_the_exit_raises(ValueError(), "request") == 200
    assert await answer_when_the_exit_raises(HTTPException(409), "request") == 200


@fact("fastapi", topic=TOPIC)
async def test_with_function_scope_an_error_after_yield_is_the_response() -> None:
    """With `scope="function"` an error after `yield` becomes the response: 500, or the
    status of an `HTTPException`."""
    assert await answer_when_the_exit_raises(ValueError(), "function") == 500
    assert await answer_when_the_exit_raises(HTTPException(409), "function") == 409


@fact("fastapi", topic=TOPIC)
async def test_a_swallowed_exception_is_a_500() -> None:
    """A dependency that swallows the handler's exception around its `yield` turns a
    404 into a 500."""

    async def resource() -> AsyncIterator[None]:
        with contextlib.suppress(HTTPException):
            yield

    app = FastAPI()

    @app.get("/", dependencies=[Depends(resource)])
    async def page() -> None:
        raise HTTPException(404)

    async with client_of(app) as client:
        assert (await client.get("/")).status_code == 500


@fact("fastapi", topic=TOPIC)
async def test_a_request_scoped_dependency_cannot_use_a_function_scoped_one() -> None:
    """A `yield` dependency of default scope that depends on one with `scope="function"`
    raises an error when the route is declared."""
    app = FastAPI()
    with pytest.raises(DependencyScopeError):

        @app.get("/", dependencies=[Depends(outer)])
        async def page() -> None:
            return None


@fact("fastapi", "anyio", topic=TOPIC)
async def test_clean_up_runs_when_a_client_leaves_a_stream() -> None:
    """The code after `yield` can await even if the client has left a stream, because it
    is shielded from the cancellation."""
    journal = Journal()

    async def resource() -> AsyncIterator[None]:
        yield
        await anyio.lowlevel.checkpoint()
        journal.record("cleaned up")

    app = FastAPI()

    @app.get("/", dependencies=[Depends(resource)])
    async def page() -> StreamingResponse:
        async def forever() -> AsyncIterator[str]:
            yield "first"
            await anyio.sleep_forever()

        return StreamingResponse(forever())

    visit = exchange(app, "GET", "/")
    await visit.response_started()
    visit.disconnect()
    await visit.finished()

    assert journal.events == ["cleaned up"]
