"""What the experiments in notebooks are made with."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from workshop.timeline import virtual

Result = TypeVar("Result")


async def play(scene: Coroutine[Any, Any, Result]) -> Result:
    """Run *scene* in virtual time, and return what it returns.

    Sleeping takes as long as it says on the scene's own clock, and nothing on
    yours, so that the same scene is the same picture each time. The scene has
    a loop of its own, in a thread of its own: it may block its loop, and the
    notebook's goes on. Threads, SQLite and Redis take part as in real time.
    """
    return await asyncio.to_thread(_play, scene)


def _play(scene: Coroutine[Any, Any, Result]) -> Result:
    # Not every notebook has a database in it.
    from workshop.scenario.redis import modelled_redis
    from workshop.scenario.sqlite import modelled_sqlite

    with modelled_sqlite(), modelled_redis():
        return virtual.run(lambda: scene, threads="modelled")
