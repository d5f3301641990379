"""Who calls the box office when, for `make lesson-00 timeline`.

The outside world is as slow as in app.py, only less so.
"""

from __future__ import annotations

import asyncio
import time

from anyio import to_thread

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


async def exports(stage: Stage) -> None:
    """Two threads are left for three exports, and the load balancer asks."""
    to_thread.current_default_thread_limiter().total_tokens = 2
    for show_id in (1, 2, 3):
        stage.request("POST", f"/shows/{show_id}/export")
    stage.request("GET", "/health", at=20)


def ask_venue(show_id: int) -> int:
    time.sleep(0.3)
    return 4_000 + show_id


async def sold_seats(show_id: int) -> set[int]:
    await asyncio.sleep(0.02)
    return set()


def draw_seat_map(sold: set[int]) -> str:
    time.sleep(0.25)
    return "no seat is sold\n"


def write_export(show_id: int) -> str:
    time.sleep(0.15)
    return f"guests-{show_id}.csv"


WORLD = {
    "ask_venue": ask_venue,
    "sold_seats": sold_seats,
    "draw_seat_map": draw_seat_map,
    "write_export": write_export,
}
