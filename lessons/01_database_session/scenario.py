"""The requests of `make lesson-01 timeline`.

The stand-ins for the mail server and the card company respond within milliseconds.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
import sqlite3
from contextlib import closing
from http import HTTPStatus

from workshop.scenario import Stage, external_call
from workshop.timeline import call

# Short codes, and the same ones in every picture.
_codes = itertools.count(1)
secrets.token_bytes = lambda nbytes=None: next(_codes).to_bytes(2)


async def confirmation(stage: Stage) -> None:
    """Ann buys a ticket and opens its confirmation at once."""
    slow.add("mail")
    order = await stage.request("POST", "/orders", customer="Ann", json={})
    page = stage.request("GET", f"/orders/{order.json()['code']}", customer="Ann")
    stage.headline(lambda: f"Ann's confirmation: {_status(page.result().status_code)}")


async def payment(stage: Stage) -> None:
    """Ann pays while Bob's card is declined."""
    slow.clear()
    codes = {}
    for seat, customer in (("A1", "Ann"), ("A2", "Bob")):
        wanted = {"seat": seat, "customer": customer}
        order = await stage.request("POST", "/orders", customer=customer, json=wanted)
        codes[customer] = order.json()["code"]
    await stage.ended()
    payments = [
        stage.request("POST", f"/orders/{code}/payment", customer=customer)
        for customer, code in codes.items()
    ]
    stage.headline(
        lambda: (
            f"Ann: {_status(payments[0].result().status_code)}. "
            f"Payments stored: {_payments(stage)}"
        )
    )


def _status(code: int) -> str:
    return f"{code} {HTTPStatus(code).phrase}"


def _payments(stage: Stage) -> int:
    """Return how many payments the SQLite database has."""
    file = stage.app.module.engine.url.database
    with closing(sqlite3.connect(file)) as database:
        return database.execute("SELECT count(*) FROM payments").fetchone()[0]


slow: set[str] = set()


async def send_mail(customer: str, code: str) -> None:
    if "mail" in slow:
        with call(f"send_mail({customer!r})"):
            await asyncio.sleep(0.02)


@external_call
async def charge_card(customer: str) -> bool:
    await asyncio.sleep(0.05 if customer == "Ann" else 0.02)
    return customer != "Bob"


WORLD = {"send_mail": send_mail, "charge_card": charge_card}
