"""The box office: every customer sees at once which seats are sold.

Start it with `make lesson-10 run`.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from fastapi.middleware.cors import CORSMiddleware

ORIGIN = "https://box-office.example"  # of our own web pages
WAITING = 10  # messages that may wait for one client
PATIENCE = 5  # seconds until a client that is behind is gone

log = logging.getLogger("uvicorn.error")
app = FastAPI(title="Box office")
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


# --- The outside world, slow and remote. Leave it as it is. ---------


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
