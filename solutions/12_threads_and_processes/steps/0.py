"""The box office: threads and processes beside the event loop.

Start it with `make lesson-12 run`, then open /docs.
"""

import asyncio
import logging
import multiprocessing
import queue
import sqlite3
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI, HTTPException, Request

log = logging.getLogger("box_office")
printed: asyncio.Queue[str] = asyncio.Queue()


# TODO 2: Show each ticket on the board as soon as it is printed.
def on_printed(ticket: str) -> None:
    """Pass on a ticket. The printer calls this in its own thread."""
    printed.put_nowait(ticket)


async def show_printed() -> None:
    """Show one ticket after another on the board."""
    while True:
        ticket = await printed.get()
        try:
            await show_on_board(ticket)
        except Exception as error:
            log.warning("not on the board: %s: %r", ticket, error)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        app.state.agency = await connect_agency()
        stack.push_async_callback(app.state.agency.close)
        board = asyncio.create_task(show_printed())
        stack.callback(board.cancel)
        app.state.printer = open_printer(on_printed)
        stack.push_async_callback(
            asyncio.to_thread, app.state.printer.close
        )
        app.state.ledger = open_ledger()
        stack.callback(app.state.ledger.close)
        app.state.drawers = start_drawers()
        yield


app = FastAPI(title="Box office", lifespan=lifespan)


@app.get("/ping")
async def ping() -> dict[str, bool]:
    return {"open": True}


# TODO 1: Ask the agency with the client that the lifespan has opened.
@app.get("/shows/{show}/flyer")
def flyer(show: str, request: Request) -> dict[str, str]:
    """Typeset a flyer with the price that the agency asks."""
    agency = request.app.state.agency
    try:
        euros = asyncio.run(agency.price(show))
    except Unavailable:
        raise HTTPException(503, "try again later") from None
    return {"flyer": typeset(show, euros)}


@app.post("/tickets/{ticket}", status_code=202)
async def print_ticket(ticket: str, request: Request) -> dict[str, str]:
    request.app.state.printer.print(ticket)
    return {"printing": ticket}


# TODO 3: Sell each seat once.
@app.post("/shows/{show}/orders", status_code=201)
def order(show: str) -> dict[str, int]:
    """Sell the first free seat."""
    seat = first_free(show)
    if seat is None:
        raise HTTPException(409, "sold out")
    try:
        charge(show, seat)
    except Declined:
        raise HTTPException(402, "the card was declined") from None
    take(show, seat)
    return {"seat": seat}


# TODO 4: Use the ledger in one thread, which is not the event loop's.
@app.post("/refunds/{number}", status_code=201)
async def refund(number: int, request: Request) -> dict[str, int]:
    """Write a refund into the ledger."""
    ledger = request.app.state.ledger
    try:
        ledger.add(number)
        ledger.commit()
    except Exception:
        ledger.rollback()
        raise
    return {"refunded": number}


# TODO 5: Draw again after a process has died, and leave none behind.
# TODO 6: End a drawing that is given up.
@app.get("/shows/{show}/plan")
async def plan(show: str, request: Request) -> dict[str, int]:
    """Draw a seating plan in another process."""
    loop = asyncio.get_running_loop()
    drawers = request.app.state.drawers
    drawing = loop.run_in_executor(drawers, draw_plan, show)
    try:
        size = await asyncio.wait_for(drawing, LIMIT)
    except TimeoutError:
        raise HTTPException(504, "the plan takes too long") from None
    return {"size": size}


# --- The outside world, slow and remote. Leave it as it is. ---------


class Unavailable(Exception):  # noqa: N818 -- a state, not a mistake
    """The agency has no price at the moment."""


class Declined(Exception):  # noqa: N818 -- an answer, not a mistake
    """The bank has refused the card."""


class Agency:
    """A client with one connection, for the loop that opened it."""

    def __init__(self) -> None:
        self.connection = asyncio.Lock()

    async def price(self, show: str) -> int:
        async with self.connection:
            await asyncio.sleep(0.2)
        return 20 + len(show)

    async def close(self) -> None:
        await asyncio.sleep(0)


async def connect_agency() -> Agency:
    await asyncio.sleep(0.2)
    return Agency()


def typeset(show: str, euros: int) -> str:
    time.sleep(0.2)
    return f"{show}: {euros} euros"


class Printer:
    """Prints in its own thread, and calls *on_printed* there."""

    def __init__(self, on_printed: Callable[[str], None]) -> None:
        self.tickets: queue.Queue[str | None] = queue.Queue()
        self.on_printed = on_printed
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self) -> None:
        while ticket := self.tickets.get():
            time.sleep(0.2)
            self.on_printed(ticket)

    def print(self, ticket: str) -> None:
        self.tickets.put(ticket)

    def close(self) -> None:
        """Wait until all tickets are printed."""
        self.tickets.put(None)
        self.thread.join()


def open_printer(on_printed: Callable[[str], None]) -> Printer:
    return Printer(on_printed)


async def show_on_board(ticket: str) -> None:
    await asyncio.sleep(0.2)
    sys.stderr.write(f"on the board: {ticket}\n")


TAKEN: dict[str, set[int]] = {}


def first_free(show: str) -> int | None:
    time.sleep(0.1)
    taken = TAKEN.setdefault(show, set())
    return next((seat for seat in (1, 2, 3) if seat not in taken), None)


def take(show: str, seat: int) -> None:
    time.sleep(0.1)
    TAKEN[show].add(seat)


def give_back(show: str, seat: int) -> None:
    """Make a seat free again."""
    TAKEN[show].discard(seat)


def charge(show: str, seat: int) -> None:
    time.sleep(0.2)


class Ledger:
    """An old library: only the thread that opened it may use it."""

    def __init__(self) -> None:
        self.data = sqlite3.connect("")
        self.data.execute("CREATE TABLE refunds (number)")

    def add(self, number: int) -> None:
        time.sleep(0.2)
        self.data.execute("INSERT INTO refunds VALUES (?)", (number,))

    def commit(self) -> None:
        self.data.commit()

    def rollback(self) -> None:
        self.data.rollback()

    def close(self) -> None:
        self.data.close()


def open_ledger() -> Ledger:
    return Ledger()


LIMIT = 10  # seconds in which a plan must be drawn


def start_drawers() -> ProcessPoolExecutor:
    """Start a pool of two processes."""
    spawn = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(2, spawn)


def draw_plan(show: str) -> int:
    size = 1_000_000 if show == "Ring" else len(show)
    return sum(1 for _ in range(1000 * size))
