"""What lesson 08 offers to copy."""

from __future__ import annotations

import asyncio
import types
from collections.abc import Callable

import anyio
import httpx2
import pytest

from workshop.testing import exchange

Load = Callable[..., types.ModuleType]


class Outside:
    """A drawing and a payment that take their time."""

    def __init__(self) -> None:
        self.begun, self.goes_on = asyncio.Event(), asyncio.Event()
        self.ended: list[str] = []
        self.error: Exception | None = None

    async def work(self, number: int) -> dict[str, int]:
        self.begun.set()
        try:
            await self.goes_on.wait()
        except asyncio.CancelledError:
            self.ended.append("cancelled")
            raise
        if self.error is not None:
            raise self.error
        self.ended.append("complete")
        return {"number": number}


def loaded(service: Load, outside: Outside) -> types.ModuleType:
    return service("08", draw=outside.work, pay_and_record=outside.work)


async def test_a_report_stops_when_its_client_disconnects(service: Load) -> None:
    outside = Outside()
    request = exchange(loaded(service, outside).app, "GET", "/reports/3")
    await outside.begun.wait()
    request.disconnect()
    await request.finished()

    assert outside.ended == ["cancelled"]


@pytest.mark.parametrize("path", ["GET /reports/3", "POST /orders/3"])
async def test_a_client_that_waits_gets_its_response(service: Load, path: str) -> None:
    outside = Outside()
    method, _, where = path.partition(" ")
    request = exchange(loaded(service, outside).app, method, where)
    await outside.begun.wait()
    outside.goes_on.set()
    await request.finished()

    assert (request.content, outside.ended) == ({"number": 3}, ["complete"])


@pytest.mark.parametrize("path", ["GET /reports/3", "POST /orders/3"])
async def test_an_error_of_the_work_is_the_error_of_the_route(
    service: Load, path: str
) -> None:
    outside = Outside()
    outside.error = httpx2.ReadTimeout("no response")
    outside.goes_on.set()
    method, _, where = path.partition(" ")
    request = exchange(loaded(service, outside).app, method, where)
    await request.finished()

    assert request.status == 500
    assert request.error is outside.error


async def test_a_cancelled_report_ends_its_drawing(service: Load) -> None:
    outside = Outside()
    request = exchange(loaded(service, outside).app, "GET", "/reports/3")
    await outside.begun.wait()
    request.cancel()
    await request.finished()

    assert outside.ended == ["cancelled"]
    assert isinstance(request.error, asyncio.CancelledError)


async def test_an_order_is_complete_before_its_cancellation(service: Load) -> None:
    outside = Outside()
    request = exchange(loaded(service, outside).app, "POST", "/orders/3")
    await outside.begun.wait()
    for _ in range(2):
        request.cancel()
        await asyncio.sleep(0)
    assert not request.done
    outside.goes_on.set()
    await request.finished()

    assert outside.ended == ["complete"]
    assert isinstance(request.error, asyncio.CancelledError)


async def test_an_order_is_complete_in_a_cancelled_scope(service: Load) -> None:
    outside = Outside()
    finish = loaded(service, outside).finish
    async with anyio.create_task_group() as group:
        group.start_soon(finish, outside.work(3))
        await outside.begun.wait()
        group.cancel_scope.cancel()
        asyncio.get_running_loop().call_later(0, outside.goes_on.set)

    assert outside.ended == ["complete"]
