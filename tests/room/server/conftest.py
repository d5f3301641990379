"""Databases for the room."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from workshop.room.server.store import Store, database_engine
from workshop.services.keeper import kept
from workshop.services.postgres import fresh_postgres_database


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of an embedded PostgreSQL."""
    with kept("postgres") as service:
        yield service.url


@pytest.fixture(params=["sqlite", "postgres"])
async def database(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[str]:
    """The URL of an empty database, of each kind in turn."""
    if request.param == "sqlite":
        yield f"sqlite+aiosqlite:///{(tmp_path / 'room.sqlite3').as_posix()}"
        return
    async with fresh_postgres_database(request.getfixturevalue("postgres")) as url:
        yield url


@pytest.fixture
async def store(database: str) -> AsyncIterator[Store]:
    """A store with an open room."""
    engine = database_engine(database)
    try:
        store = Store(engine)
        await store.open("The room")
        yield store
    finally:
        await engine.dispose()
