"""The calls to the box office in `make lesson-07 timeline`.

The outside world is slow, as in app.py, but less slow.
"""

from __future__ import annotations

import asyncio
import time

from workshop.scenario import Stage


async def burst(stage: Stage) -> None:
    """A scalper sends five calls at the same moment."""
    for _ in range(5):
        stage.request("GET", "/shows/1/seats")


async def ticket(stage: Stage) -> None:
    """A ticket is printed, and meanwhile another customer asks for seats."""
    stage.request("GET", "/tickets/K7")
    stage.request("GET", "/shows/1/seats", at=40)


async def on_blocklist(address: str) -> bool:
    await asyncio.sleep(0.02)
    return False


async def seats_left(show_id: int) -> int:
    await asyncio.sleep(0.02)
    return 80 - show_id


def print_ticket(code: str) -> str:
    time.sleep(0.2)
    return f"ticket {code}, row 7"


WORLD = {
    "on_blocklist": on_blocklist,
    "seats_left": seats_left,
    "print_ticket": print_ticket,
}
