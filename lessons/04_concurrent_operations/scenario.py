"""The requests of `make lesson-04 timeline`.

The stand-ins take less time than the outside world in app.py.
"""

from __future__ import annotations

import asyncio

from workshop.scenario import Stage, external_call
from workshop.timeline import mark

SLOW = {"Apollo": 0.02, "Bijou": 0.04, "Corso": 0.06, "Dome": 0.08, "Eden": 0.1}


async def prices(stage: Stage) -> None:
    """Ann asks for the prices in five venues."""
    stage.headline(lambda: stage.wait_of("Ann"))
    stage.request("GET", "/shows/hamlet/prices", customer="Ann")


async def payment(stage: Stage) -> None:
    """Ann pays in three parts; her second card has expired."""
    charged.clear()
    parts = [
        {"means": "gift card", "euros": 20},
        {"means": "expired card", "euros": 40},
        {"means": "bank", "euros": 100},
    ]
    await stage.request("POST", "/payments", customer="Ann", json=parts)
    before = sum(charged)
    await stage.at(120)
    after = sum(charged) - before
    stage.headline(lambda: f"{after} euros charged after Ann was refused")


@external_call
async def ask_price(venue: str, show: str) -> int:
    await asyncio.sleep(SLOW[venue])
    return 20 + len(venue + show)


charged: list[int] = []


@external_call
async def charge(means: str, euros: int) -> bool:
    await asyncio.sleep(euros / 1000)
    if means == "expired card":
        mark("declined")
        return False
    charged.append(euros)
    mark(f"{euros} euros charged")
    return True


WORLD = {"ask_price": ask_price, "charge": charge}
