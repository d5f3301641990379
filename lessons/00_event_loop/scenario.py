"""Who calls the box office when, for `make lesson-00 timeline`.

The outside world is as slow as in app.py, only less so.
"""

from __future__ import annotations

import asyncio
import time

from workshop.scenario import Stage


async def report(stage: Stage) -> None:
    """Two turnstiles ask while the venue counts seats."""
    stage.request("GET", "/shows/1/report")
    stage.request("GET", "/ping", at=5)
    stage.request("GET", "/ping", at=120)


async def seat_map(stage: Stage) -> None:
    """Two turnstiles ask while a seat map is drawn."""
    stage.request("GET", "/shows/1/map")
    stage.request("GET", "/ping", at=25)
    stage.request("GET", "/ping", at=120)


def ask_venue(show_id: int) -> int:
    time.sleep(0.3)
    return 4_000 + show_id


async def sold_seats(show_id: int) -> set[int]:
    await asyncio.sleep(0.02)
    return set()


def draw_seat_map(sold: set[int]) -> str:
    time.sleep(0.25)
    return "no seat is sold\n"


WORLD = {
    "ask_venue": ask_venue,
    "sold_seats": sold_seats,
    "draw_seat_map": draw_seat_map,
}
