"""What the tests of lesson 07 put in the place of the outside world.

Time is moved by hand: the app's now() and the event loop follow the same clock. Each
customer calls from an address of their own, directly or by way of our proxies.
"""

import asyncio
import gc
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache

from workshop.testing import (
    Clock,
    Exchange,
    RedisProxy,
    RedisServer,
    RunningApp,
    exchange,
)
from workshop.testing.plugin import RunApp

ANN, BOB, CLEO, DAN = "203.0.113.1", "203.0.113.2", "203.0.113.3", "203.0.113.4"
SCALPER = "203.0.113.66"
KNOWN_SCALPER = "192.0.2.200"  # on the blocklist
BALANCER, CACHE = "10.0.0.1", "10.0.0.2"
NOON = 1_700_000_000.0


def open_the_box_office(app: RunningApp, clock: Clock | None = None) -> None:
    """Let the outside world answer at once; time stands still, or follows *clock*."""

    loop = asyncio.get_running_loop()

    def now() -> float:
        return NOON + (loop.time() if clock else 0)

    async def on_blocklist(address: str) -> bool:
        return address == KNOWN_SCALPER

    async def seats_left(show_id: int) -> int:
        return 12

    app.replace("now", now)
    app.replace("on_blocklist", on_blocklist)
    app.replace("seats_left", seats_left)


async def visit(
    app: RunningApp,
    method: str,
    path: str,
    address: str,
    proxies: tuple[str, ...] = (),
    forged: str = "",
) -> Exchange:
    """Send one request from *address*, through *proxies*, and wait for its end.

    Each proxy adds whom it has seen to X-Forwarded-For, behind what the customer
    has written there himself, which is *forged*.
    """
    *seen, last = (address, *proxies)
    header = ", ".join([forged, *seen] if forged else seen)
    headers = {"x-forwarded-for": header} if header else {}
    call = exchange(app, method, path, headers=headers, client=(last, 50_000))
    await call.finished()
    return call


async def seats(
    app: RunningApp, address: str, proxies: tuple[str, ...] = (), forged: str = ""
) -> Exchange:
    """Ask for the seats of a show."""
    return await visit(app, "GET", "/shows/7/seats", address, proxies, forged)


async def guess(app: RunningApp, address: str) -> Exchange:
    """Guess the word of the presale."""
    return await visit(app, "POST", "/presale/sesame", address)


def seconds(answer: Exchange) -> int | None:
    """Return what Retry-After says, if it is a whole number."""
    text = answer.headers.get("retry-after", "")
    return int(text) if text.isdigit() else None


def remembered(part: str) -> set[str]:
    """Return the texts with *part* in them that the app keeps anywhere in memory."""
    texts = (it for group in in_memory() for it in list(group) if isinstance(it, str))
    return {text for text in texts if part in text} - {part}


def sizes_in_memory() -> dict[int, int]:
    """Return how many entries each dict and set in memory has, by its identity."""
    found = [each for each in in_memory() if isinstance(each, dict | set)]
    return {id(each): len(each) for each in found}  # made after the look around


def in_memory() -> Iterator[Collection[object]]:
    """Yield everything in memory that holds something else.

    A cache with a fixed size, such as uvicorn has one for addresses, is left out.
    """
    gc.collect()
    cache = type(lru_cache(int))
    holders = gc.get_objects()
    bounded = {
        id(entry)
        for each in holders
        if isinstance(each, cache) and each.cache_parameters()["maxsize"]
        for entry in (each, *gc.get_referents(each))
    }
    for each in holders:
        if id(each) in bounded:
            continue
        held = gc.get_referents(each)
        # The collector does not list a dict or tuple of mere texts and numbers, and
        # does not follow the keys of a dict.
        groups = [it for it in held if isinstance(it, dict | tuple)]
        kinds = dict | list | set | tuple
        for group in (held, each, *groups):
            if isinstance(group, kinds) and id(group) not in bounded:
                yield group


@dataclass
class TwoWorkers:
    """Two instances of the app with one Redis; the first is behind a proxy."""

    first: RunningApp
    second: RunningApp
    proxy: RedisProxy
    redis: RedisServer

    async def pass_seconds(self, passed: int) -> bool:
        """Let time pass for both workers, and for every key that will expire.

        Return whether a count may go by Redis's own clock, which stands still here.
        Plain numbers have no clock but their expiry.
        """
        kinds = set()
        for app in (self.first, self.second):
            before = app.module.now()
            app.replace("now", lambda moment=before + passed: moment)
        for key in await self.redis.keys():
            kinds.add(await self.redis.admin.type(key))
            left = await self.redis.admin.pttl(key)
            if left > 0:
                await self.redis.admin.pexpire(key, left - 1000 * passed)
        return kinds != {"string"}


async def ends_of_counts(redis: RedisServer) -> list[int]:
    """Return when the keys in Redis expire, in milliseconds; -1 is never."""
    return [await redis.admin.pttl(key) for key in await redis.keys()]


@asynccontextmanager
async def two_workers(run_app: RunApp, redis: RedisServer) -> AsyncIterator[TwoWorkers]:
    """Start two workers."""
    with RedisProxy(redis.url) as proxy:
        async with (
            run_app(env={"REDIS_URL": proxy.url}) as first,
            run_app(env={"REDIS_URL": redis.url}) as second,
        ):
            open_the_box_office(first)
            open_the_box_office(second)
            yield TwoWorkers(first, second, proxy, redis)
