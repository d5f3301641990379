"""Redis: the learner's own, or an embedded Valkey."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from workshop.services.address import REDIS_VARIABLE as VARIABLE
from workshop.services.address import read_redis
from workshop.services.claim import Claim, claimed, marked_as_ours
from workshop.services.keeper import kept
from workshop.services.service import Service

CLAIM_VARIABLE = "WORKSHOP_REDIS_CLAIM"
"""Passes a claim to the processes that run tests.

The variable alone allows nothing: the marker in the database is compared before
anything is deleted.
"""


@contextmanager
def redis_server() -> Iterator[Service]:
    """Provide the Redis that `WORKSHOP_REDIS_URL` names, or an embedded one.

    Tests empty the database that they use. On the learner's own Redis, that is the
    database whose number is in the URL, which must be empty; without a number, it is
    the highest empty one. It is claimed for the block, and emptied again afterwards.
    The embedded server is a real Valkey from a wheel, or an imitation on systems
    without a wheel. It is stopped at the end of the block.

    Raises:
        ServiceError: No database is empty, or the server does not respond.

    """
    if not is_redis_given():
        with kept("redis") as service:
            yield with_claim(service)
        return
    address = read_redis(os.environ[VARIABLE].strip())
    words = f"your Redis at {address.place}, database"
    handed_over = Claim.handed_over(os.environ.get(CLAIM_VARIABLE, ""))
    if handed_over is not None:
        number = handed_over.database
        url = address.at(number).url()
        yield Service(url, "redis", f"{words} {number}", str(handed_over))
        return
    with claimed(address) as (where, claim):
        description = f"{words} {claim.database}"
        yield Service(where.url(), "redis", description, str(claim))


def is_redis_given() -> bool:
    """Return whether the learner has named a Redis."""
    return bool(os.environ.get(VARIABLE, "").strip())


def redis_environment(service: Service) -> dict[str, str]:
    """Return variables that tell tests to use *service* and let them empty it."""
    return {VARIABLE: service.url, CLAIM_VARIABLE: service.claim}


def with_claim(service: Service) -> Service:
    """Return the embedded *service* with the right to empty its first database."""
    return replace(service, claim=str(marked_as_ours(read_redis(service.url))))


def empty_database(url: str, claim: str) -> None:
    """Empty the database at *url*, if it is the claimed one.

    Raises:
        ServiceError: It is not.

    """
    from redis import Redis

    held = Claim.handed_over(claim)
    if held is None:
        return
    with Redis.from_url(url) as server:
        held.empty(server)
