"""The box office: venues that answer slowly, and customers who wait.

Start it with `make lesson-09 run`, then open /docs.
"""

import asyncio
import json
import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Literal

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel
from sqlalchemy import Connection, event, insert, select
from sqlalchemy.ext.asyncio import (
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

Venue = Literal["Apollo", "Bijou", "Corso", "Dome", "Eden"]
PLACES = 3  # calls that a venue can take at the same time
WAITING = 5  # requests that may wait for a place at a venue
PATIENCE = 3  # seconds that a customer waits for free seats
ATTEMPTS = 3  # calls that the seat map gets for one request
LIMIT = 1024 * 1024  # bytes of a floor plan
AHEAD = 200  # orders that may be read but not yet sent

Call = Callable[..., Awaitable[int]]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    await engine.dispose()


app = FastAPI(title="Box office", lifespan=lifespan)
places = asyncio.Semaphore(PLACES)


# TODO 1: Ask the other venues while one of them is slow.
# TODO 2: Release the place exactly once, however the call ends.
# TODO 3: Refuse requests when too many are waiting for a venue.
@app.get("/venues/{venue}/prices/{show}")
async def price(venue: Venue, show: str) -> dict[str, int]:
    """Return the price of a ticket, as the venue says it."""
    await places.acquire()
    euros = await ask_price(venue, show)
    places.release()
    return {"euros": euros}


async def repeat(call: Call, *args: object) -> int:
    """Call again when a call has failed."""
    for attempt in range(ATTEMPTS):
        try:
            return await call(*args)
        except Exception:
            await asyncio.sleep(2**attempt)
    raise HTTPException(503, "try again later")


# TODO 4: Repeat only what is safe to repeat, within three seconds.
@app.get("/shows/{show}/seats")
async def seats(show: str) -> dict[str, int]:
    """Return the number of free seats."""
    return {"free": await repeat(count_seats, show)}


class Order(BaseModel):
    number: int = 1
    euros: int = 20


@app.post("/payments")
async def pay(order: Order) -> dict[str, int]:
    """Charge the customer's card."""
    return {"receipt": await repeat(charge, order.number, order.euros)}


# TODO 5: Store a plan piece by piece, and refuse one that is too large.
@app.put("/venues/{venue}/plan")
async def upload(venue: Venue, request: Request) -> dict[str, int]:
    """Store the venue's floor plan."""
    body = await request.body()
    if len(body) > LIMIT:
        raise HTTPException(413, "the floor plan is too large")
    async with open_plan(venue) as plan:
        await plan.write(body)
    return {"bytes": len(body)}


# TODO 6: Send each order soon after it has been read.
@app.get("/orders")
async def export() -> StreamingResponse:
    """Send all orders, each as a line of JSON."""
    return StreamingResponse(rows(), media_type="application/jsonl")


async def rows() -> AsyncIterator[str]:
    query = select(Sale).order_by(Sale.number)
    async with Session() as session:
        result = await session.scalars(query)
        for sale in result.all():
            yield json.dumps(sale.fields()) + "\n"


# --- The outside world, slow and remote. Leave it as it is. ---------


class Unavailable(Exception):  # noqa: N818 -- a state, not a mistake
    """No answer came, but one may come to the next call."""


async def ask_price(venue: str, show: str) -> int:
    await asyncio.sleep(60 if venue == "Dome" else 0.2)
    return 20 + len(venue + show)


async def count_seats(show: str) -> int:
    await asyncio.sleep(0.2)
    if random.random() < 0.5:
        raise Unavailable("connection lost")
    return 100 * len(show)


def random_pause() -> float:
    """Return how many seconds to wait before the next call."""
    return random.uniform(0.1, 1)


async def charge(number: int, euros: int) -> int:
    """Charge *euros* and return the number of the receipt."""
    await asyncio.sleep(0.5)
    if random.random() < 0.5:
        raise Unavailable("connection lost after the bank had charged")
    return 1000 + number


class Plan:
    def __init__(self) -> None:
        self.size = 0

    async def write(self, data: bytes) -> None:
        await asyncio.sleep(len(data) / 1_000_000)
        self.size += len(data)


PLANS: dict[str, Plan] = {}


@asynccontextmanager
async def open_plan(venue: str) -> AsyncIterator[Plan]:
    """Keep what is written, unless the block raises an exception."""
    plan = Plan()
    yield plan
    PLANS[venue] = plan


class Base(DeclarativeBase):
    pass


class Sale(Base):
    """An order, as the ticket machines store it."""

    __tablename__ = "orders"
    number: Mapped[int] = mapped_column(primary_key=True)
    customer: Mapped[str]
    euros: Mapped[int]

    def fields(self) -> dict[str, int | str]:
        return {
            "number": self.number,
            "customer": self.customer,
            "euros": self.euros,
        }


SQLITE = "sqlite+aiosqlite:///box_office.db"
engine = create_async_engine(os.environ.get("DATABASE_URL", SQLITE))
Session = async_sessionmaker(engine)


@event.listens_for(engine.sync_engine, "engine_connect", once=True)
def sell_tickets(connection: Connection) -> None:
    """Store some orders, unless there are any."""
    Base.metadata.create_all(connection)
    if connection.scalar(select(Sale.number).limit(1)) is None:
        sale = {"customer": "Ann", "euros": 20}
        connection.execute(insert(Sale), [sale] * 20_000)
    connection.commit()
