"""The box office: clients disconnect, and venues answer late.

Start it with `make lesson-08 run`, then open /docs.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable

import anyio
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

VENUES = ["Apollo", "Bijou", "Corso"]
PATIENCE = 3  # seconds that a customer waits for a price
Next = Callable[[Request], Awaitable[Response]]
log = logging.getLogger("uvicorn.error")
desks = asyncio.Semaphore(2)  # for two reports at a time
app = FastAPI(title="Box office")


@app.middleware("http")
async def name_office(request: Request, call_next: Next) -> Response:
    response = await call_next(request)
    response.headers["X-Box-Office"] = "Main Street"
    return response


async def draw_at_a_desk(show: str) -> dict[str, int]:
    async with desks:
        return await draw_report(show)


async def disconnected(request: Request) -> None:
    """Return when the client has disconnected."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


@app.get("/shows/{show}/report")
async def report(show: str, request: Request) -> dict[str, int]:
    """Draw the seating plan of a show, which takes minutes."""
    async with asyncio.TaskGroup() as group:
        drawing = group.create_task(draw_at_a_desk(show))
        leaving = group.create_task(disconnected(request))
        await asyncio.wait(
            {drawing, leaving}, return_when=asyncio.FIRST_COMPLETED
        )
        drawing.cancel()  # changes nothing if it has ended
        leaving.cancel()
    if drawing.cancelled():
        raise HTTPException(499, "the client has disconnected")
    return drawing.result()


async def ask_until_answered(show: str) -> int:
    """Ask the Dome again and again, until it answers."""
    pause = 0.0
    while True:
        try:
            await asyncio.sleep(pause)
            return await ask_price(show)
        except Exception as error:
            log.warning("no price: %s", type(error).__name__)
            pause = 0.2


@app.get("/shows/{show}/price")
async def price(show: str) -> dict[str, int]:
    """Return the price that the Dome asks for a ticket."""
    prices: list[int] = []

    async def ask() -> None:
        prices.append(await ask_until_answered(show))

    try:
        with anyio.fail_after(PATIENCE):
            # It cancels the call again and again, until it has ended,
            # also if only the route is cancelled, and only once.
            async with anyio.create_task_group() as group:
                group.start_soon(ask)
    except TimeoutError:
        raise HTTPException(504, "the Dome is silent") from None
    return {"euros": prices[0]}


@app.get("/shows/{show}/ticker")
async def ticker(show: str) -> StreamingResponse:
    """Stream the price, a line for each answer of the Dome."""

    async def lines() -> AsyncIterator[str]:
        while True:
            yield f"{await ask_until_answered(show)}\n"

    return StreamingResponse(lines(), media_type="text/plain")


class Order(BaseModel):
    customer: str = "Ann"
    euros: int = 20


async def sell(order: Order) -> None:
    if not await charge(order.customer, order.euros):
        raise HTTPException(402, "declined")
    await record(order.customer, order.euros)


async def finish(work: Awaitable[None]) -> None:
    """Await *work* to its end, and only then be cancelled."""
    task = asyncio.ensure_future(work)
    cancelled = None
    with anyio.CancelScope(shield=True):  # keeps off anyio's scopes
        while not task.done():
            try:
                await asyncio.wait({task})  # does not cancel the task
            except asyncio.CancelledError as error:
                cancelled = error
    if cancelled:
        raise cancelled
    task.result()


@app.post("/orders", status_code=201)
async def buy(order: Order) -> dict[str, str]:
    """Charge the customer, then write it into the ledger."""
    await finish(sell(order))
    return {"sold": order.customer}


async def find(venue: str, show: str) -> dict[str, str] | None:
    try:
        return {"venue": venue, "seat": await find_seat(venue, show)}
    except Exception as error:
        log.warning("no seat in the %s: %r", venue, error)
        return None


# TODO 4: End the other calls before the request ends.
@app.get("/shows/{show}/seat")
async def seat(show: str) -> dict[str, str]:
    """Return a free seat in the venue that answers first."""
    calls = [asyncio.create_task(find(v, show)) for v in VENUES]
    for call in asyncio.as_completed(calls):
        if found := await call:
            return found
    raise HTTPException(502, "no venue can be reached")


# --- The outside world, slow and remote. Leave it as it is. ---------


async def draw_report(show: str) -> dict[str, int]:
    """Draw a seating plan at a desk."""
    await asyncio.sleep(20)
    return {"seats": 100 * len(show)}


async def ask_price(show: str) -> int:
    """Ask by the Dome's client library, which tries three times."""
    for attempt in range(3):
        try:
            await asyncio.sleep(2)
            return 20 + len(show)
        except BaseException:  # that is how the library is written
            log.info("attempt %s for %s has failed", attempt + 1, show)
            if attempt == 2:
                raise
    raise AssertionError


async def charge(customer: str, euros: int) -> bool:
    """Charge a customer. What the bank was sent, it will not stop."""
    await asyncio.sleep(2)
    return euros < 1000


async def record(customer: str, euros: int) -> None:
    """Write a charge into the ledger."""
    await asyncio.sleep(0.1)


async def find_seat(venue: str, show: str) -> str:
    await asyncio.sleep(len(venue) + len(show))
    return f"{venue[0]}{len(show)}"
