"""What lesson 09 offers to copy."""

from __future__ import annotations

import asyncio
import types
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import delete, insert
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from workshop.testing import eventually, exchange


class Base(DeclarativeBase):
    """The tables of this file."""


class Invoice(Base):
    """A row of the reader's service."""

    __tablename__ = "invoices"
    id: Mapped[int] = mapped_column(primary_key=True)


def as_line(invoice: Invoice) -> str:
    return f"{invoice.id}\n"


class Warehouse:
    """A partner that answers when the test says so."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.error: Exception | None = None
        self.answers = asyncio.Event()

    async def fetch_stock(self, number: int) -> int:
        self.asked.append(number)
        await self.answers.wait()
        if self.error:
            raise self.error
        return 10 * number


class Documents:
    """Keeps what was written, unless the block raises an exception."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    @asynccontextmanager
    async def open(self, name: str) -> AsyncIterator[Documents]:
        self.data = b""
        yield self
        self.kept[name] = self.data

    async def write(self, chunk: bytes) -> None:
        self.data += chunk


def copied(
    service: Callable[..., types.ModuleType],
    warehouse: Warehouse,
    documents: Documents,
    sessions: object = None,
) -> types.ModuleType:
    return service(
        "09",
        fetch_stock=warehouse.fetch_stock,
        open_document=documents.open,
        Session=sessions,
        Invoice=Invoice,
        as_line=as_line,
    )


async def test_a_full_line_refuses_and_clients_that_have_left_are_not_served(
    service: Callable[..., types.ModuleType],
) -> None:
    warehouse = Warehouse()
    app = copied(service, warehouse, Documents()).app
    crowd = [exchange(app, "GET", f"/products/{n}/stock") for n in range(9)]
    assert await eventually(lambda: crowd[8].complete)
    assert crowd[8].status == 503
    assert crowd[8].headers["retry-after"] == "5"
    crowd[4].disconnect()
    crowd[5].cancel()
    warehouse.answers.set()
    assert await eventually(lambda: all(request.done for request in crowd))
    assert warehouse.asked == [0, 1, 2, 3, 6, 7]
    assert crowd[7].json() == {"stock": 70}


async def test_a_place_comes_back_after_an_error(
    service: Callable[..., types.ModuleType],
) -> None:
    warehouse = Warehouse()
    warehouse.answers.set()
    app = copied(service, warehouse, Documents()).app
    warehouse.error = httpx2.ReadTimeout("no response")
    failed = [exchange(app, "GET", "/products/1/stock") for _ in range(8)]
    assert await eventually(lambda: all(request.done for request in failed))
    warehouse.error = None
    later = [exchange(app, "GET", "/products/2/stock") for _ in range(8)]
    assert await eventually(lambda: all(request.done for request in later))
    assert [request.status for request in later] == [200] * 8


async def test_a_document_that_is_too_large_is_refused(
    service: Callable[..., types.ModuleType],
) -> None:
    documents = Documents()
    app = copied(service, Warehouse(), documents).app
    fits = exchange(app, "PUT", "/documents/a", body=b"x" * 1024 * 1024)
    large = exchange(app, "PUT", "/documents/b", body=b"x" * (1024 * 1024 + 1))
    assert await eventually(lambda: fits.done and large.done)
    assert (fits.status, large.status) == (200, 413)
    assert [*documents.kept] == ["a"]


@pytest.mark.parametrize("count", [0, 1, 199, 200, 201, 450])
async def test_all_invoices_are_exported_in_pages(
    service: Callable[..., types.ModuleType], tmp_path: Path, count: int
) -> None:
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'invoices.db'}")
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
        await connection.execute(
            insert(Invoice), [{"id": 2 * n} for n in range(1, 501)]
        )
        await connection.execute(delete(Invoice).where(Invoice.id > 2 * count))
    app = copied(service, Warehouse(), Documents(), async_sessionmaker(engine)).app

    export = exchange(app, "GET", "/invoices")
    await export.finished()
    await engine.dispose()

    assert (export.status, export.complete) == (200, True)
    numbers = [int(line) for line in export.body.split()]
    assert numbers == [2 * n for n in range(1, count + 1)]
    assert len(export.messages) == 2 + -(-count // 200)
