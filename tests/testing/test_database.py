"""The database of a test, its second connection, and the counters of the pools."""

import asyncio
import contextlib
import gc
import os
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.ext.asyncio import create_async_engine

from tests.testing.conftest import WriteApp
from workshop.testing import Database, Leaks, RunningApp, exchange
from workshop.testing.app.application import running
from workshop.testing.plugin import RunApp

APP = """
import os
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

engine = create_async_engine(os.environ["DATABASE_URL"])
Session = async_sessionmaker(engine)


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    seat: Mapped[str]


@asynccontextmanager
async def lifespan(app):
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield
    if os.environ.get("DISPOSE", "yes") == "yes":
        await engine.dispose()


app = FastAPI(lifespan=lifespan)


async def get_db():
    async with Session() as session:
        yield session
        await session.commit()


@app.post("/late")
async def late(db: Annotated[AsyncSession, Depends(get_db)]):
    db.add(Order(seat="A1"))
    return "sold"


@app.post("/in-time")
async def in_time(db: Annotated[AsyncSession, Depends(get_db, scope="function")]):
    db.add(Order(seat="A1"))
    return "sold"


@app.post("/leak")
async def leak():
    session = Session()
    await session.execute(text("SELECT 1"))
    return "forgotten"
"""


async def test_a_commit_after_the_response_is_detected(
    app: RunningApp, database: Database
) -> None:
    order = exchange(app, "POST", "/late", probe=lambda: database.count("orders"))
    await order.finished()

    assert order.status == 200
    assert order.probed[0] == ("http.response.start", 0)
    assert await database.count("orders") == 1


async def test_a_commit_before_the_response_is_detected(
    app: RunningApp, database: Database
) -> None:
    order = exchange(app, "POST", "/in-time", probe=lambda: database.count("orders"))
    await order.finished()

    assert order.probed[0] == ("http.response.start", 1)


async def test_rows_are_fetched_counted_and_added_the_same_way_everywhere(
    app: RunningApp, database: Database
) -> None:
    for seat in ("A1", "A2"):
        await database.execute("INSERT INTO orders (seat) VALUES (?)", seat)

    rows = await database.fetch("SELECT id, seat FROM orders WHERE seat <> ?", "A1")
    assert [row["seat"] for row in rows] == ["A2"]
    assert await database.count("orders", seat="A1") == 1
    assert await database.count("orders", seat="A1", id=99) == 0
    assert await database.fetch("SELECT '?' AS mark WHERE 1 = ?", 1) == [{"mark": "?"}]


async def test_nothing_happens_between_the_look_and_what_it_found(
    app: RunningApp, database: Database
) -> None:
    if database.kind != "sqlite":
        pytest.skip("PostgreSQL is asked through the event loop.")
    ran: list[str] = []
    task = asyncio.create_task(asyncio.to_thread(ran.append, "commit"))

    await database.count("orders")

    assert ran == []
    await task


async def test_a_look_waits_for_a_database_that_is_locked(
    app: RunningApp, database: Database
) -> None:
    if database.kind != "sqlite":
        pytest.skip("On PostgreSQL, readers never wait for writers.")
    file = database.url.partition(":///")[2]
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        writer.execute("INSERT INTO orders (seat) VALUES ('A1')")
        look = asyncio.create_task(database.count("orders"))
        await asyncio.sleep(0)
        assert not look.done()
        writer.execute("COMMIT")

        assert await look == 1


async def test_a_missing_table_is_reported(app: RunningApp, database: Database) -> None:
    with pytest.raises(AssertionError, match=r"The database has no table 'tickets'"):
        await database.count("tickets")


async def test_the_order_in_which_a_test_names_its_fixtures_does_not_matter(
    database: Database, surroundings: None
) -> None:
    assert os.environ["DATABASE_URL"] == database.url


async def test_the_app_finds_the_database_in_its_environment(
    app: RunningApp, database: Database
) -> None:
    assert os.environ["DATABASE_URL"] == database.url
    scheme = {"sqlite": "sqlite+aiosqlite:///", "postgres": "postgresql+asyncpg://"}
    assert database.url.startswith(scheme[database.kind])


@pytest.mark.parametrize("seat", ["A1", "B2"])
async def test_every_test_has_its_own_database(
    app: RunningApp, database: Database, seat: str
) -> None:
    assert await database.count("orders") == 0
    await database.execute("INSERT INTO orders (seat) VALUES (?)", seat)


async def test_returned_connections_are_counted(
    app: RunningApp, database: Database
) -> None:
    before = database.checkouts
    async with app.client() as client:
        for _ in range(3):
            await client.post("/in-time")

    assert database.checkouts - before == 3
    assert database.checkins == database.checkouts
    assert (database.out, database.connections_open) == (0, 1)
    await app.shutdown()
    assert database.connections_open == 0


async def test_a_connection_returned_by_the_garbage_collector_counts_as_leaked(
    app: RunningApp, database: Database
) -> None:
    """What the counter says does not depend on what happened to be collected."""
    async with app.client() as client:
        for _ in range(5):
            assert (await client.post("/leak")).status_code == 200
            gc.collect()

    assert database.out == 5
    await app.shutdown()
    gc.collect()
    assert (database.out, database.connections_open) == (5, 5)


async def test_a_connection_that_cannot_be_opened_again_is_not_counted(
    database: Database,
) -> None:
    """The pool then reports a check-in, although nothing was checked out."""
    engine = create_async_engine(database.url)
    async with engine.connect() as connection:
        await connection.invalidate()

    def refuse(*_: object) -> None:
        raise OSError("connection refused")

    event.listen(engine.sync_engine, "do_connect", refuse)
    with pytest.raises(OSError, match="refused"):
        await engine.connect()

    assert (database.checkouts, database.checkins, database.out) == (1, 1, 0)
    await engine.dispose()


async def test_an_engine_that_is_not_disposed_keeps_its_connection(
    run_app: RunApp, database: Database
) -> None:
    async with run_app(env={"DISPOSE": "no"}) as app:
        await app.shutdown()

        assert (database.out, database.connections_open) == (0, 1)


async def test_a_pool_created_anywhere_is_counted(
    write_app: WriteApp, database: Database
) -> None:
    """The test kit knows no name of the app's; its engine may live in the lifespan."""
    file = write_app(
        """
        import os
        from contextlib import asynccontextmanager
        from fastapi import FastAPI
        from sqlalchemy import text
        from sqlalchemy.ext.asyncio import create_async_engine
        from sqlalchemy.pool import NullPool

        @asynccontextmanager
        async def lifespan(app):
            url = os.environ["DATABASE_URL"]
            for options in ({}, {"poolclass": NullPool}, {"pool_size": 1}):
                engine = create_async_engine(url, **options)
                async with engine.connect() as connection:
                    await connection.execute(text("SELECT 1"))
                await engine.dispose()
            yield

        app = FastAPI(lifespan=lifespan)
        """
    )
    async with running(file):
        assert (database.checkouts, database.out) == (3, 0)
        assert database.connections_open == 0


async def test_without_counting_a_leak_is_reported_as_never_closed(
    app: RunningApp, leaks: Leaks
) -> None:
    async with app.client() as client:
        await client.post("/leak")

    assert [words for words in leaks.unclosed() if "garbage collector" in words]


def test_counting_leaves_no_listeners_in_sqlalchemy() -> None:
    from sqlalchemy import create_engine

    from workshop.testing.services.pool import counted_pools

    with counted_pools() as counters:
        pass
    engine = create_engine("sqlite://")
    with engine.connect():
        pass
    engine.dispose()

    assert (counters.checkouts, counters.connects) == (0, 0)


def test_the_files_of_a_test_are_deleted_afterwards(tmp_path: Path) -> None:
    from tests.testing.nested import run_lesson

    told = run_lesson(
        tmp_path,
        APP,
        """
        from pathlib import Path

        async def test_note(app, database):
            assert await database.count("orders") == 0
            Path(__file__).with_name("note").write_text(database.url)
        """,
        "--database=sqlite",
    )

    assert told["test_note"].verdict == "passed", told["test_note"].words
    url = (tmp_path / "note").read_text(encoding="utf-8")
    assert not Path(url.partition(":///")[2]).parent.exists()
