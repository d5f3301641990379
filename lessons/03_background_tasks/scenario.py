"""The requests of `make lesson-03 timeline`.

The stand-ins take less time than the outside world in app.py.
"""

from __future__ import annotations

import asyncio
import time

from workshop.scenario import Stage, external_call
from workshop.timeline import mark


async def confirmation(stage: Stage) -> None:
    """Bob buys while Ann's confirmation is mailed."""
    Mail.seconds = 0.1
    stage.headline(lambda: stage.wait_of("Bob"))
    stage.request("POST", "/orders", customer="Ann", json={"seat": "A1"})
    stage.request("POST", "/orders", customer="Bob", json={"seat": "A2"}, at=40)


async def closing(stage: Stage) -> None:
    """The server shuts down while two tickets are printed."""
    Mail.seconds = 0.0
    for seat, customer in (("A1", "Ann"), ("A2", "Bob")):
        await stage.request("POST", "/orders", customer=customer, json={"seat": seat})
    await stage.ended()
    printed.clear()
    await stage.request("POST", "/tickets", customer="manager")
    mark("shutdown begins", "server")
    await stage.app.shutdown()
    mark("process ends", "server")
    count = len(printed)
    stage.headline(lambda: f"{count} of 2 tickets printed")


class Mail:
    seconds = 0.1


def send_mail(email: str, text: str) -> None:
    if Mail.seconds:
        time.sleep(Mail.seconds)


printed: list[int] = []


@external_call
async def print_ticket(order_id: int) -> None:
    await asyncio.sleep(0.1)
    printed.append(order_id)
    mark("ticket printed")


WORLD = {"send_mail": send_mail, "print_ticket": print_ticket}
