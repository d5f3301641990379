"""The box office of a venue: what it opens and when it closes it.

Start it with `make lesson-02 run`, then open /docs.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Annotated, Self

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request
from pydantic import BaseModel

# --- The outside world. Leave it as it is: the tests replace its three
# --- connect functions by name. ---------------------------------------


class Connection:
    async def aclose(self) -> None: ...

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.aclose()


class Database(Connection):
    def __init__(self, venue: str) -> None:
        self.gone = {"A1"}  # in a basket of the last run

    async def free_baskets(self) -> None:
        self.gone.discard("A1")

    async def sell(self, seat: str, customer: str) -> bool:
        free = seat not in self.gone
        self.gone.add(seat)
        return free

    async def read_prices(self) -> dict[str, int]:
        await asyncio.sleep(5)  # a long list, read slowly
        return {"stalls": 60, "balcony": 35}


class Mail(Connection):  # stores unsent mail when it is closed
    async def send(self, customer: str, seat: str) -> None: ...


class Cards(Connection):  # used like an httpx2.AsyncClient
    async def charge(self, customer: str) -> None: ...


async def connect_database(venue: str) -> Database:
    return Database(venue)


async def connect_mail(database: Database) -> Mail:
    return Mail()


def connect_cards() -> Cards:
    return Cards()


# --- The box office. Change whatever you like from here on. -----------

router = APIRouter()


@dataclass
class BoxOffice:
    database: Database
    mail: Mail
    cards: Cards
    prices: dict[str, int] = field(default_factory=dict)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, BoxOffice]]:
    # Whatever fails, the block closes what is open, the last first:
    # mail stores its unsent letters in the database.
    async with (
        await connect_database(app.title) as database,
        await connect_mail(database) as mail,
        connect_cards() as cards,
    ):
        await database.free_baskets()
        office = BoxOffice(database, mail, cards)
        refresher = asyncio.create_task(refresh_prices(office))
        try:
            yield {"office": office}
        finally:
            # cancel() is only a request. Wait until it has stopped,
            # because it may be using the database.
            refresher.cancel()
            await asyncio.wait([refresher])


async def refresh_prices(office: BoxOffice) -> None:
    while True:
        try:
            office.prices.update(await office.database.read_prices())
        except Exception:
            logging.exception("keeping the old prices")
        await asyncio.sleep(60)


async def get_office(request: Request) -> BoxOffice:
    return request.state.office


Office = Annotated[BoxOffice, Depends(get_office)]


class Order(BaseModel):
    seat: str = "B2"
    customer: str = "Ann"


@router.post("/orders", status_code=201)
async def buy(order: Order, office: Office) -> dict[str, str]:
    if not await office.database.sell(order.seat, order.customer):
        raise HTTPException(409, "seat is taken")
    await office.cards.charge(order.customer)
    await office.mail.send(order.customer, order.seat)
    return {"seat": order.seat, "customer": order.customer}


@router.get("/prices")
async def price_list(office: Office) -> dict[str, int]:
    return office.prices


@router.get("/ready")
async def ready(office: Office) -> dict[str, bool]:
    if not office.prices:
        raise HTTPException(503, "no price list yet")
    return {"ready": True}


def create_app(venue: str) -> FastAPI:
    app = FastAPI(title=venue, lifespan=lifespan)
    app.include_router(router)
    return app


app = create_app("Opera")
