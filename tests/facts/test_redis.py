"""What the lessons say about redis-py, and about the server behind it."""

from __future__ import annotations

import asyncio
import builtins
import gc
import sys
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from redis import exceptions
from redis.asyncio import BlockingConnectionPool, ConnectionPool, Redis

from tests.facts import fact
from workshop.testing import Clock, RedisServer, settle

counts_connections = pytest.mark.skipif(
    sys.platform == "win32", reason="the imitation of Redis there makes up CLIENT LIST"
)


@counts_connections
@fact("redis", topic="Redis")
async def test_a_client_does_not_close_a_pool_it_was_given(
    redis: RedisServer,
) -> None:
    """`Redis(connection_pool=pool)` does not own the pool: the pool's connections stay
    open after the client's `aclose()`."""
    pool = ConnectionPool.from_url(redis.url)
    client = Redis(connection_pool=pool)
    await client.ping()
    await client.aclose()

    assert len(await redis.clients()) == 1
    await pool.aclose()
    assert await _clients_left(redis) == 0


@counts_connections
@fact("redis", topic="Redis")
async def test_a_client_closes_a_pool_it_created_or_took_over(
    redis: RedisServer,
) -> None:
    """`Redis.from_url(url)` creates its own pool and `Redis.from_pool(pool)` takes one
    over, so `aclose()` closes the pool's connections."""
    for client in (
        Redis.from_url(redis.url),
        Redis.from_pool(ConnectionPool.from_url(redis.url)),
    ):
        await client.ping()
        assert len(await redis.clients()) == 1
        await client.aclose()
        assert await _clients_left(redis) == 0


@counts_connections
@fact("redis", topic="Redis")
async def test_a_dropped_client_stays_connected_until_it_is_collected(
    redis: RedisServer,
) -> None:
    """A client that is dropped without `aclose()` keeps its connection until it is
    garbage-collected, with a `ResourceWarning`."""
    gc.disable()
    try:
        client = Redis.from_url(redis.url)
        await client.ping()
        del client
        assert len(await redis.clients()) == 1
        with pytest.warns(ResourceWarning, match="unclosed"):
            gc.collect()
    finally:
        gc.enable()
    assert await _clients_left(redis) == 0


@fact("redis", topic="Redis")
async def test_close_is_called_aclose(redis: RedisServer) -> None:
    """`await client.close()` has been deprecated since redis-py 5.0.1 in favour of
    `aclose()`."""
    client = Redis.from_url(redis.url)
    with pytest.warns(DeprecationWarning, match="aclose"):
        await client.close()


@fact("redis", topic="Redis")
async def test_an_exhausted_pool_raises_and_a_blocking_pool_waits(
    redis: RedisServer,
) -> None:
    """A `ConnectionPool` has at most 100 connections by default and raises
    `MaxConnectionsError` when it is exhausted; a `BlockingConnectionPool` makes the
    caller wait."""
    assert ConnectionPool().max_connections == 100
    for pool, refused in (
        (ConnectionPool.from_url(redis.url, max_connections=2), 3),
        (BlockingConnectionPool.from_url(redis.url, max_connections=2), 0),
    ):
        client = Redis.from_pool(pool)
        answers = await asyncio.gather(
            *(client.get("nothing") for _ in range(5)), return_exceptions=True
        )
        errors = [a for a in answers if isinstance(a, exceptions.MaxConnectionsError)]
        assert len(errors) == refused
        await client.aclose()


@fact("redis", topic="Redis")
async def test_a_client_from_a_url_tries_once_for_five_seconds(clock: Clock) -> None:
    """A client from `Redis.from_url(url)` waits five seconds for an unresponsive Redis,
    then raises `redis.exceptions.TimeoutError` without a retry."""
    async with _silent_redis() as (port, visits):
        client = Redis.from_url(f"redis://127.0.0.1:{port}")
        answer = asyncio.ensure_future(client.get("a"))
        await _pass(clock, 4.9)
        assert not answer.done()
        await _pass(clock, 0.2)
        assert isinstance(answer.exception(), exceptions.TimeoutError)
        assert len(visits) == 1
        await client.aclose()


@fact("redis", topic="Redis")
async def test_a_client_from_a_host_retries_ten_times(clock: Clock) -> None:
    """A client from `Redis(host=…)` tries an unresponsive Redis eleven times for five
    seconds each, so one command takes almost a minute to fail."""
    async with _silent_redis() as (port, visits):
        client = Redis(host="127.0.0.1", port=port)
        answer = asyncio.ensure_future(client.get("a"))
        await _pass(clock, 54, steps=60)
        assert not answer.done()
        await _pass(clock, 30, steps=60)
        assert isinstance(answer.exception(), exceptions.TimeoutError)
        assert len(visits) == 11
        await client.aclose()


@fact("redis", topic="Redis")
def test_its_connection_error_is_not_the_builtin_one() -> None:
    """`ConnectionError` and `TimeoutError` of `redis.exceptions` do not inherit from
    Python's built-in classes of the same names. Both are a `RedisError`."""
    for name in ("ConnectionError", "TimeoutError"):
        theirs = getattr(exceptions, name)
        assert issubclass(theirs, exceptions.RedisError)
        assert not issubclass(theirs, getattr(builtins, name))
        assert not issubclass(theirs, OSError)


@counts_connections
@fact("redis", topic="Redis")
async def test_a_cancelled_command_leaves_no_reply_behind(redis: RedisServer) -> None:
    """A command that is cancelled while it waits closes its connection, so its late
    reply is not mistaken for that of the next command."""
    async with Redis.from_url(redis.url, decode_responses=True) as client:
        await client.set("b", "the right one")
        waiting = asyncio.ensure_future(client.blpop(["a"], timeout=10))
        while "blpop" not in [each["cmd"] for each in await redis.clients()]:
            await settle()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await redis.admin.rpush("a", "the late one")
        assert await client.get("b") == "the right one"


@fact("redis", topic="Redis")
async def test_set_replaces_the_expiry_too(redis: RedisServer) -> None:
    """`set(key, value, ex=…)` writes value and expiry atomically; a later `set` without
    `ex` removes the expiry."""
    async with Redis.from_url(redis.url) as client:
        await client.set("seats", "[]", ex=30)
        assert 0 < await client.ttl("seats") <= 30
        await client.set("seats", "[]")
        assert await client.ttl("seats") == -1


async def _clients_left(redis: RedisServer) -> int:
    """Return how many connections are left when the server has seen the last leave."""
    for _ in range(50):
        if not await redis.clients():
            break
        await settle(5)
    return len(await redis.clients())


async def _pass(clock: Clock, seconds: float, steps: int = 20) -> None:
    for _ in range(steps):
        await clock.advance(seconds / steps)
    await settle()


@asynccontextmanager
async def _silent_redis() -> AsyncIterator[tuple[int, list[asyncio.StreamWriter]]]:
    """Listen on a port and never answer; give the port and who has come."""
    visits: list[asyncio.StreamWriter] = []

    async def visit(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visits.append(writer)
        await reader.read()
        writer.close()

    server = await asyncio.start_server(visit, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], visits
    finally:
        server.close()
        with warnings.catch_warnings():
            for writer in visits:
                writer.transport.abort()
            await settle()
