"""The requests of `make lesson-02 timeline`.

The stand-ins take less time than the outside world in app.py.
"""

from __future__ import annotations

import asyncio
from typing import Self

from workshop.scenario import Stage
from workshop.timeline import mark


async def orders(stage: Stage) -> None:
    """Three customers buy one after another."""
    before = Cards.opened
    for seat, customer in (("B1", "Ann"), ("B2", "Bob"), ("B3", "Cy")):
        await stage.request("POST", "/orders", customer=customer, json={"seat": seat})
    opened = Cards.opened - before
    connections = "1 new connection" if opened == 1 else f"{opened} new connections"
    stage.headline(lambda: f"{connections}. {stage.wait_of('Cy')}")


class Cards:
    opened = 0

    async def __aenter__(self) -> Self:
        Cards.opened += 1
        mark("connects")
        await asyncio.sleep(0.06)  # a new connection: DNS, TCP and TLS
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        mark("closes")
        await asyncio.sleep(0.02)

    async def charge(self, customer: str) -> None:
        mark("charges")
        await asyncio.sleep(0.02)


def connect_cards() -> Cards:
    return Cards()


WORLD = {"connect_cards": connect_cards}
