"""The requests of `make lesson-05 timeline`.

The stand-ins take less time than the outside world in app.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace

from workshop.scenario import Stage
from workshop.timeline import mark
from workshop.timeline.words import time


async def board(stage: Stage) -> None:
    """Ann watches the live board until seat A2 is sold."""
    sold.clear()
    request = stage.client.stream(
        "GET", "/shows/1/board", extensions={"customer": "Ann"}
    )
    async with request as response:
        async for line in response.aiter_lines():
            for seat in ("A1", "A2"):
                if f'"{seat}"' in line:
                    mark(seat, "Ann's browser reads")
                    if seat == "A1":
                        _show_delay(stage)
            if '"A2"' in line:
                break


def _show_delay(stage: Stage) -> None:
    delay = asyncio.get_running_loop().time() - sold["A1"]
    words = f"Ann sees A1 {time(1000 * delay)} after its sale"
    stage.headline(lambda: words)


sold: dict[str, float] = {}


async def sell_five_seats(show_id: int) -> AsyncIterator[SimpleNamespace]:
    for number in range(1, 6):
        await asyncio.sleep(0.1)
        seat = f"A{number}"
        sold[seat] = asyncio.get_running_loop().time()
        mark(seat, "ticket system sells")
        yield SimpleNamespace(
            show_id=show_id, number=number, seat=seat, greeting="From\nBob"
        )


WORLD = {"sell_five_seats": sell_five_seats}
