"""The requests of `make lesson-02 timeline`, and a card company that takes time.

Its delays are proportional to those of a real one, but shorter.
"""

from __future__ import annotations

import asyncio
from typing import Self

from workshop.scenario import Stage


async def orders(stage: Stage) -> None:
    """Three customers buy a seat each, one after another."""
    for seat in ("B1", "B2", "B3"):
        await stage.request("POST", "/orders", json={"seat": seat})


class Cards:
    async def __aenter__(self) -> Self:
        await asyncio.sleep(0.06)  # a new connection: names, keys, greetings
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await asyncio.sleep(0.02)

    async def charge(self, customer: str) -> None:
        await asyncio.sleep(0.02)


def connect_cards() -> Cards:
    return Cards()


WORLD = {"connect_cards": connect_cards}
