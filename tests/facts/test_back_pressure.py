"""What lesson 09 says about limits."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI
from sqlalchemy import Select, event, select, text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from tests.facts import fact
from workshop.testing import fail_after, settle

TOPIC = "limits on work"


@fact(topic=TOPIC)
async def test_a_semaphore_that_is_released_too_often_grows() -> None:
    """An `asyncio.Semaphore(3)` that is acquired once and released three times lets in
    five, without an error. A `BoundedSemaphore` raises a `ValueError` instead."""
    limit = asyncio.Semaphore(3)
    await limit.acquire()
    for _ in range(3):
        limit.release()
    let_in = [asyncio.create_task(limit.acquire()) for _ in range(10)]
    await settle()
    assert sum(task.done() for task in let_in) == 5
    for task in let_in:
        task.cancel()

    bounded = asyncio.BoundedSemaphore(3)
    try:
        bounded.release()
    except ValueError:
        return
    raise AssertionError("it was released although it had not been acquired")


@fact("uvicorn", topic=TOPIC)
async def test_limit_concurrency_counts_idle_connections() -> None:
    """Uvicorn's `limit_concurrency` counts connections, so idle ones count too, and its
    503 has no `Retry-After`."""
    app = FastAPI()
    app.get("/")(lambda: 1)
    config = uvicorn.Config(app, limit_concurrency=2, lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    listening = socket.create_server(("127.0.0.1", 0))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    heads, writers = [], []
    for _ in range(2):
        reader, writer = await asyncio.open_connection(*listening.getsockname())
        writers.append(writer)
        writer.write(b"GET / HTTP/1.1\r\nhost: box-office\r\n\r\n")
        answered = reader.readuntil(b"\r\n\r\n")
        heads.append(await fail_after(answered, "There was no response."))
    for writer in writers:
        writer.close()
    server.should_exit = True
    await serving

    assert [head.split()[1] for head in heads] == [b"200", b"503"]
    assert b"retry-after" not in heads[1].lower()


class Base(DeclarativeBase):
    """The tables of this file."""


class Sale(Base):
    """A row of a view that counts what is read."""

    __tablename__ = "sales"
    number: Mapped[int] = mapped_column(primary_key=True)
    seat: Mapped[int]


@fact("sqlalchemy", topic=TOPIC)
async def test_stream_scalars_needs_yield_per(tmp_path: Path) -> None:
    """For ORM objects, `stream_scalars()` fetches all rows before it returns the first
    one. With the execution option `yield_per=100`, it fetches only 100."""
    seen: list[int] = []
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'sales.db'}")

    def see(number: int) -> int:
        seen.append(number)
        return number

    @event.listens_for(engine.sync_engine, "connect")
    def count(connection: Any, _: object) -> None:
        connection.create_function("seen", 1, see)

    async with engine.begin() as connection:
        for sql in (
            "create table stored as with recursive count(n) as (select 1 union all "
            "select n + 1 from count where n < 1000) select n from count",
            "create view sales as select n as number, seen(n) as seat from stored",
        ):
            await connection.execute(text(sql))

    async def rows_for_the_first(query: Select[Any]) -> int:
        seen.clear()
        async with AsyncSession(engine) as session:
            await anext(aiter(await session.stream_scalars(query)))
            return len(seen)

    plain = await rows_for_the_first(select(Sale))
    parts = select(Sale).execution_options(yield_per=100)
    in_parts = await rows_for_the_first(parts)
    await engine.dispose()

    assert plain == 1000
    assert in_parts == 101  # the driver is one row ahead
