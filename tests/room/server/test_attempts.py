"""How often an address may try wrong codes."""

from collections.abc import Iterator

import pytest
from redis.asyncio import Redis

from workshop.processes.loopback import free_port, loopback
from workshop.room.server.attempts import (
    LIMIT,
    SECONDS,
    Attempts,
    AttemptsInMemory,
    AttemptsInRedis,
)
from workshop.services.keeper import kept


async def fail(attempts: Attempts, address: str, times: int = LIMIT) -> None:
    for _ in range(times):
        await attempts.failed(address)


async def test_an_address_waits_after_the_last_wrong_code_that_is_allowed() -> None:
    now = 1_000.0
    attempts = AttemptsInMemory(lambda: now)
    await fail(attempts, "192.0.2.7", LIMIT - 1)
    assert await attempts.wait_seconds("192.0.2.7") == 0
    await attempts.failed("192.0.2.7")
    assert 0 < await attempts.wait_seconds("192.0.2.7") <= SECONDS + 1
    assert await attempts.wait_seconds("192.0.2.8") == 0
    now += SECONDS
    assert await attempts.wait_seconds("192.0.2.7") == 0


async def test_all_addresses_of_an_ipv6_network_count_as_one() -> None:
    attempts = AttemptsInMemory()
    for number in range(LIMIT):
        await attempts.failed(f"2001:db8::{number}")
    assert await attempts.wait_seconds("2001:db8::ffff")
    assert not await attempts.wait_seconds("2001:db8:0:1::1")


async def test_an_ipv4_address_is_the_same_in_both_forms() -> None:
    attempts = AttemptsInMemory()
    await fail(attempts, "::ffff:192.0.2.7")
    assert await attempts.wait_seconds("192.0.2.7")


async def test_the_memory_stays_bounded_when_addresses_change_all_the_time() -> None:
    attempts = AttemptsInMemory()
    await fail(attempts, "192.0.2.7")
    for number in range(10_001):
        await attempts.failed(f"host-{number}")
    assert await attempts.wait_seconds("192.0.2.7") == 0


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    with kept("redis") as service:
        yield service.url


async def test_several_workers_count_together_in_redis(redis_url: str) -> None:
    async with Redis.from_url(redis_url) as one, Redis.from_url(redis_url) as two:
        await fail(AttemptsInRedis(one), "198.51.100.1")
        assert await AttemptsInRedis(two).wait_seconds("198.51.100.1")
        assert not await AttemptsInRedis(two).wait_seconds("198.51.100.2")


async def test_without_redis_each_worker_counts_for_itself() -> None:
    nothing = f"redis://{loopback()}:{free_port(loopback())}"
    async with Redis.from_url(nothing) as redis:
        attempts = AttemptsInRedis(redis)
        await fail(attempts, "192.0.2.7")
        assert await attempts.wait_seconds("192.0.2.7")
        assert not await attempts.wait_seconds("192.0.2.8")
