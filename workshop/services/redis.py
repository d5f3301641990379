"""Redis: one's own, or an embedded Valkey."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from workshop.services.keeper import kept
from workshop.services.service import Service, ServiceError, place_of

if TYPE_CHECKING:
    from redis import Redis

VARIABLE = "WORKSHOP_REDIS_URL"

# The end of an address whose database may be emptied, because we have looked into it,
# or because the server is ours. A later process that gets it need not look again.
_VETTED = "workshop"

_PORT = 6379


@contextmanager
def redis_server() -> Iterator[Service]:
    """Give the Redis that ``WORKSHOP_REDIS_URL`` names, else an embedded one.

    Tests empty the database that they use. On a Redis of one's own it is the one whose
    number the address ends with, and it must be empty to begin with; without a number
    it is the highest one that is empty. The embedded server is a real Valkey from a
    wheel, or an imitation where there is no wheel; it ends with the block.

    Raises:
        ServiceError: when there is no empty database, or no answer.

    """
    given = os.environ.get(VARIABLE, "").strip()
    if not given:
        with kept("redis") as service:
            yield replace(service, url=f"{service.url}#{_VETTED}")
        return
    vetted = urlsplit(given).fragment == _VETTED
    url = given if vetted else f"{empty_database(given)}#{_VETTED}"
    number = urlsplit(url).path.strip("/")
    place = place_of(given, _PORT)
    yield Service(url, "redis", f"your Redis at {place}, database {number}")


def empty_database(url: str) -> str:
    """Return *url* with the number of a database in it that is empty.

    Raises:
        ServiceError: when the one that it names is not empty, or none is.

    """
    import redis

    place = place_of(url, _PORT)
    try:
        with redis.Redis.from_url(url) as server:
            numbers = [_named(url)] if _named(url) is not None else _numbers(server)
            for number in numbers:
                server.execute_command("SELECT", number)
                if server.dbsize() == 0:
                    return urlunsplit(urlsplit(url)._replace(path=f"/{number}"))
    except redis.RedisError as exc:
        raise ServiceError(
            f"Redis at {place} cannot be used: {str(exc).rstrip('.')}. "
            "Is it running, and is the "
            f"address in {VARIABLE} right? Unset it to use an embedded one."
        ) from exc
    which = f"Database {numbers[0]}" if len(numbers) == 1 else "Every database"
    raise ServiceError(
        f"{which} of your Redis at {place} holds keys, and the workshop would delete "
        f"them. End {VARIABLE} with the number of an empty one, as in /9, or unset it "
        "to use an embedded one."
    )


def plain_url(url: str) -> str:
    """Return *url* without our own mark, for an app."""
    return urlunsplit(urlsplit(url)._replace(fragment=""))


def _named(url: str) -> int | None:
    path = urlsplit(url).path.strip("/")
    return int(path) if path.isdigit() else None


def _numbers(server: Redis) -> list[int]:
    try:
        count = int(str(server.config_get("databases")["databases"]))
    except Exception:  # noqa: BLE001 -- hosted servers forbid the question
        count = 16
    return list(reversed(range(count)))
