"""Databases and Redis in virtual time."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import aiosqlite
import pytest
from redis.asyncio import Redis

from workshop.scenario.redis import REPLY_SECONDS, modelled_redis
from workshop.scenario.sqlite import CALL_SECONDS, modelled_sqlite
from workshop.services import redis_server
from workshop.timeline import virtual


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    with redis_server() as service:
        yield service.url


def test_sqlite_responds_after_the_modelled_time(tmp_path: Path) -> None:
    async def main() -> tuple[object, float]:
        async with aiosqlite.connect(tmp_path / "x.db") as db:
            await db.execute("CREATE TABLE seats (name TEXT)")
            await db.execute("INSERT INTO seats VALUES ('A1')")
            await db.commit()
            before = asyncio.get_running_loop().time()
            rows = await db.execute_fetchall("SELECT name FROM seats")
            return rows, asyncio.get_running_loop().time() - before

    with modelled_sqlite():
        rows, took = virtual.run(main)

    assert rows == [("A1",)]
    assert took == pytest.approx(CALL_SECONDS)


def test_an_error_of_sqlite_is_raised(tmp_path: Path) -> None:
    async def main() -> None:
        async with aiosqlite.connect(tmp_path / "x.db") as db:
            await db.execute("SELECT * FROM nowhere")

    with modelled_sqlite(), pytest.raises(sqlite3.OperationalError, match="nowhere"):
        virtual.run(main)


def test_a_wait_for_sqlite_can_be_cancelled(tmp_path: Path) -> None:
    troubles: list[object] = []

    async def main() -> str:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: troubles.append(context))
        async with aiosqlite.connect(tmp_path / "x.db") as db:
            try:
                async with asyncio.timeout(CALL_SECONDS / 2):
                    await db.execute("SELECT 1")
            except TimeoutError:
                await asyncio.sleep(1)
                return "gave up"
        return "got a result"

    with modelled_sqlite():
        assert virtual.run(main) == "gave up"
    assert troubles == []


def test_redis_responds_after_the_modelled_time(redis_url: str) -> None:
    async def main() -> tuple[object, float]:
        async with Redis.from_url(redis_url, decode_responses=True) as redis:
            await redis.set("seat", "A1")
            before = asyncio.get_running_loop().time()
            value = await redis.get("seat")
            return value, asyncio.get_running_loop().time() - before

    with modelled_redis():
        value, took = virtual.run(main)

    assert value == "A1"
    assert took == pytest.approx(REPLY_SECONDS)


def test_a_reply_of_many_packets_is_read_completely(redis_url: str) -> None:
    async def main() -> bool:
        async with Redis.from_url(redis_url) as redis:
            await redis.set("hall", b"x" * 500_000)
            return await redis.get("hall") == b"x" * 500_000

    with modelled_redis():
        assert virtual.run(main)
