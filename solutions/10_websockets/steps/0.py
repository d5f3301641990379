"""The box office: every customer sees at once which seats are sold.

Start it with `make lesson-10 run`.
"""

import asyncio
import json
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import (
    BackgroundTasks,
    Depends,
    FastAPI,
    WebSocket,
    WebSocketDisconnect,
)
from fastapi.middleware.cors import CORSMiddleware
from sqlalchemy import select
from sqlalchemy.ext.asyncio import (
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

ORIGIN = "https://box-office.example"  # of our own web pages
WAITING = 10  # messages that may wait for one client
PATIENCE = 5  # seconds until a client that is behind is gone

log = logging.getLogger("uvicorn.error")
SQLITE = "sqlite+aiosqlite:///box_office.db"
engine = create_async_engine(os.environ.get("DATABASE_URL", SQLITE))
Session = async_sessionmaker(engine, expire_on_commit=False)


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"
    number: Mapped[int] = mapped_column(primary_key=True)
    customer: Mapped[str]
    seat: Mapped[str]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    await create_tables()
    yield
    await engine.dispose()


app = FastAPI(title="Box office", lifespan=lifespan)
app.add_middleware(
    CORSMiddleware, allow_origins=[ORIGIN], allow_credentials=True
)


class Foyer:
    """The clients that see which seats are sold."""

    def __init__(self) -> None:
        self.clients: list[WebSocket] = []

    # TODO 1: Send to all others when one client has left.
    # TODO 2: Wait for no client, and drop one that does not read.
    async def broadcast(self, seat: str) -> None:
        for client in self.clients:
            await client.send_json({"sold": seat})


foyer = Foyer()


# TODO 4: Refuse before accepting, and end with a close code.
async def admit(socket: WebSocket) -> str | None:
    """Return the customer's name, or close the socket."""
    await socket.accept()
    session = socket.cookies.get("session", "")
    customer = await find_customer(session)
    if customer is None:
        await socket.close(1008, "log in first")
    return customer


@app.websocket("/seats")
async def seats(socket: WebSocket) -> None:
    """Sell seats to one customer, and tell all what is sold."""
    customer = await admit(socket)
    if customer is None:
        return
    foyer.clients.append(socket)
    try:
        while True:
            order = json.loads(await socket.receive_text())
            await sell(order["seat"], customer)
            await foyer.broadcast(order["seat"])
    except WebSocketDisconnect:
        foyer.clients.remove(socket)


# TODO 3: End when the client leaves, even if no price comes.
@app.websocket("/prices")
async def prices(socket: WebSocket) -> None:
    """Send each new price of a ticket."""
    if await admit(socket) is None:
        return
    async with open_feed() as feed:
        async for euros in feed:
            await socket.send_json({"euros": euros})


async def get_db() -> AsyncIterator[AsyncSession]:
    async with Session() as session:
        yield session


DB = Annotated[AsyncSession, Depends(get_db)]


# TODO 5: Wait without a connection, and send the mails.
@app.websocket("/orders")
async def orders(
    socket: WebSocket, db: DB, background_tasks: BackgroundTasks
) -> None:
    """Show the orders of one customer, and take new ones."""
    customer = await admit(socket)
    if customer is None:
        return
    mine = select(Order.seat).filter_by(customer=customer)
    seats = await db.scalars(mine.order_by(Order.number))
    await socket.send_json({"orders": [*seats]})
    async for wanted in socket.iter_json():
        order = Order(customer=customer, seat=wanted["seat"])
        db.add(order)
        await db.commit()
        await db.refresh(order)
        background_tasks.add_task(send_mail, customer, order.number)
        await socket.send_json({"order": order.number})


# --- The outside world, slow and remote. Leave it as it is. ---------


async def create_tables() -> None:
    """Create what is missing in the database."""
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)


async def send_mail(customer: str, number: int) -> None:
    """Confirm an order by mail."""
    await asyncio.sleep(2)
    log.info("%s has the mail about order %s", customer, number)


async def find_customer(session: str) -> str | None:
    """Return the name of the customer who has logged in."""
    await asyncio.sleep(0.1)
    return session.title() if session in ("ann", "bob") else None


async def sell(seat: str, customer: str) -> None:
    """Write the sale into the ledger."""
    await asyncio.sleep(0.2)
    log.info("%s has bought %s", customer, seat)


@asynccontextmanager
async def open_feed() -> AsyncIterator[AsyncIterator[int]]:
    """Hold one of the few connections to the price computer."""

    async def new_prices() -> AsyncIterator[int]:
        for euros in (20, 25, 30):
            yield euros
            await asyncio.sleep(60)

    log.info("the feed is open")
    try:
        yield new_prices()
    finally:
        log.info("the feed is closed")
