"""The requests of `make lesson-01 timeline`.

The stand-ins for the mail server and the card company answer within milliseconds.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets

from workshop.scenario import Stage

# Short codes, and the same ones in every picture.
_codes = itertools.count(1)
secrets.token_bytes = lambda nbytes=None: next(_codes).to_bytes(2)


async def confirmation(stage: Stage) -> None:
    """Ann buys a ticket, and opens its confirmation at once."""
    order = await stage.request("POST", "/orders", json={})
    stage.request("GET", f"/orders/{order.json()['code']}")


async def payment(stage: Stage) -> None:
    """Ann pays while Bob's card is declined."""
    codes = []
    for seat, customer in (("A1", "Ann"), ("A2", "Bob")):
        wanted = {"seat": seat, "customer": customer}
        order = await stage.request("POST", "/orders", json=wanted)
        codes.append(order.json()["code"])
    await stage.ended()
    for code in codes:
        stage.request("POST", f"/orders/{code}/payment")


async def send_mail(customer: str, code: str) -> None:
    await asyncio.sleep(0.02)


async def charge_card(customer: str) -> bool:
    await asyncio.sleep(0.05 if customer == "Ann" else 0.02)
    return customer != "Bob"


WORLD = {"send_mail": send_mail, "charge_card": charge_card}
