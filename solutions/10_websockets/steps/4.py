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
    HTTPException,
    WebSocket,
    WebSocketDisconnect,
    WebSocketException,
)
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


async def admit(socket: WebSocket) -> str:
    """Return the customer's name, or refuse the handshake."""
    # No Origin: not a browser, so no other site's page.
    if socket.headers.get("origin", ORIGIN) != ORIGIN:
        raise HTTPException(403, "use our own pages")
    session = socket.cookies.get("session", "")
    customer = await find_customer(session)
    if customer is None:
        raise HTTPException(401, "log in first")
    return customer


Customer = Annotated[str, Depends(admit)]


@asynccontextmanager
async def accepted(socket: WebSocket) -> AsyncIterator[None]:
    """Accept a socket, and close it with a code after the block."""
    await socket.accept()
    code, reason = 1000, ""
    try:
        yield
    except WebSocketDisconnect:
        return  # the client has closed it
    except WebSocketException as error:
        code, reason = error.code, error.reason
    except Exception:
        log.exception("a socket has failed")
        code, reason = 1011, "our fault"
    # A client that does not read makes this wait.
    with suppress(TimeoutError, WebSocketDisconnect, RuntimeError):
        async with asyncio.timeout(1):
            await socket.close(code, reason)


async def receive(socket: WebSocket) -> dict[str, Any]:
    """Return the next message, of text or bytes."""
    message = dict(await socket.receive())
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message["code"])
    return message


async def receive_seat(socket: WebSocket) -> str:
    """Return the seat of the next order."""
    message = await receive(socket)
    if message.get("text") is None:
        raise WebSocketException(1003, "send text")
    try:
        seat = json.loads(message["text"])["seat"]
    except (ValueError, LookupError, TypeError):
        seat = None
    if not isinstance(seat, str):
        raise WebSocketException(1007, "send a seat")
    return seat


@app.websocket("/seats")
async def seats(socket: WebSocket, customer: Customer) -> None:
    """Sell seats to one customer, and tell all what is sold."""
    client = Client(socket)
    async with accepted(socket), foyer.joined(client):
        while True:
            seat = await first(
                receive_seat(socket), client.falls_behind()
            )
            await sell(seat, customer)
            foyer.broadcast(seat)


async def send_prices(socket: WebSocket) -> None:
    async with open_feed() as feed:
        async for euros in feed:
            await socket.send_json({"euros": euros})


async def leaves(socket: WebSocket) -> None:
    """Receive until the client leaves; what it says is not used."""
    while True:
        await receive(socket)


@app.websocket("/prices")
async def prices(socket: WebSocket, customer: Customer) -> None:
    """Send each new price of a ticket."""
    async with accepted(socket):
        await first(send_prices(socket), leaves(socket))


async def get_db() -> AsyncIterator[AsyncSession]:
    async with Session() as session:
        yield session


DB = Annotated[AsyncSession, Depends(get_db)]


# TODO 5: Wait without a connection, and send the mails.
@app.websocket("/orders")
async def orders(
    socket: WebSocket,
    customer: Customer,
    db: DB,
    background_tasks: BackgroundTasks,
) -> None:
    """Show the orders of one customer, and take new ones."""
    async with accepted(socket):
        mine = select(Order.seat).filter_by(customer=customer)
        seats = await db.scalars(mine.order_by(Order.number))
        await socket.send_json({"orders": [*seats]})
        while True:
            seat = await receive_seat(socket)
            order = Order(customer=customer, seat=seat)
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
