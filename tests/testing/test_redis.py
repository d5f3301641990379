"""The Redis of a test."""

import os

import httpx2
import pytest

from workshop.testing import RedisServer, RunningApp

APP = """
import os
from contextlib import asynccontextmanager
from fastapi import FastAPI, Request
from redis.asyncio import Redis


@asynccontextmanager
async def lifespan(app):
    async with Redis.from_url(os.environ["REDIS_URL"]) as redis:
        yield {"redis": redis}


app = FastAPI(lifespan=lifespan)


@app.get("/shared")
async def shared(request: Request):
    await request.state.redis.set("show:7", "sold out")


@app.get("/each")
async def each():
    async with Redis.from_url(os.environ["REDIS_URL"]) as redis:
        await redis.get("show:7")
"""


async def test_the_app_finds_it_in_its_environment(
    app: RunningApp, redis: RedisServer, client: httpx2.AsyncClient
) -> None:
    await client.get("/shared")

    assert os.environ["REDIS_URL"] == redis.url
    assert await redis.keys() == ["show:7"]
    assert await redis.admin.get("show:7") == "sold out"


@pytest.mark.parametrize("attempt", [1, 2])
async def test_the_database_is_empty_at_the_start_of_each_test(
    redis: RedisServer, attempt: int
) -> None:
    assert await redis.keys() == []
    await redis.admin.set("left", "behind")


async def test_a_client_for_the_process_uses_one_connection(
    app: RunningApp, redis: RedisServer, client: httpx2.AsyncClient
) -> None:
    for _ in range(5):
        await client.get("/shared")

    assert (await redis.connections_received(), len(await redis.clients())) == (1, 1)
    await app.shutdown()
    assert await redis.clients() == []


async def test_a_client_for_each_request_uses_one_connection_each(
    app: RunningApp, redis: RedisServer, client: httpx2.AsyncClient
) -> None:
    for _ in range(5):
        await client.get("/each")

    assert (await redis.connections_received(), len(await redis.clients())) == (5, 0)


async def test_it_is_counted_how_often_a_command_was_executed(
    redis: RedisServer,
) -> None:
    before = await redis.executed("TIME")
    await redis.admin.time()
    await redis.admin.time()

    assert before is not None
    assert await redis.executed("TIME") == before + 2
