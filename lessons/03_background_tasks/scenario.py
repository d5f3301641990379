"""The scenes of `make lesson-03 timeline`.

Mails and tickets take time as in app.py, but less of it.
"""

from __future__ import annotations

import asyncio
import time

from workshop.scenario import Stage


async def confirmation(stage: Stage) -> None:
    """Ann's confirmation is being sent, and Bob wants to buy."""
    stage.request("POST", "/orders", json={"seat": "A1"})
    stage.request("POST", "/orders", json={"seat": "A2"}, at=40)


async def closing(stage: Stage) -> None:
    """The server is told to stop while tickets are being printed."""
    for seat in ("A1", "A2"):
        await stage.request("POST", "/orders", json={"seat": seat})
    await stage.ended()
    await stage.request("POST", "/tickets")
    await stage.app.shutdown()


def send_mail(email: str, text: str) -> None:
    time.sleep(0.1)


async def print_ticket(order_id: int) -> None:
    await asyncio.sleep(0.1)


WORLD = {"send_mail": send_mail, "print_ticket": print_ticket}
