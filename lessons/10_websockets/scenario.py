"""The connections of `make lesson-10 timeline`.

The stand-ins take less time than the outside world in app.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

from workshop.scenario import Stage, external_call
from workshop.testing import Conversation, conversation
from workshop.timeline import NameRequests, mark
from workshop.timeline.requests import CUSTOMER
from workshop.timeline.words import time


def connect(stage: Stage, customer: str) -> Conversation:
    """Connect *customer*, whose lane has that name."""

    app = NameRequests(stage.app.asgi)

    def named(scope: Any, receive: Any, send: Any) -> Awaitable[None]:
        scope[CUSTOMER] = customer
        return app(scope, receive, send)

    session = {"cookie": f"session={customer.lower()}"}
    return conversation(named, "/seats", headers=session)


async def broadcast(stage: Stage) -> None:
    """Cleo does not read for a while, and Ann buys a seat."""
    # Tasks of the solution that wait for the next order, and for the end.
    stage.leave_out("receive_seat", "falls_behind")
    loop = asyncio.get_running_loop()
    cleo, ann = connect(stage, "Cleo"), connect(stage, "Ann")
    await stage.at(30)
    cleo.stop_reading()
    mark("stops reading", "Cleo")
    ordered = loop.time()
    ann.say({"seat": "A1"})
    seen = 0.0
    for moment in range(40, 240, 10):
        await stage.at(moment)
        if moment == 200:
            mark("reads again", "Cleo")
            cleo.read()
            await asyncio.sleep(0)
        if ann.heard and not seen:
            seen = loop.time() - ordered
            mark("A1 is sold", "Ann's screen shows")
    await stage.at(240)
    for client in (ann, cleo):
        client.leave()
    await stage.at(250)
    stage.headline(lambda: f"Ann sees the sale of her seat after {time(1000 * seen)}")


async def find_customer(session: str) -> str:
    await asyncio.sleep(0.01)
    return session.title()


@external_call
async def sell(seat: str, customer: str) -> None:
    await asyncio.sleep(0.03)


async def create_tables() -> None:
    """Do nothing, because the scene has no database."""


WORLD = {
    "create_tables": create_tables,
    "find_customer": find_customer,
    "sell": sell,
}
