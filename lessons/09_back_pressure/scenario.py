"""The requests of `make lesson-09 timeline`.

The stand-ins take less time than the outside world in app.py.
"""

from __future__ import annotations

import asyncio

from workshop.scenario import Stage, external_call


async def prices(stage: Stage) -> None:
    """The Dome is slow; Dora requests a price from Apollo."""
    stage.headline(lambda: stage.wait_of("Dora"))
    for customer in ("Ann", "Bob", "Carl"):
        stage.request("GET", "/venues/Dome/prices/hamlet", customer=customer)
    stage.request("GET", "/venues/Apollo/prices/hamlet", customer="Dora", at=10)


@external_call
async def ask_price(venue: str, show: str) -> int:
    await asyncio.sleep(0.12 if venue == "Dome" else 0.02)
    return 20 + len(venue + show)


WORLD = {"ask_price": ask_price}
