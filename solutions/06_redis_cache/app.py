"""The box office: which seats are free, cached in Redis.

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
REDIS_SECONDS = 0.5  # for each reply; redis-py's default is 5
logger = logging.getLogger("uvicorn.error")

# Free seats. Empty: sold out. None: the show is not on sale yet.
Seats = list[str] | None


class RedisCache:
    """Stores values for a while. Use it with `async with`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.lookups: dict[int, asyncio.Task[Seats]] = {}

    async def __aenter__(self) -> Self:
        self.pool = ConnectionPool.from_url(
            self.url,
            socket_timeout=REDIS_SECONDS,
            socket_connect_timeout=REDIS_SECONDS,
        )
        self.redis = Redis(connection_pool=self.pool)
        try:
            await self.redis.ping()
        except BaseException:
            # If __aenter__ raises, __aexit__ never runs.
            await self.pool.aclose()
            raise
        return self

    async def __aexit__(self, *error: object) -> None:
        # A lookup that goes on would open another connection.
        lookups = [*self.lookups.values()]
        for lookup in lookups:
            lookup.cancel()
        await asyncio.gather(*lookups, return_exceptions=True)
        # Closing the client would leave a pool open that it was given.
        await self.pool.aclose()

    async def get(self, key: str) -> Seats:
        try:
            stored = await self.redis.get(key)
        except RedisError as error:
            logger.warning("cannot read from Redis: %s", error)
            stored = None
        if stored is None:
            raise KeyError(key)  # like a dict: missing is not a value
        return json.loads(stored)

    async def set(self, key: str, seats: Seats) -> None:
        value = json.dumps(seats)
        try:
            await self.redis.set(key, value, ex=KEEP_SECONDS)
        except RedisError as error:
            logger.warning("cannot store in Redis: %s", error)


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
    # There is no await between looking into the dict and adding to it.
    lookup = cache.lookups.get(show_id)
    if lookup is None:
        lookup = asyncio.create_task(seats_of(show_id, cache))
        cache.lookups[show_id] = lookup
        lookup.add_done_callback(lambda _: cache.lookups.pop(show_id))
    # If this request is cancelled, the others still need the task.
    seats = await asyncio.shield(lookup)
    return ShowPage(show=show_id, free=seats)


# ----------------------------------------------------------------------
# The outside world. Leave it as it is: the tests replace this function
# by a stand-in of the same name.
# ----------------------------------------------------------------------


async def free_seats(show_id: int) -> Seats:
    """Query the database, which has to read every order for this."""
    await asyncio.sleep(2)
    if show_id > 100:
        return None
    return [] if show_id % 2 else ["A1", "A2", "C7"]
