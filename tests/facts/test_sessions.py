"""What SQLAlchemy's asyncio sessions and pools do."""

from __future__ import annotations

import gc
import importlib.metadata
import warnings
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from sqlalchemy import ForeignKey, event, exc, select
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.pool import AsyncAdaptedQueuePool, StaticPool

from tests.facts import fact

TOPIC = "database sessions"
PACKAGES = ("sqlalchemy", "aiosqlite")


class Base(DeclarativeBase):
    """The tables of these facts."""


class Show(Base):
    """A show that orders are for."""

    __tablename__ = "shows"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]


class Order(Base):
    """An order for a show."""

    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    show_id: Mapped[int] = mapped_column(ForeignKey("shows.id"))
    show: Mapped[Show] = relationship()


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'facts.db'}")
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    async with AsyncSession(engine) as session:
        session.add(Order(id=1, show=Show(id=1, title="Hamlet")))
        await session.commit()
    yield engine
    await engine.dispose()


def refused_outside_await(read: Callable[[], object]) -> bool:
    """Return whether SQLAlchemy refuses to wait where nothing is awaited."""
    with warnings.catch_warnings():
        # The call that is refused leaves a coroutine that nobody awaits. It has
        # to go here, and not in the middle of another test.
        warnings.simplefilter("ignore")
        try:
            read()
        except exc.StatementError as error:
            refused = "greenlet_spawn has not been called" in str(error)
        else:
            refused = False
        gc.collect()
    return refused


@fact(*PACKAGES, topic=TOPIC)
async def test_a_lazy_relationship_cannot_be_read(engine: AsyncEngine) -> None:
    """Reading a relationship that was not loaded with its object fails with
    `MissingGreenlet`, wrapped in a `StatementError`."""
    async with AsyncSession(engine) as session:
        order = await session.get_one(Order, 1)
        assert refused_outside_await(lambda: order.show)


@fact(*PACKAGES, topic=TOPIC)
async def test_after_a_commit_attributes_are_expired(engine: AsyncEngine) -> None:
    """After `commit()` a plain column cannot be read without awaiting a refresh, unless
    the session was created with `expire_on_commit=False`."""
    async with AsyncSession(engine) as session:
        show = await session.get_one(Show, 1)
        await session.commit()
        assert refused_outside_await(lambda: show.title)
    async with AsyncSession(engine, expire_on_commit=False) as session:
        show = await session.get_one(Show, 1)
        await session.commit()
        assert show.title == "Hamlet"


@fact(*PACKAGES, topic=TOPIC)
async def test_flush_assigns_the_id(engine: AsyncEngine) -> None:
    """A new object's generated id is None until `flush()` or `commit()`."""
    async with AsyncSession(engine) as session:
        show = Show(title="Macbeth")
        session.add(show)
        before = show.id
        await session.flush()
        assert before is None
        assert show.id == 2


@fact(*PACKAGES, topic=TOPIC)
async def test_leaving_without_commit_rolls_back(engine: AsyncEngine) -> None:
    """Leaving `async with AsyncSession(…)` without `commit()` rolls back; no explicit
    rollback is needed."""
    async with AsyncSession(engine) as session:
        session.add(Show(id=9, title="Lear"))
        await session.flush()
    async with AsyncSession(engine) as session:
        assert await session.get(Show, 9) is None


@fact(*PACKAGES, topic=TOPIC)
async def test_a_session_holds_a_connection_from_query_to_commit(
    engine: AsyncEngine,
) -> None:
    """A session takes a connection from the pool for its first query and returns it
    with `commit()`. The next query, even the one of `refresh()`, takes one again."""
    pool = engine.pool
    assert isinstance(pool, AsyncAdaptedQueuePool)
    in_use = []
    async with AsyncSession(engine) as session:
        in_use.append(pool.checkedout())
        show = await session.get_one(Show, 1)
        in_use.append(pool.checkedout())
        await session.commit()
        in_use.append(pool.checkedout())
        await session.refresh(show)
        in_use.append(pool.checkedout())
    assert in_use == [0, 1, 0, 1]
    assert pool.checkedout() == 0


@fact(*PACKAGES, topic=TOPIC)
async def test_a_session_left_open_keeps_its_connection(engine: AsyncEngine) -> None:
    """A session that is not closed keeps its connection checked out; closing it returns
    the connection to the pool."""
    events: list[str] = []
    for name in ("checkout", "checkin"):
        event.listen(engine.sync_engine, name, lambda *_, n=name: events.append(n))
    session = async_sessionmaker(engine)()
    await session.execute(select(Show))
    assert events == ["checkout"]
    await session.close()
    assert events == ["checkout", "checkin"]


@fact(*PACKAGES, topic=TOPIC)
async def test_in_memory_sqlite_is_one_connection() -> None:
    """An async engine on SQLite's `:memory:` has one connection that all sessions
    share, so they see each other's uncommitted rows. On a file it has a pool."""
    memory = create_async_engine("sqlite+aiosqlite://")
    file = create_async_engine("sqlite+aiosqlite:///unused.db")
    assert isinstance(memory.pool, StaticPool)
    assert isinstance(file.pool, AsyncAdaptedQueuePool)


@fact("sqlalchemy", topic=TOPIC)
def test_greenlet_comes_with_the_asyncio_extra() -> None:
    """SQLAlchemy installs greenlet, which its asyncio extension needs, only with the
    extra `sqlalchemy[asyncio]`."""
    needed = importlib.metadata.requires("sqlalchemy") or []
    greenlet = [line for line in needed if line.startswith("greenlet")]
    assert greenlet
    assert all("extra ==" in line for line in greenlet)
