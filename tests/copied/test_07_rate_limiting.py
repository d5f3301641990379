"""What lesson 07 offers to copy."""

from __future__ import annotations

import types
from collections.abc import AsyncIterator, Callable, Iterator, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from workshop.services import redis_server

PROXY = "10.0.0.1"
Service = Callable[..., types.ModuleType]


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    with redis_server() as redis:
        yield redis.url


@asynccontextmanager
async def worker(service: Service, redis_url: str) -> AsyncIterator[Any]:
    """Start one worker, and yield a function that logs in from an address."""
    copied = service(
        "07",
        REDIS_URL=redis_url,
        PROXIES=[PROXY],
        check_password=lambda name, password: f"token of {name}",
    )

    async def log_in(address: str, *forwarded: str) -> httpx2.Response:
        transport = httpx2.ASGITransport(with_state, client=(address, 40_000))
        headers = [("X-Forwarded-For", line) for line in forwarded]
        async with httpx2.AsyncClient(
            transport=transport, base_url="http://service"
        ) as client:
            return await client.post(
                "/login", params={"name": "ann", "password": "?"}, headers=headers
            )

    async with copied.app.router.lifespan_context(copied.app) as state:

        async def with_state(
            scope: MutableMapping[str, Any], receive: Any, send: Any
        ) -> None:
            await copied.app({**scope, "state": dict(state)}, receive, send)

        yield log_in


async def test_two_workers_share_one_limit(service: Service, redis_url: str) -> None:
    async with (
        worker(service, redis_url) as first,
        worker(service, redis_url) as second,
    ):
        responses = [await each("203.0.113.1") for each in 3 * (first, second)]
        other = await second("203.0.113.2")

    assert [it.status_code for it in responses] == [200] * 5 + [429]
    assert 1 <= int(responses[-1].headers["retry-after"]) <= 60
    assert other.json() == {"token": "token of ann"}


async def test_a_forged_header_line_is_no_way_around_the_limit(
    service: Service, redis_url: str
) -> None:
    async with worker(service, redis_url) as log_in:
        scalper = [
            await log_in(PROXY, f"198.51.100.{number}", "203.0.113.66")
            for number in range(7)
        ]
        customer = await log_in(PROXY, "203.0.113.7")

    assert [it.status_code for it in scalper] == [200] * 5 + [429] * 2
    assert customer.status_code == 200


async def test_without_redis_a_call_is_served(service: Service) -> None:
    async with worker(service, "redis://127.0.0.1:1") as log_in:
        responses = [await log_in("203.0.113.3") for _ in range(7)]

    assert {it.status_code for it in responses} == {200}
