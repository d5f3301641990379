"""The box office of a venue: what it opens and when it closes it.

Start it with `make lesson-02 run`, then open /docs.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

from fastapi import APIRouter, FastAPI, HTTPException
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
database: Database
mail: Mail
cards: Cards
prices: dict[str, int] = {}


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    global database, mail, cards
    # Whatever fails, the block closes what is open, the last first:
    # mail stores its unsent letters in the database.
    async with (
        await connect_database(app.title) as database,
        await connect_mail(database) as mail,
        connect_cards() as cards,
    ):
        await database.free_baskets()
        # TODO 5: stop this task before the database is closed.
        app.state.refresher = asyncio.create_task(refresh_prices())
        yield


async def refresh_prices() -> None:
    while True:
        try:
            prices.update(await database.read_prices())
        except Exception:
            logging.exception("keeping the old prices")
        await asyncio.sleep(60)


class Order(BaseModel):
    seat: str = "B2"
    customer: str = "Ann"


@router.post("/orders", status_code=201)
async def buy(order: Order) -> dict[str, str]:
    if not await database.sell(order.seat, order.customer):
        raise HTTPException(409, "seat is taken")
    await cards.charge(order.customer)
    await mail.send(order.customer, order.seat)
    return {"seat": order.seat, "customer": order.customer}


@router.get("/prices")
async def price_list() -> dict[str, int]:
    return prices


# TODO 6: return 503 until there are prices.
@router.get("/ready")
async def ready() -> dict[str, bool]:
    return {"ready": True}


# TODO 4: give every app its own connections and prices.
def create_app(venue: str) -> FastAPI:
    app = FastAPI(title=venue, lifespan=lifespan)
    app.include_router(router)
    return app


app = create_app("Opera")
