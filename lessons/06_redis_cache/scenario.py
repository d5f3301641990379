"""Who calls the box office when, for `make lesson-06 timeline`.

The outside world is as slow as in app.py, only less so.
"""

from __future__ import annotations

import asyncio

from workshop.scenario import Stage


async def crowd(stage: Stage) -> None:
    """Nothing is remembered yet, and four customers come at once."""
    asked.clear()
    for _ in range(4):
        stage.request("GET", "/shows/2")
    await stage.ended()
    times = "once" if len(asked) == 1 else f"{len(asked)} times"
    stage.tell(f"the database has been asked {times}")


asked: list[int] = []


async def free_seats(show_id: int) -> list[str]:
    asked.append(show_id)
    await asyncio.sleep(0.1)
    return ["A1", "A2", "C7"]


WORLD = {"free_seats": free_seats}
