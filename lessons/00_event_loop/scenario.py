"""The requests of `make lesson-00 timeline`.

The stand-ins take less time than the outside world in app.py.
"""

from __future__ import annotations

import asyncio
import time

from anyio import to_thread

from workshop.scenario import Stage, external_call


async def report(stage: Stage) -> None:
    """Two turnstiles call /ping while the venue counts its seats."""
    stage.headline(lambda: stage.wait_of("turnstile 1"))
    stage.request("GET", "/shows/1/report", customer="Ann")
    stage.request("GET", "/ping", customer="turnstile 1", at=5)
    stage.request("GET", "/ping", customer="turnstile 2", at=120)


async def seat_map(stage: Stage) -> None:
    """Two turnstiles call /ping while a seat map is drawn."""
    stage.headline(lambda: stage.wait_of("turnstile 1"))
    stage.request("GET", "/shows/1/map", customer="Ann")
    stage.request("GET", "/ping", customer="turnstile 1", at=25)
    stage.request("GET", "/ping", customer="turnstile 2", at=120)


async def exports(stage: Stage) -> None:
    """Three exports share two threads; the load balancer calls /health."""
    stage.headline(lambda: f"The {stage.wait_of('load balancer')}")
    to_thread.current_default_thread_limiter().total_tokens = 2
    for show_id in (1, 2, 3):
        stage.request("POST", f"/shows/{show_id}/export")
    stage.request("GET", "/health", customer="load balancer", at=20)


def ask_venue(show_id: int) -> int:
    time.sleep(0.3)
    return 4_000 + show_id


@external_call
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
