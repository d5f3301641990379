"""The requests of `make lesson-05 timeline`.

The ticket system sells a seat every 100 milliseconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace

from workshop.scenario import Stage


async def board(stage: Stage) -> None:
    """Ann sees two seats being sold, and goes."""
    async with stage.client.stream("GET", "/shows/1/board") as answer:
        async for line in answer.aiter_lines():
            for seat in ("A1", "A2"):
                if f'"{seat}"' in line:
                    stage.tell(f"Ann reads that {seat} is sold")
            if '"A2"' in line:
                break


async def sell_five_seats(show_id: int) -> AsyncIterator[SimpleNamespace]:
    for number in range(1, 6):
        await asyncio.sleep(0.1)
        yield SimpleNamespace(
            show_id=show_id, number=number, seat=f"A{number}", greeting="From\nBob"
        )


WORLD = {"sell_five_seats": sell_five_seats}
