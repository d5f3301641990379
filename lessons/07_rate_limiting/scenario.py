"""The requests of `make lesson-07 timeline`.

The stand-ins take less time than the outside world in app.py.
"""

from __future__ import annotations

import asyncio
import time

from workshop.scenario import Stage
from workshop.timeline import mark

shown: set[str] = set()


class _Limit(int):
    """The limit, which marks each comparison with the calls that were counted."""

    def __le__(self, counted: int) -> bool:
        if "counts" in shown:
            mark(f"{counted} call{'' if counted == 1 else 's'} counted")
        return int(self) <= counted


async def burst(stage: Stage) -> None:
    """A scalper sends five requests at once; the limit is three."""
    shown.add("counts")
    calls = [stage.request("GET", "/shows/1/seats") for _ in range(5)]
    await stage.ended()
    served = sum(call.result().is_success for call in calls)
    stage.headline(lambda: f"{served} of 5 requests served")


async def ticket(stage: Stage) -> None:
    """Bob asks for seats while Ann's ticket is printed."""
    shown.clear()
    stage.headline(lambda: stage.wait_of("Bob"))
    stage.request("GET", "/tickets/K7", customer="Ann")
    stage.request("GET", "/shows/1/seats", customer="Bob", at=40)


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
    "LIMIT": _Limit(3),
    "on_blocklist": on_blocklist,
    "seats_left": seats_left,
    "print_ticket": print_ticket,
}
