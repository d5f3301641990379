"""The requests of `make lesson-08 timeline`.

The stand-ins take less time than the outside world in app.py.
"""

from __future__ import annotations

import asyncio

from workshop.scenario import Stage, external_call
from workshop.timeline import mark
from workshop.timeline.words import time

TAKES = {"Apollo": 0.15, "Bijou": 0.05, "Corso": 0.25}
ended: list[float] = []


async def report(stage: Stage) -> None:
    """Ann disconnects while her report is being drawn."""
    ended.clear()
    request = stage.client.get("/shows/Hamlet/report", extensions={"customer": "Ann"})
    ann = asyncio.create_task(request)
    await stage.at(100)
    mark("disconnects", "Ann")
    ann.cancel()
    left = asyncio.get_running_loop().time()
    await stage.at(500)
    more = time(1000 * (ended[0] - left))
    stage.headline(lambda: f"her report ends {more} after she disconnects")


async def seat(stage: Stage) -> None:
    """Ann gets the seat that the first of three venues finds."""
    ended.clear()
    await stage.request("GET", "/shows/Hamlet/seat", customer="Ann")
    response = asyncio.get_running_loop().time()
    await stage.at(300)
    last = time(1000 * max(0.0, max(ended) - response))
    stage.headline(lambda: f"the last call ends {last} after the response")


@external_call
async def draw_report(show: str) -> dict[str, int]:
    try:
        await asyncio.sleep(0.4)
        return {"seats": 100 * len(show)}
    finally:
        ended.append(asyncio.get_running_loop().time())


@external_call
async def find_seat(venue: str, show: str) -> str:
    try:
        await asyncio.sleep(TAKES[venue])
        return f"{venue[0]}{len(show)}"
    finally:
        ended.append(asyncio.get_running_loop().time())


WORLD = {"draw_report": draw_report, "find_seat": find_seat}
