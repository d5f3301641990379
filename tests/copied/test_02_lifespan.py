"""What lesson 02 offers to copy."""

from __future__ import annotations

import asyncio
import types
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx2
import pytest

Service = Callable[..., types.ModuleType]


class Database:
    """A database that knows whether it was closed while it was being read."""

    def __init__(self) -> None:
        self.is_open = False
        self.reading = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.read = asyncio.Event()
        self.error: Exception | None = None
        self.closed_under_reader = False
        self._readers = 0

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Database]:
        self.is_open = True
        try:
            yield self
        finally:
            self.is_open = False
            self.closed_under_reader |= self._readers > 0

    async def read_prices(self, database: Database) -> dict[str, int]:
        assert database is self
        self._readers += 1
        self.reading.set()
        try:
            await self.may_answer.wait()
            if self.error:
                raise self.error
            return {"stalls": 60}
        finally:
            await asyncio.sleep(0)  # the cursor is returned
            self._readers -= 1
            # Set when the caller has had its turn.
            asyncio.get_running_loop().call_soon(self.read.set)


def load(service: Service, database: Database) -> types.ModuleType:
    return service("02", open_database=database.open, read_prices=database.read_prices)


@asynccontextmanager
async def running(copied: types.ModuleType) -> AsyncIterator[httpx2.AsyncClient]:
    """Run the app's lifespan, and yield a client whose requests get its state."""
    async with copied.app.router.lifespan_context(copied.app) as state:

        async def app(scope, receive, send):  # type: ignore[no-untyped-def]
            await copied.app({**scope, "state": dict(state)}, receive, send)

        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(
            transport=transport, base_url="http://service"
        ) as client:
            yield client


def refreshers() -> list[asyncio.Task[object]]:
    return [task for task in asyncio.all_tasks() if "Resources.refresh" in repr(task)]


async def test_it_is_ready_only_when_there_are_prices(service: Service) -> None:
    database = Database()
    async with running(load(service, database)) as client:
        await database.reading.wait()
        early = await client.get("/ready")
        database.may_answer.set()
        await database.read.wait()
        late = await client.get("/ready")
    assert early.status_code == 503
    assert late.json() == {"ready": True}


async def test_the_database_is_closed_after_its_reader_has_stopped(
    service: Service,
) -> None:
    database = Database()
    async with running(load(service, database)):
        await database.reading.wait()
    assert not database.is_open
    assert not database.closed_under_reader
    assert not refreshers()


@pytest.mark.parametrize("error", [httpx2.ReadTimeout("slow"), ValueError("no list")])
async def test_a_failed_reading_is_not_the_last(
    service: Service, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    database = Database()
    database.error = error
    database.may_answer.set()
    async with running(load(service, database)) as client:
        await database.read.wait()
        response = await client.get("/ready")
        running_on = len(refreshers())
    assert response.status_code == 503
    assert "keeping the old prices" in caplog.text
    assert running_on == 1


async def test_an_error_while_serving_closes_everything(service: Service) -> None:
    database = Database()
    copied = load(service, database)

    async def fail() -> None:
        async with running(copied):
            await database.reading.wait()
            raise RuntimeError("the server stops")

    with pytest.raises(RuntimeError, match="the server stops"):
        await fail()
    assert not database.is_open
    assert not database.closed_under_reader
    assert not refreshers()
