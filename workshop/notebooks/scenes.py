"""The functions that notebooks use for experiments."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from workshop.timeline import virtual

Result = TypeVar("Result")


async def play(scene: Coroutine[Any, Any, Result]) -> Result:
    """Run *scene* in virtual time, and return its result.

    A sleep takes its full time on the scene's clock but none on yours, so the same
    scene always gives the same picture. The scene runs on its own event loop in its own
    thread, so it may block its loop without blocking the notebook's. Threads, SQLite
    and Redis work as in real time.
    """
    return await asyncio.to_thread(_play, scene)


def _play(scene: Coroutine[Any, Any, Result]) -> Result:
    # Not every notebook needs a database.
    from workshop.scenario.redis import modelled_redis
    from workshop.scenario.sqlite import modelled_sqlite

    with modelled_sqlite(), modelled_redis():
        return virtual.run(lambda: scene, threads="modelled")
