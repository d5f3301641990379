"""Limit how often one address may try wrong codes.

The pattern of lesson 07: check and count atomically, drop old addresses, and if Redis
does not respond, count in this process instead of rejecting everyone.
"""

from __future__ import annotations

import hashlib
import ipaddress
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Protocol

from redis.asyncio import Redis
from redis.exceptions import RedisError

LIMIT = 10
"""How many wrong codes an address may try in `SECONDS`."""

SECONDS = 60
_ADDRESSES = 10_000


class Attempts(Protocol):
    """Counts wrong codes by address."""

    async def wait_seconds(self, address: str) -> int:
        """Return the seconds that *address* must wait before its next attempt, or 0."""

    async def failed(self, address: str) -> None:
        """Count a wrong code."""


def network(address: str) -> str:
    """Return what counts as one client: an IPv4 address, or an IPv6 /64 network.

    >>> network("192.0.2.7"), network("2001:db8::1:2:3:4")
    ('192.0.2.7', '2001:db8::/64')
    """
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.version == 4:
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False))


class AttemptsInMemory:
    """Counts in this process. *now* is a monotonic clock in seconds."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()

    async def wait_seconds(self, address: str) -> int:
        """Return the seconds that *address* must wait before its next attempt, or 0."""
        failures = self._failures.get(network(address))
        if failures is None or len(failures) < LIMIT:
            return 0
        left = failures[0] + SECONDS - self._now()
        return max(0, int(left) + 1) if left > 0 else 0

    async def failed(self, address: str) -> None:
        """Count a wrong code."""
        key = network(address)
        self._failures.setdefault(key, deque(maxlen=LIMIT)).append(self._now())
        self._failures.move_to_end(key)
        if len(self._failures) > _ADDRESSES:
            self._failures.popitem(last=False)


_COUNT = """
local count = redis.call('INCR', KEYS[1])
if count == 1 then redis.call('EXPIRE', KEYS[1], ARGV[1]) end
return count
"""


class AttemptsInRedis:
    """Counts in Redis for all workers, and in memory while Redis does not respond."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._count = redis.register_script(_COUNT)
        self._memory = AttemptsInMemory()

    async def wait_seconds(self, address: str) -> int:
        """Return the seconds that *address* must wait before its next attempt, or 0."""
        key = _key(address)
        try:
            async with self._redis.pipeline(transaction=False) as pipeline:
                pipeline.get(key)
                pipeline.ttl(key)
                count, seconds = await pipeline.execute()
        except (RedisError, OSError):
            return await self._memory.wait_seconds(address)
        waiting = max(int(seconds), 1) if int(count or 0) >= LIMIT else 0
        return max(waiting, await self._memory.wait_seconds(address))

    async def failed(self, address: str) -> None:
        """Count a wrong code."""
        try:
            await self._count(keys=[_key(address)], args=[SECONDS])
        except (RedisError, OSError):
            await self._memory.failed(address)


def _key(address: str) -> str:
    return "room:attempts:" + hashlib.sha256(network(address).encode()).hexdigest()[:32]
