"""What lesson 06 offers to copy."""

from __future__ import annotations

import asyncio
import types
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from workshop.testing import (
    FakeService,
    Gate,
    RedisProxy,
    RedisServer,
    fail_after,
    settle,
)

Service = Callable[..., types.ModuleType]

REPORTS: dict[int, Any] = {1: ["one"], 2: [], 3: None, 4: {"sold": 7}}


@pytest.fixture
def proxy(redis: RedisServer) -> Iterator[RedisProxy]:
    with RedisProxy(redis.url) as proxy:
        yield proxy


@asynccontextmanager
async def running(
    service: Service, proxy: RedisProxy, load_report: Any
) -> AsyncIterator[httpx2.AsyncClient]:
    copied = service("06", REDIS_URL=proxy.url, load_report=load_report)
    async with copied.app.router.lifespan_context(copied.app) as state:

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await copied.app({**scope, "state": {**state}}, receive, send)

        transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(
            transport=transport, base_url="http://service"
        ) as client:
            yield client


def database() -> FakeService:
    return FakeService("the slow query", REPORTS.__getitem__)


async def test_twenty_misses_cost_one_query_and_every_value_comes_from_redis(
    service: Service, proxy: RedisProxy
) -> None:
    load = database()
    async with running(service, proxy, load) as client:
        for _ in range(2):
            got = await asyncio.gather(
                *(client.get(f"/reports/{number}") for number in [*REPORTS] * 20)
            )
            assert [it.json() for it in got] == [*REPORTS.values()] * 20

    assert sorted(load.calls) == [(number,) for number in REPORTS]


async def test_neither_an_error_nor_a_cancelled_request_affects_later_ones(
    service: Service, proxy: RedisProxy
) -> None:
    load = database()
    load.fails_once(RuntimeError("restarted"))
    async with running(service, proxy, load) as client:
        failed = await client.get("/reports/1")
        slow = load.hangs(times=1)
        first, second = (
            asyncio.create_task(client.get("/reports/1")) for _ in range(2)
        )
        await slow.entered()
        first.cancel()
        await asyncio.wait([first])
        slow.open()
        served = await second

    assert failed.status_code == 500
    assert served.json() == ["one"]


async def test_a_page_comes_while_redis_stalls_and_after_it_has_died(
    service: Service, proxy: RedisProxy
) -> None:
    async with running(service, proxy, database()) as client:
        with proxy.hold():
            stalled = await client.get("/reports/1")
        proxy.close()
        died = await client.get("/reports/4")

    assert stalled.json() == ["one"]
    assert died.json() == {"sold": 7}


async def test_shutdown_leaves_no_lookup_and_no_connection(
    service: Service, proxy: RedisProxy
) -> None:
    never = Gate("the slow query")
    async with running(service, proxy, never) as client:
        request = asyncio.create_task(client.get("/reports/1"))
        await never.entered()
        request.cancel()
        await asyncio.wait([request])
    assert never.cancelled == 1
    await fail_after(all_closed(proxy), "Connections to Redis are still open.")


async def all_closed(proxy: RedisProxy) -> None:
    while proxy.open_connections:
        await settle()
