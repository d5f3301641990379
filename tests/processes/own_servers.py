"""A PostgreSQL and a Redis of the user's own, which hold data, and what runs leave.

Several front ends use them at once. Each has a PostgreSQL role and a Redis database of
its own, so that none of them can clear what another one has left.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from redis import Redis

from workshop.services import Service
from workshop.services.address import DATABASE_VARIABLE, REDIS_VARIABLE, read_redis
from workshop.services.claim import MARKER
from workshop.services.keeper import kept
from workshop.services.postgres import connected

# Names that only look like those of the workshop are among them.
_DATABASES = ("box_office", "workshop_notes", "workshop_0123456789ab")
_REDIS_DATABASES = (0, 15)


@dataclass(frozen=True)
class Remains:
    """What the workshop has on the servers at one moment.

    Attributes:
        databases: the names of its PostgreSQL databases.
        keys: the names of the keys in its Redis database.
        claim: the value of the key that marks that database.

    """

    databases: frozenset[str]
    keys: frozenset[str]
    claim: str

    @property
    def counts(self) -> tuple[int, int]:
        """How many databases and keys there are."""
        return len(self.databases), len(self.keys)


class Account:
    """What one front end may use: a role in PostgreSQL, a database in Redis."""

    def __init__(self, postgres: str, redis: str, number: int) -> None:
        self._admin = postgres
        self._role = f"learner_{number}"
        self._redis = read_redis(redis).at(number).url()
        self.environment = {
            DATABASE_VARIABLE: postgres.replace("postgres@", f"{self._role}@", 1),
            REDIS_VARIABLE: self._redis,
        }
        _ask(postgres, f"CREATE ROLE {self._role} LOGIN CREATEDB")

    def remains(self) -> Remains:
        """Return what there is now."""
        rows = _ask(
            self._admin,
            "SELECT datname FROM pg_database "
            f"WHERE pg_get_userbyid(datdba) = '{self._role}'",
        )
        with Redis.from_url(self._redis, decode_responses=True) as client:
            return Remains(
                frozenset(row["datname"] for row in rows),
                frozenset(client.keys("*")),
                client.get(MARKER) or "",
            )


class OwnServers:
    """Both servers. Use it with `own_servers`."""

    def __init__(self, postgres: Service, redis: Service) -> None:
        self._postgres = postgres.url
        self._redis = redis.url
        self._accounts = 0
        for name in _DATABASES:
            _ask(self._postgres, f"CREATE DATABASE {name}")
            _ask(
                self._postgres.replace("/postgres?", f"/{name}?"),
                "CREATE TABLE seats AS SELECT n, md5(n::text) FROM "
                "generate_series(1, 999) AS n",
            )
        for number in _REDIS_DATABASES:
            with self._redis_at(number) as client:
                client.set("seats:2", "A1")
                client.hset("customers", "ann", f"box {number}")

    def account(self) -> Account:
        """Return a new account."""
        self._accounts += 1
        return Account(self._postgres, self._redis, self._accounts)

    def data(self) -> dict[str, bytes | None]:
        """Return the user's own data, byte for byte."""
        found: dict[str, bytes | None] = {}
        for name in _DATABASES:
            url = self._postgres.replace("/postgres?", f"/{name}?")
            found[name] = _run(url, _contents)
        for number in _REDIS_DATABASES:
            with self._redis_at(number) as client:
                for key in client.keys("*"):
                    found[f"{number} {key}"] = client.dump(key)
        return found

    def _redis_at(self, number: int) -> Redis:
        return Redis.from_url(read_redis(self._redis).at(number).url())


@contextmanager
def own_servers() -> Iterator[OwnServers]:
    """Run both servers for the length of the block."""
    with kept("postgres") as postgres, kept("redis") as redis:
        yield OwnServers(postgres, redis)


async def _contents(connection: Any) -> bytes:
    copied = io.BytesIO()
    await connection.copy_from_query(
        "SELECT * FROM seats ORDER BY n", output=copied, format="binary"
    )
    return copied.getvalue()


def _ask(url: str, sql: str) -> Any:
    return _run(url, lambda connection: connection.fetch(sql))


def _run(url: str, work: Callable[[Any], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        async with connected(url) as connection:
            return await work(connection)

    return asyncio.run(run())
