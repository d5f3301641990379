"""Faults of a database and of Redis, and requests that are cut off."""

import asyncio

import pytest
import redis as redis_py
from redis.asyncio import Redis

from workshop.testing import (
    Database,
    Exchange,
    Gate,
    RedisProxy,
    RedisServer,
    RunningApp,
    before_statements,
    cancelled_at_each_turn,
    exchange,
    when_idle,
)

APP = """
import asyncio
import os
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

engine = create_async_engine(os.environ["DATABASE_URL"])
steps = []


@asynccontextmanager
async def lifespan(app):
    async with engine.begin() as connection:
        await connection.execute(text("create table seats (number integer)"))
    yield
    await engine.dispose()


app = FastAPI(lifespan=lifespan)


@app.post("/seats/{number}")
async def sell(number: int):
    async with engine.begin() as connection:
        await connection.execute(text(f"insert into seats values ({number})"))


@app.get("/seats")
async def seats():
    async with engine.connect() as connection:
        return list(await connection.scalars(text("select number from seats")))


@app.get("/steps")
async def walk():
    steps.append("in")
    try:
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        steps.append("through")
    finally:
        steps.append("out")


@app.get("/headers")
async def headers(request: Request):
    return request.headers.getlist("x-forwarded-for")


@app.get("/later")
async def later():
    async def finish():
        await asyncio.sleep(0)
        steps.append("finished")

    app.state.task = asyncio.create_task(finish())
"""


async def finished(request: Exchange) -> Exchange:
    await request.finished()
    return request


async def test_the_database_refuses_writes_and_not_reads(
    app: RunningApp, database: Database
) -> None:
    await finished(exchange(app, "POST", "/seats/1"))

    async with database.failing_writes("seats"):
        refused = await finished(exchange(app, "POST", "/seats/2"))
        read = await finished(exchange(app, "GET", "/seats"))
    accepted = await finished(exchange(app, "POST", "/seats/3"))

    assert (refused.status, read.content) == (500, [1])
    assert type(app.errors[0]).__name__ in ("OperationalError", "DBAPIError")
    assert accepted.status == 200
    assert await database.count("seats") == 2


async def test_something_happens_before_the_next_statement_that_matches(
    app: RunningApp, database: Database
) -> None:
    async def sell_meanwhile() -> None:
        await database.execute("insert into seats values (8)")

    with before_statements(r"select .* from seats", sell_meanwhile) as matched:
        first = await finished(exchange(app, "GET", "/seats"))
        second = await finished(exchange(app, "GET", "/seats"))

    assert first.content == second.content == [8], "only the first was preceded"
    assert len(matched) == 2


async def test_what_happens_before_a_statement_may_be_its_error(
    app: RunningApp, database: Database
) -> None:
    def fail() -> None:
        raise ConnectionError("the server has gone")

    with before_statements("insert", fail):
        answer = await finished(exchange(app, "POST", "/seats/1"))

    assert answer.status == 500
    assert await database.count("seats") == 0


async def test_a_request_is_cancelled_at_each_of_its_awaits(app: RunningApp) -> None:
    steps: list[str] = app.module.steps
    seen = []

    async for request in cancelled_at_each_turn(lambda: exchange(app, "GET", "/steps")):
        seen.append((tuple(steps), request.status))
        steps.clear()

    kinds = [walked for walked, _ in dict.fromkeys(seen)]
    assert kinds == [(), ("in", "out"), ("in", "through", "out")]
    assert seen[-1] == (("in", "through", "out"), 200)


async def test_a_header_can_arrive_in_two_lines(app: RunningApp) -> None:
    lines = [("X-Forwarded-For", "192.0.2.1"), ("x-forwarded-for", "203.0.113.7")]

    answer = await finished(exchange(app, "GET", "/headers", headers=lines))

    assert answer.content == ["192.0.2.1", "203.0.113.7"]


async def test_a_look_sees_the_moment_and_a_probe_what_has_caught_up(
    app: RunningApp,
) -> None:
    steps: list[str] = app.module.steps

    async def probe() -> list[str]:
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return [*steps]

    answer = exchange(app, "GET", "/later", look=lambda: [*steps], probe=probe)
    await answer.response_complete()

    assert answer.looked[0][1] == []
    assert answer.probed[0][1] == ["finished"]
    assert await when_idle(lambda: [*steps]) == ["finished"]


async def test_a_reply_of_redis_can_be_held(redis: RedisServer) -> None:
    with RedisProxy(redis.url) as proxy:
        async with Redis.from_url(proxy.url) as client:
            with proxy.hold(2) as gate:
                assert await client.incr("sold") == 1
                second = asyncio.ensure_future(client.incr("sold"))
                assert await gate.entered_or_done(second)
                assert await redis.admin.get("sold") == "2", "it was carried out"
                assert not second.done()
            assert await second == 2
        assert proxy.connections == 1


async def test_redis_can_carry_out_a_command_and_hang_up(redis: RedisServer) -> None:
    with RedisProxy(redis.url) as proxy:
        async with Redis.from_url(proxy.url, retry=None) as client:
            await client.ping()
            with proxy.cut(), pytest.raises(redis_py.ConnectionError):
                await client.incr("sold")
            assert await client.incr("sold") == 2


async def test_redis_can_go_away(redis: RedisServer) -> None:
    with RedisProxy(redis.url) as proxy:
        async with Redis.from_url(proxy.url, retry=None) as client:
            await client.ping()
            assert proxy.open_connections == 1
            proxy.close()
            with pytest.raises(redis_py.ConnectionError):
                await client.incr("sold")


async def test_a_task_that_never_comes_to_the_gate_ends_the_wait() -> None:
    gate = Gate("the mainframe")

    assert not await gate.entered_or_done(asyncio.ensure_future(asyncio.sleep(0)))
