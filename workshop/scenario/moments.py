"""Mark what happens in the database and in the cache."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from workshop.timeline import mark


@contextmanager
def marked_commits() -> Iterator[None]:
    """Mark every commit that the app makes through SQLAlchemy in the block."""
    if "sqlalchemy" not in sys.modules:
        yield
        return
    from sqlalchemy import Engine, event

    def committed(connection: object) -> None:
        mark("commit")

    event.listen(Engine, "commit", committed)
    try:
        yield
    finally:
        event.remove(Engine, "commit", committed)


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
