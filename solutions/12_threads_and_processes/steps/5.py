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
from concurrent.futures import (
    BrokenExecutor,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
)
from contextlib import AsyncExitStack, asynccontextmanager

from anyio import from_thread
from fastapi import FastAPI, HTTPException, Request

log = logging.getLogger("box_office")
sale = threading.Lock()


async def show_printed(printed: asyncio.Queue[str]) -> None:
    """Show one ticket after another on the board."""
    while True:
        ticket = await printed.get()
        try:
            await show_on_board(ticket)
        except Exception as error:
            log.warning("not on the board: %s: %r", ticket, error)


class LedgerThread:
    """The only thread in which the ledger is used."""

    def __init__(self) -> None:
        self.thread = ThreadPoolExecutor(max_workers=1)
        self.ledger: Ledger | None = None

    async def open(self) -> None:
        await self.run(self._open)

    async def enter(self, number: int) -> None:
        await self.run(self._enter, number)

    async def close(self) -> None:
        await self.run(self._close)
        self.thread.shutdown()

    async def run(self, job: Callable[..., None], *args: int) -> None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self.thread, job, *args)

    def _open(self) -> None:
        self.ledger = open_ledger()

    def _enter(self, number: int) -> None:
        # One job, so no other refund comes before the commit.
        assert self.ledger is not None
        try:
            self.ledger.add(number)
            self.ledger.commit()
        except Exception:
            self.ledger.rollback()
            raise

    def _close(self) -> None:
        if self.ledger is not None:
            self.ledger.close()


class Drawers:
    """Processes that draw. A new pool replaces a broken one."""

    def __init__(self) -> None:
        self.pool = start_drawers()

    async def draw(self, show: str) -> int:
        loop = asyncio.get_running_loop()
        pool = self.pool
        try:
            return await loop.run_in_executor(pool, draw_plan, show)
        except BrokenExecutor:
            # It breaks all its drawings; the first replaces the pool.
            if self.pool is pool:
                self.pool = start_drawers()
                pool.shutdown(wait=False)
            raise HTTPException(503, "try again") from None

    async def close(self) -> None:
        """Wait until the processes have ended."""
        await asyncio.to_thread(self.pool.shutdown, cancel_futures=True)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        app.state.agency = await connect_agency()
        stack.push_async_callback(app.state.agency.close)
        loop = asyncio.get_running_loop()
        printed: asyncio.Queue[str] = asyncio.Queue()

        def on_printed(ticket: str) -> None:
            # The printer's thread. The loop may be asleep: wake it.
            loop.call_soon_threadsafe(printed.put_nowait, ticket)

        board = asyncio.create_task(show_printed(printed))
        stack.callback(board.cancel)
        app.state.printer = open_printer(on_printed)
        stack.push_async_callback(
            asyncio.to_thread, app.state.printer.close
        )
        ledger = LedgerThread()
        stack.push_async_callback(ledger.close)
        await ledger.open()
        app.state.ledger = ledger
        app.state.drawers = Drawers()
        stack.push_async_callback(app.state.drawers.close)
        yield


app = FastAPI(title="Box office", lifespan=lifespan)


@app.get("/ping")
async def ping() -> dict[str, bool]:
    return {"open": True}


@app.get("/shows/{show}/flyer")
def flyer(show: str, request: Request) -> dict[str, str]:
    """Typeset a flyer with the price that the agency asks."""
    agency = request.app.state.agency
    try:
        # The client belongs to the event loop, so it is used there.
        euros = from_thread.run(agency.price, show)
    except Unavailable:
        raise HTTPException(503, "try again later") from None
    return {"flyer": typeset(show, euros)}


@app.post("/tickets/{ticket}", status_code=202)
async def print_ticket(ticket: str, request: Request) -> dict[str, str]:
    request.app.state.printer.print(ticket)
    return {"printing": ticket}


@app.post("/shows/{show}/orders", status_code=201)
def order(show: str) -> dict[str, int]:
    """Sell the first free seat."""
    with sale:  # no other thread between the look and the take
        seat = first_free(show)
        if seat is None:
            raise HTTPException(409, "sold out")
        take(show, seat)
    try:
        charge(show, seat)  # slow, so the lock is free again
    except Exception as error:
        with sale:
            give_back(show, seat)
        if isinstance(error, Declined):
            raise HTTPException(402, "the card was declined") from None
        raise
    return {"seat": seat}


@app.post("/refunds/{number}", status_code=201)
async def refund(number: int, request: Request) -> dict[str, int]:
    """Write a refund into the ledger."""
    await request.app.state.ledger.enter(number)
    return {"refunded": number}


# TODO 6: End a drawing that is given up.
@app.get("/shows/{show}/plan")
async def plan(show: str, request: Request) -> dict[str, int]:
    """Draw a seating plan in another process."""
    drawing = request.app.state.drawers.draw(show)
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
