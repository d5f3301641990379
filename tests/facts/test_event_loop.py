"""Which code runs on the event loop, which in threads, and how many there are."""

from __future__ import annotations

import asyncio
import gc
import threading
import warnings

import anyio.to_thread
from fastapi import Depends, FastAPI

from tests.facts import fact
from tests.facts.test_dependencies import client_of

TOPIC = "event loop and threads"


@fact("fastapi", topic=TOPIC)
async def test_def_routes_and_dependencies_run_in_threads() -> None:
    """`def` routes, `def` dependencies and `def` background tasks run in a thread;
    `async def` routes run on the event loop's own thread."""
    threads: dict[str, int] = {}

    def dependency() -> None:
        threads["def dependency"] = threading.get_ident()

    app = FastAPI()

    @app.get("/def", dependencies=[Depends(dependency)])
    def def_route() -> None:
        threads["def route"] = threading.get_ident()

    @app.get("/async")
    async def async_route() -> None:
        threads["async route"] = threading.get_ident()

    async with client_of(app) as client:
        await client.get("/def")
        await client.get("/async")

    loop_thread = threading.get_ident()
    assert threads["def dependency"] != loop_thread
    assert threads["def route"] != loop_thread
    assert threads["async route"] == loop_thread


@fact("fastapi", "anyio", topic=TOPIC)
async def test_the_thread_pool_has_forty_threads() -> None:
    """All `def` routes, dependencies and background tasks of a process share one thread
    pool with forty threads."""
    limiter = anyio.to_thread.current_default_thread_limiter()
    seen: list[float] = []
    app = FastAPI()

    @app.get("/")
    def route() -> None:
        seen.append(limiter.statistics().borrowed_tokens)

    async with client_of(app) as client:
        await client.get("/")

    assert (limiter.total_tokens, seen) == (40, [1])


@fact("anyio", topic=TOPIC)
async def test_asyncio_to_thread_does_not_use_that_pool() -> None:
    """`asyncio.to_thread` uses the loop's own executor rather than anyio's forty
    threads, so `loop.set_default_executor` changes nothing for `def` routes."""
    limiter = anyio.to_thread.current_default_thread_limiter()

    assert await asyncio.to_thread(lambda: limiter.statistics().borrowed_tokens) == 0
    borrowed = await anyio.to_thread.run_sync(
        lambda: limiter.statistics().borrowed_tokens
    )
    assert borrowed == 1


@fact("anyio", topic=TOPIC)
async def test_a_separate_limiter_does_not_use_the_shared_one() -> None:
    """`anyio.to_thread.run_sync(…, limiter=…)` counts against that limiter and not
    against the shared limit of forty threads."""
    common = anyio.to_thread.current_default_thread_limiter()
    own = anyio.CapacityLimiter(1)

    borrowed = await anyio.to_thread.run_sync(
        lambda: (
            own.statistics().borrowed_tokens,
            common.statistics().borrowed_tokens,
        ),
        limiter=own,
    )

    assert borrowed == (1, 0)


@fact("fastapi", topic=TOPIC)
async def test_calling_a_coroutine_function_runs_nothing() -> None:
    """Calling an `async def` function runs none of its lines. If the coroutine is
    dropped without being awaited, Python warns, but the request still succeeds."""
    written: list[str] = []

    async def write() -> None:
        written.append("entry")

    app = FastAPI()

    @app.get("/")
    async def route() -> None:
        write()  # type: ignore[unused-coroutine]  # that is the fact

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        async with client_of(app) as client:
            status = (await client.get("/")).status_code
        gc.collect()

    assert (status, written) == (200, [])
    assert any("was never awaited" in str(warning.message) for warning in caught)
