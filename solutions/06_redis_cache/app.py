"""The box office: which seats are free, remembered in Redis.

Start it with `make lesson-06 run`, then open /docs.
"""

import asyncio
import json
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Self

from fastapi import Depends, FastAPI, Request
from pydantic import BaseModel
from redis.asyncio import ConnectionPool, Redis
from redis.exceptions import RedisError

REDIS_URL = os.environ.get("REDIS_URL", "redis://localhost:6379")
KEEP_SECONDS = 30
PATIENCE_SECONDS = 0.5  # by default redis-py waits for 5
logger = logging.getLogger("uvicorn.error")

# Free seats. Empty: sold out. None: the show is not on sale yet.
Seats = list[str] | None


class RedisCache:
    """Remembers values for a while. Use it with `async with`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.looks: dict[int, asyncio.Task[Seats]] = {}

    async def __aenter__(self) -> Self:
        self.pool = ConnectionPool.from_url(
            self.url,
            socket_timeout=PATIENCE_SECONDS,
            socket_connect_timeout=PATIENCE_SECONDS,
        )
        self.redis = Redis(connection_pool=self.pool)
        try:
            await self.redis.ping()
        except BaseException:
            # Nobody else will: who fails to enter never exits.
            await self.pool.aclose()
            raise
        return self

    async def __aexit__(self, *error: object) -> None:
        # The pool was made here, so closing the client leaves it open.
        await self.pool.aclose()

    async def get(self, key: str) -> Seats:
        try:
            stored = await self.redis.get(key)
        except RedisError as error:
            logger.warning("no answer from the cache: %s", error)
            stored = None
        if stored is None:
            raise KeyError(key)  # as a dict does: missing is no value
        return json.loads(stored)

    async def set(self, key: str, seats: Seats) -> None:
        value = json.dumps(seats)
        try:
            await self.redis.set(key, value, ex=KEEP_SECONDS)
        except RedisError as error:
            logger.warning("not remembered: %s", error)


@asynccontextmanager
async def lifespan(
    app: FastAPI,
) -> AsyncIterator[dict[str, RedisCache]]:
    async with RedisCache(REDIS_URL) as cache:
        yield {"cache": cache}


async def get_cache(request: Request) -> RedisCache:
    return request.state.cache


app = FastAPI(title="Box office", lifespan=lifespan)
Cache = Annotated[RedisCache, Depends(get_cache)]


async def seats_of(show_id: int, cache: RedisCache) -> Seats:
    key = f"seats:{show_id}"
    try:
        return await cache.get(key)
    except KeyError:
        seats = await free_seats(show_id)
    await cache.set(key, seats)
    return seats


class ShowPage(BaseModel):
    show: int
    free: Seats


@app.get("/shows/{show_id}")
async def show_page(show_id: int, cache: Cache) -> ShowPage:
    # Whoever comes while somebody is looking shares what is found.
    look = cache.looks.get(show_id)
    if look is None:
        look = asyncio.create_task(seats_of(show_id, cache))
        cache.looks[show_id] = look
        look.add_done_callback(lambda _: cache.looks.pop(show_id))
    # Shielded: a customer who gives up must not end the others' look.
    seats = await asyncio.shield(look)
    return ShowPage(show=show_id, free=seats)


# ----------------------------------------------------------------------
# The outside world. Leave it as it is: the tests put a stand-in in the
# place of this function, by its name.
# ----------------------------------------------------------------------


async def free_seats(show_id: int) -> Seats:
    """Ask the database, which has to read every order for this."""
    await asyncio.sleep(2)
    if show_id > 100:
        return None
    return [] if show_id % 2 else ["A1", "A2", "C7"]
