"""The box office: reports, seat maps, exports and refunds.

Start it with `make lesson-00 run`, then open /docs.
"""

import asyncio
import time

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse

app = FastAPI(title="Box office")


@app.get("/ping")
async def ping() -> dict[str, str]:
    """The turnstiles call this before they let anyone in."""
    return {"turnstiles": "open"}


# TODO 1: /ping must respond while a report waits for the venue.
@app.get("/shows/{show_id}/report")
async def report(show_id: int) -> dict[str, int]:
    """Report the seats sold, which only the venue's system knows."""
    sold = ask_venue(show_id)
    return {"show": show_id, "sold": sold}


# TODO 2: /ping must respond while a seat map is drawn.
@app.get("/shows/{show_id}/map", response_class=PlainTextResponse)
async def seat_map(show_id: int) -> str:
    """Draw the hall for customers who choose a seat."""
    sold = await sold_seats(show_id)
    return draw_seat_map(sold)


# TODO 3: /health must respond while exports fill the thread pool.
@app.get("/health")
def health() -> dict[str, str]:
    """The load balancer calls this and restarts a silent server."""
    return {"status": "ok"}


@app.post("/shows/{show_id}/export")
def export(show_id: int) -> dict[str, str]:
    """Write the guest list to a file for the venue."""
    return {"file": write_export(show_id)}


# TODO 4: a refund is confirmed only after its entry is written.
@app.post("/orders/{order_id}/refund")
async def refund(order_id: int) -> dict[str, int]:
    """Refund an order."""
    amount = await amount_paid(order_id)
    write_audit_entry(f"order {order_id}: {amount} euros back")
    return {"order": order_id, "refunded": amount}


@app.get("/audit")
async def audit() -> list[str]:
    """Return the audit book."""
    return AUDIT_BOOK


# ----------------------------------------------------------------------
# The outside world. Leave it as it is: the tests replace these
# functions by name.
# ----------------------------------------------------------------------

SEATS, A_ROW = 8_000, 100
AUDIT_BOOK: list[str] = []


def ask_venue(show_id: int) -> int:
    """Ask the venue's old system, which takes five seconds."""
    time.sleep(5)
    return 4_000 + show_id


async def sold_seats(show_id: int) -> set[int]:
    """Look up the numbers of the sold seats."""
    await asyncio.sleep(0.05)
    return {n for n in range(SEATS) if (n * n + show_id) % 7 < 3}


def draw_seat_map(sold: set[int]) -> str:
    """Draw x for a sold seat, else how many near it are sold."""
    seats = [
        "x" if n in sold else str(sum(abs(n - s) < 3 for s in sold))
        for n in range(SEATS)
    ]
    starts = range(0, SEATS, A_ROW)
    return "\n".join("".join(seats[n : n + A_ROW]) for n in starts)


def write_export(show_id: int) -> str:
    """Write the file to the archive, which takes five seconds."""
    time.sleep(5)
    return f"guests-{show_id}.csv"


async def amount_paid(order_id: int) -> int:
    """Look up the amount that the customer paid, in euros."""
    await asyncio.sleep(0.05)
    return 20 + order_id % 80


async def write_audit_entry(entry: str) -> None:
    """Append an entry to the book that the auditor reads."""
    await asyncio.sleep(0.05)
    AUDIT_BOOK.append(entry)
