"""The requests of `make lesson-11 timeline`.

The stand-ins take less time than the outside world in app.py.
"""

from __future__ import annotations

import asyncio

from workshop.scenario import Stage, external_call
from workshop.timeline import mark
from workshop.timeline.words import time

ended: list[float] = []


async def news(stage: Stage) -> None:
    """Ann disconnects while she waits for news."""
    ended.clear()
    request = stage.client.get("/shows/Hamlet/news", extensions={"customer": "Ann"})
    ann = asyncio.create_task(request)
    await stage.at(120)
    mark("disconnects", "Ann")
    ann.cancel()
    left = asyncio.get_running_loop().time()
    await stage.at(500)
    more = time(1000 * (ended[-1] - left))
    stage.headline(lambda: f"her last call ends {more} after she disconnects")


@external_call
async def ask_venue(show: str) -> int:
    try:
        await asyncio.sleep(0.05)
        return 20 + len(show) if len(ended) == 7 else 0
    finally:
        ended.append(asyncio.get_running_loop().time())


def write_line(name: str, text: str) -> None:
    """Write nothing, because the timeline is the output."""


WORLD = {"ask_venue": ask_venue, "write_line": write_line}
