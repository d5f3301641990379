"""Mark what happens in the database and in the cache."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from workshop.timeline import mark


@contextmanager
def marked_transactions() -> Iterator[None]:
    """Mark the commits that the app makes through SQLAlchemy in the block.

    Also mark the rollbacks that it asks a session for; one that only ends the reading
    of data is not marked.
    """
    if "sqlalchemy" not in sys.modules:
        yield
        return
    from sqlalchemy import Engine, event
    from sqlalchemy.orm import Session

    def committed(connection: object) -> None:
        mark("commit")

    def rolled_back(session: object) -> None:
        mark("rollback")

    event.listen(Engine, "commit", committed)
    event.listen(Session, "after_rollback", rolled_back)
    try:
        yield
    finally:
        event.remove(Engine, "commit", committed)
        event.remove(Session, "after_rollback", rolled_back)


@contextmanager
def marked_cache_reads() -> Iterator[None]:
    """Mark for every GET command in the block whether Redis had the value."""
    if "redis.asyncio" not in sys.modules:
        yield
        return
    from redis.asyncio import Redis

    real: Any = Redis.execute_command

    async def execute_command(self: Any, *args: Any, **options: Any) -> Any:
        value = await real(self, *args, **options)
        if args[0] == "GET":
            mark("cache miss" if value is None else "cache hit")
        return value

    with mock.patch.object(Redis, "execute_command", execute_command):
        yield
