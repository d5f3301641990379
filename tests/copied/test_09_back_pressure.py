"""What lesson 09 offers to copy."""

from __future__ import annotations

import asyncio
import types
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx2

from workshop.testing import eventually, exchange


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
) -> types.ModuleType:
    return service(
        "09", fetch_stock=warehouse.fetch_stock, open_document=documents.open
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
