"""The requests of `make lesson-06 timeline`.

The stand-ins take less time than the outside world in app.py.
"""

from __future__ import annotations

import asyncio

from workshop.scenario import Stage, external_call
from workshop.timeline import mark


async def crowd(stage: Stage) -> None:
    """Four customers open a page that is not in the cache yet."""
    queries.clear()
    for customer in ("Ann", "Bob", "Cy", "Dan"):
        stage.request("GET", "/shows/2", customer=customer)
    await stage.ended()
    count = len(queries)
    words = "1 database query" if count == 1 else f"{count} database queries"
    stage.headline(lambda: f"4 customers, {words}")


queries: list[int] = []


@external_call
async def free_seats(show_id: int) -> list[str]:
    queries.append(show_id)
    mark("database query")
    await asyncio.sleep(0.1)
    return ["A1", "A2", "C7"]


WORLD = {"free_seats": free_seats}
