"""When background tasks run, what ends them, and what keeps a task alive."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException, Response
from fastapi.responses import JSONResponse
from sqlalchemy import select
from sqlalchemy.ext.asyncio import (
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from tests.facts import fact
from workshop.testing import Gate, Journal, exchange, settle
from workshop.testing.app.exchange import Exchange

TOPIC = "background tasks"


async def ran_after(app: FastAPI, path: str = "/") -> Exchange:
    """Return a request that is over, its background tasks included."""
    request = exchange(app, "GET", path)
    await request.finished()
    return request


@fact("fastapi", "starlette", topic=TOPIC)
async def test_a_failing_background_task_skips_the_following_ones() -> None:
    """Background tasks run one after another after the response has been sent. The
    first exception skips the remaining ones, but the client already has its complete
    response."""
    journal = Journal()
    app = FastAPI()

    async def fails() -> None:
        journal.record("failed")
        raise ConnectionError("no mail server")

    @app.get("/", status_code=201)
    async def page(tasks: BackgroundTasks) -> None:
        tasks.add_task(journal.record, "first")
        tasks.add_task(fails)
        tasks.add_task(journal.record, "last")

    request = exchange(app, "GET", "/", journal=journal)
    await request.finished()

    assert (request.status, request.complete) == (201, True)
    assert isinstance(request.error, ConnectionError)
    sent = ["http.response.start", "http.response.body"]
    assert journal.events == [*sent, "first", "failed"]


@fact("fastapi", "starlette", topic=TOPIC)
async def test_an_async_task_runs_on_the_loop_and_a_def_task_in_a_thread() -> None:
    """An `async def` background task runs on the event loop's thread, a `def` one in a
    thread of the pool."""
    threads: list[int] = []
    app = FastAPI()

    async def on_the_loop() -> None:
        threads.append(threading.get_ident())

    def in_a_thread() -> None:
        threads.append(threading.get_ident())

    @app.get("/")
    async def page(tasks: BackgroundTasks) -> None:
        tasks.add_task(on_the_loop)
        tasks.add_task(in_a_thread)

    await ran_after(app)

    assert threads[0] == threading.get_ident() != threads[1]


@fact("fastapi", topic=TOPIC)
async def test_an_error_in_the_handler_drops_added_tasks() -> None:
    """If the handler raises, even an `HTTPException`, none of the background tasks
    added before run. If it sets the status and returns, they do."""
    journal = Journal()
    app = FastAPI()

    @app.get("/raised")
    async def raised(tasks: BackgroundTasks) -> None:
        tasks.add_task(journal.record, "after an exception")
        raise HTTPException(402)

    @app.get("/returned")
    async def returned(tasks: BackgroundTasks, response: Response) -> None:
        tasks.add_task(journal.record, "after an answer")
        response.status_code = 402

    answers = [await ran_after(app, path) for path in ("/raised", "/returned")]

    assert [answer.status for answer in answers] == [402, 402]
    assert journal.events == ["after an answer"]


@fact("fastapi", topic=TOPIC)
async def test_tasks_of_a_response_replace_those_added() -> None:
    """Added background tasks are attached to a response that the handler returns,
    unless it has its own `background`, which replaces them."""
    journal = Journal()
    app = FastAPI()

    @app.get("/none")
    async def without(tasks: BackgroundTasks) -> JSONResponse:
        tasks.add_task(journal.record, "added to a response without")
        return JSONResponse({})

    @app.get("/own")
    async def with_own(tasks: BackgroundTasks) -> JSONResponse:
        tasks.add_task(journal.record, "added to a response with its own")
        own = BackgroundTasks()
        own.add_task(journal.record, "the response's own")
        return JSONResponse({}, background=own)

    await ran_after(app, "/none")
    await ran_after(app, "/own")

    assert journal.events == ["added to a response without", "the response's own"]


class Base(DeclarativeBase):
    """The tables of these facts."""


class Order(Base):
    """What a customer has bought."""

    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    confirmed: Mapped[bool] = mapped_column(default=False)


@fact("fastapi", "sqlalchemy", topic=TOPIC)
async def test_a_task_runs_after_a_function_scoped_session_is_closed(
    tmp_path: Path,
) -> None:
    """With `scope="function"` the session of a dependency is closed when a background
    task runs: it no longer contains any objects, and committing it writes nothing and
    raises nothing."""
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'orders.db'}")
    new_session = async_sessionmaker(engine, expire_on_commit=False)
    held: list[bool] = []

    async def get_db() -> AsyncIterator[AsyncSession]:
        async with new_session() as session:
            yield session
            await session.commit()

    async def confirm(order: Order, db: AsyncSession) -> None:
        held.append(order in db)
        order.confirmed = True
        await db.commit()

    app = FastAPI()
    session_of_request = Depends(get_db, scope="function")

    @app.get("/")
    async def buy(
        tasks: BackgroundTasks, db: AsyncSession = session_of_request
    ) -> None:
        order = Order()
        db.add(order)
        tasks.add_task(confirm, order, db)

    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    request = await ran_after(app)
    async with new_session() as session:
        stored = (await session.scalars(select(Order.confirmed))).all()
    await engine.dispose()

    assert (request.status, request.error, held) == (200, None, [False])
    assert list(stored) == [False]


@fact(topic=TOPIC)
async def test_a_task_without_a_reference_is_garbage_collected() -> None:
    """The event loop holds only a weak reference to a task. A task without any other
    reference, which waits for something that only it refers to, disappears in a garbage
    collection."""
    waits_for: list[weakref.ref[asyncio.Future[None]]] = []

    async def job() -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waits_for.append(weakref.ref(future))
        await future

    told: list[str] = []
    with hearing_the_loop(told):
        kept = {asyncio.create_task(job())}
        asyncio.create_task(job())  # noqa: RUF006 -- that nobody keeps it is the fact
        await settle()
        gc.collect()
        alive = [each() is not None for each in waits_for]

    assert alive == [True, False]
    assert told == ["Task was destroyed but it is pending!"]
    for task in kept:
        task.cancel()
        await asyncio.wait({task})


@fact(topic=TOPIC)
async def test_a_dropped_task_reports_its_error_and_a_kept_one_does_not() -> None:
    """An exception that was never retrieved is reported when its task is
    garbage-collected. While a list keeps the task, or after
    `gather(return_exceptions=True)` has retrieved the exception, nothing is
    reported."""

    async def fails() -> None:
        raise OSError("paper jam")

    told: list[str] = []
    with hearing_the_loop(told):
        kept = [asyncio.create_task(fails())]
        await settle()
        gc.collect()
        assert told == []

        await asyncio.gather(*kept, return_exceptions=True)
        kept.clear()
        gc.collect()
        assert told == []

        dropped = {asyncio.create_task(fails())}
        for task in dropped:
            task.add_done_callback(dropped.discard)
        del task
        await settle()
        gc.collect()

    assert told == ["Task exception was never retrieved"]


@fact("uvicorn", topic=TOPIC)
async def test_shutdown_waits_for_background_tasks_but_not_for_others() -> None:
    """At shutdown, uvicorn waits for requests and their background tasks before it runs
    the lifespan's shutdown. It does not wait for tasks created with
    `asyncio.create_task`."""
    journal = Journal()
    mail, printer = Gate("the mail"), Gate("the printer")
    jobs: list[asyncio.Task[Any]] = []

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        journal.record(f"lifespan ends, {printer.waiting} at the printer")

    async def send_mail() -> None:
        await mail()
        # uvicorn has no event for it: the stop has begun when nobody is let in.
        while server.servers[0].is_serving():  # noqa: ASYNC110 -- for that reason
            await asyncio.sleep(0)
        await settle()
        journal.record("mail sent")

    app = FastAPI(lifespan=lifespan)

    @app.get("/")
    async def page(tasks: BackgroundTasks) -> None:
        tasks.add_task(send_mail)
        jobs.append(asyncio.create_task(printer()))

    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, loop="asyncio")
    )
    server.config.load()
    server.lifespan = server.config.lifespan_class(server.config)
    await server.startup()
    port = server.servers[0].sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nhost: facts\r\nconnection: close\r\n\r\n")
    assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    await mail.entered()

    mail.open()
    await server.shutdown()
    writer.close()
    printer.open()
    await asyncio.wait(jobs)

    assert journal.events == ["mail sent", "lifespan ends, 1 at the printer"]


@contextlib.contextmanager
def hearing_the_loop(told: list[str]) -> Any:
    """Write into *told* what the loop's exception handler is told.

    Meanwhile the garbage collector looks at new objects only: it is quicker so.
    """
    gc.freeze()
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, context: told.append(context["message"]))
    try:
        yield
    finally:
        loop.set_exception_handler(before)
        gc.unfreeze()
