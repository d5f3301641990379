"""Who calls the box office when, for `make lesson-06 timeline`.

The database is slow here too, but less than in app.py.
"""

from __future__ import annotations

import asyncio

from workshop.scenario import Stage


async def crowd(stage: Stage) -> None:
    """Redis is empty, and four customers come at the same time."""
    asked.clear()
    for _ in range(4):
        stage.request("GET", "/shows/2")
    await stage.ended()
    times = "once" if len(asked) == 1 else f"{len(asked)} times"
    stage.tell(f"the database was queried {times}")


asked: list[int] = []


async def free_seats(show_id: int) -> list[str]:
    asked.append(show_id)
    await asyncio.sleep(0.1)
    return ["A1", "A2", "C7"]


WORLD = {"free_seats": free_seats}
