"""The box office: a live board of the seats that are being sold.

Start it with `make lesson-05 run`, then open /docs.
"""

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException
from fastapi.sse import EventSourceResponse, ServerSentEvent
from sqlalchemy import select
from sqlalchemy.ext.asyncio import (
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

SQLITE = "sqlite+aiosqlite:///box_office.db"
engine = create_async_engine(os.environ.get("DATABASE_URL", SQLITE))
Session = async_sessionmaker(engine, expire_on_commit=False)
Sales = AsyncIterator["Sale"]


class Base(DeclarativeBase):
    pass


class Show(Base):
    __tablename__ = "shows"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]


class Sale(Base):
    __tablename__ = "sales"
    number: Mapped[int] = mapped_column(primary_key=True)
    show_id: Mapped[int]
    seat: Mapped[str]
    greeting: Mapped[str]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with Session.begin() as db:
        connection = await db.connection()
        await connection.run_sync(Base.metadata.create_all)
        await db.merge(Show(id=1, title="Hamlet"))
    yield
    await engine.dispose()


async def get_db() -> AsyncIterator[AsyncSession]:
    async with Session() as session:
        yield session


DB = Annotated[AsyncSession, Depends(get_db)]
app = FastAPI(title="Box office", lifespan=lifespan)


# TODO 5: a waiting board holds no connection to the database.
@app.get("/shows/{show_id}/board", response_class=EventSourceResponse)
async def board(show_id: int, db: DB) -> AsyncIterator[ServerSentEvent]:
    """Stream the sales of a show: first past ones, then live ones."""
    # TODO 4: an unknown show is a 404; a broken subscription an event.
    if await db.get(Show, show_id) is None:
        raise HTTPException(404, "show not found")
    # TODO 3: a closed tab closes its subscription.
    async with live_sales(show_id) as live:
        # TODO 6: a reconnecting browser gets only what it missed.
        query = select(Sale).filter_by(show_id=show_id)
        sales = list(await db.scalars(query.order_by(Sale.number)))
        for sale in sales:
            yield as_event(sale)
        async for sale in live:
            yield as_event(sale)


def as_event(sale: Sale) -> ServerSentEvent:
    data = {"seat": sale.seat, "greeting": sale.greeting}
    number = str(sale.number)
    return ServerSentEvent(data=data, event="sale", id=number)


# --- The outside world, slow and remote. Leave it as it is. ---------

log = logging.getLogger("uvicorn.error")


@asynccontextmanager
async def live_sales(show_id: int) -> AsyncIterator[Sales]:
    """Subscribe to the sales of a show; unsubscribe at the end."""
    await asyncio.sleep(0.1)
    log.info("a subscription to the ticket system is open")
    try:
        yield sell_five_seats(show_id)
    finally:
        await asyncio.sleep(0.1)
        log.info("a subscription to the ticket system is closed")


async def sell_five_seats(show_id: int) -> Sales:
    """Sell a seat every second and yield it, until it is sold out."""
    for seat in ("A1", "A2", "A3", "A4", "A5"):
        await asyncio.sleep(1)
        sale = Sale(show_id=show_id, seat=seat, greeting="From\nBob")
        async with Session.begin() as db:
            db.add(sale)
        yield sale
