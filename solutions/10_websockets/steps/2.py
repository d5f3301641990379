"""The box office: every customer sees at once which seats are sold.

Start it with `make lesson-10 run`.
"""

import asyncio
import json
import logging
import os
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Annotated, Any

from fastapi import (
    BackgroundTasks,
    Depends,
    FastAPI,
    WebSocket,
    WebSocketDisconnect,
    WebSocketException,
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


class Client:
    """A socket, and the messages that wait for it."""

    def __init__(self, socket: WebSocket) -> None:
        self.socket = socket
        self.waiting = asyncio.Queue[str](WAITING)
        self.behind = asyncio.Event()

    def tell(self, seat: str) -> None:
        """Let a message wait, or note that there are too many."""
        try:
            self.waiting.put_nowait(seat)
        except asyncio.QueueFull:
            self.behind.set()

    async def send_all(self) -> None:
        """Send what waits until the client has left."""
        # The endpoint receives the disconnect, and ends.
        with suppress(WebSocketDisconnect, RuntimeError):
            while True:
                seat = await self.waiting.get()
                await self.socket.send_json({"sold": seat})

    async def falls_behind(self) -> None:
        await self.behind.wait()
        raise WebSocketException(1013, "read faster")


class Foyer:
    """The clients that see which seats are sold."""

    def __init__(self) -> None:
        self.clients = set[Client]()

    def broadcast(self, seat: str) -> None:
        # No await: nobody can join or leave meanwhile.
        for client in self.clients:
            client.tell(seat)

    @asynccontextmanager
    async def joined(self, client: Client) -> AsyncIterator[None]:
        """Send to a client while the block runs."""
        sender = asyncio.create_task(client.send_all())
        self.clients.add(client)
        try:
            yield
        finally:
            self.clients.remove(client)
            sender.cancel()
            await asyncio.wait({sender})


foyer = Foyer()


async def first(*jobs: Coroutine[Any, Any, Any]) -> Any:
    """Return what the first of the jobs returns; end the others."""
    tasks = [asyncio.create_task(job) for job in jobs]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return next(it for it in tasks if it.done()).result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


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
    client = Client(socket)
    try:
        async with foyer.joined(client):
            while True:
                text = await first(
                    socket.receive_text(), client.falls_behind()
                )
                seat = json.loads(text)["seat"]
                await sell(seat, customer)
                foyer.broadcast(seat)
    except WebSocketDisconnect:
        pass  # it has left the foyer
    except WebSocketException as error:
        # A client that does not read makes this wait.
        with suppress(TimeoutError):
            async with asyncio.timeout(1):
                await socket.close(error.code, error.reason)


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
