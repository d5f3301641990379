"""Who calls the box office when, for `make lesson-04 timeline`.

The outside world is as slow as in app.py, only less so.
"""

from __future__ import annotations

import asyncio

from workshop.scenario import Stage

SLOW = {"Apollo": 0.02, "Bijou": 0.04, "Corso": 0.06, "Dome": 0.08, "Eden": 0.1}


async def prices(stage: Stage) -> None:
    """Five venues are asked for their prices."""
    stage.request("GET", "/shows/hamlet/prices")


async def payment(stage: Stage) -> None:
    """One part of a payment is declined."""
    parts = [
        {"means": "gift card", "euros": 20},
        {"means": "expired card", "euros": 40},
        {"means": "bank", "euros": 100},
    ]
    stage.request("POST", "/payments", json=parts)
    await stage.at(120)


async def ask_price(venue: str, show: str) -> int:
    await asyncio.sleep(SLOW[venue])
    return 20 + len(venue + show)


async def charge(means: str, euros: int) -> bool:
    await asyncio.sleep(euros / 1000)
    return means != "expired card"


WORLD = {"ask_price": ask_price, "charge": charge}
