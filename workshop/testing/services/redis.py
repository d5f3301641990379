"""A Redis that is empty at the start of each test, and what its server reports."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from workshop.services.claim import CLIENT, MARKER, Claim
from workshop.services.service import Service, ServiceError

if TYPE_CHECKING:
    from redis.asyncio import Redis


class RedisServer:
    """The server's own view of the app: who is connected, and what is stored.

    Attributes:
        url: the address; also in `REDIS_URL`.
        admin: the test's own client, which the numbers here leave out.

    """

    def __init__(self, url: str, admin: Redis, received: int | None) -> None:
        """Use *admin* for all questions. Use the `redis` fixture instead."""
        self.url = url
        self.admin = admin
        self._received = received

    async def clients(self) -> list[dict[str, Any]]:
        """Return what CLIENT LIST says about every connection but the test's own."""
        clients: list[dict[str, Any]] = await self.admin.client_list()
        return [client for client in clients if client.get("name") != CLIENT]

    async def connections_received(self) -> int:
        """Return how many connections the app has made since the test began.

        Raises:
            LookupError: if the server does not count them, as an imitation does not.

        """
        received = await _received(self.admin)
        if received is None or self._received is None:
            raise LookupError("This Redis does not count connections.")
        return received - self._received

    async def executed(self, command: str) -> int | None:
        """Return how often the server has ever executed *command*, by any client.

        None: it does not count, as an imitation does not.
        """
        statistics = await _statistics(self.admin, "commandstats")
        if statistics is None:
            return None
        return int(statistics.get(f"cmdstat_{command.lower()}", {}).get("calls", 0))

    async def keys(self) -> list[str]:
        """Return the names of all keys, sorted, without the workshop's own marker."""
        keys = [str(key) for key in await self.admin.keys("*")]
        return sorted(key for key in keys if key != MARKER)


@asynccontextmanager
async def empty_redis(service: Service) -> AsyncIterator[RedisServer]:
    """Provide the database that *service* has claimed; empty it before and after.

    Raises:
        ServiceError: if the claim does not hold (any more).

    """
    claim = Claim.handed_over(service.claim)
    if claim is None:
        raise ServiceError("This Redis was never claimed, so it will not be emptied.")
    async with _admin_of(claim).from_url(
        service.url,
        decode_responses=True,
        client_name=CLIENT,
        # One connection, made now: the numbers below must not count a second one.
        single_connection_client=True,
    ) as admin:
        await admin.flushdb()
        try:
            yield RedisServer(service.url, admin, await _received(admin))
        finally:
            await admin.flushdb()


def _admin_of(claim: Claim) -> type[Redis]:
    """Return a client class whose `flushdb` needs *claim*, and keeps its marker."""
    from redis.asyncio import Redis

    class Admin(Redis):
        async def flushdb(self, asynchronous: bool = False, **kwargs: Any) -> bool:
            await claim.empty_async(self)
            return True

    return Admin


async def _received(admin: Redis) -> int | None:
    """Return the server's count of connections; None where it has none."""
    statistics = await _statistics(admin, "stats")
    return None if statistics is None else statistics.get("total_connections_received")


async def _statistics(admin: Redis, section: str) -> dict[str, Any] | None:
    """Return a section of what the server counts; None where it counts nothing."""
    from redis import RedisError

    try:
        return dict(await admin.info(section))
    except RedisError:
        # An imitation hangs up after a question it does not know: notice it here,
        # not in the next command, which belongs to the test.
        with contextlib.suppress(RedisError):
            await admin.ping()
        return None
