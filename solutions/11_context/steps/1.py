"""The box office: each line of its log begins with a customer's name.

Start it with `make lesson-11 run`, then open /docs.
"""

import asyncio
import logging
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar, Token
from typing import Annotated

from fastapi import (
    BackgroundTasks,
    Depends,
    FastAPI,
    Header,
    HTTPException,
    Request,
    Response,
    WebSocket,
)
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse, StreamingResponse

NOBODY = "nobody"
SHOP = "https://tickets.example"  # its pages call this API
LOGS = ["box_office", "uvicorn.error", "uvicorn.access"]
Next = Callable[[Request], Awaitable[Response]]
log = logging.getLogger("box_office")
customer: ContextVar[str] = ContextVar("customer", default=NOBODY)


def current_customer() -> str:
    """Return the name that the log writes in front of a line."""
    return customer.get()


# TODO 2: Write "nobody" if a request has no name.
async def identify(x_customer: Annotated[str, Header()] = "") -> None:
    """Remember who sends this request."""
    if x_customer:
        customer.set(x_customer)


tickets: asyncio.Queue[tuple[str, str]] = asyncio.Queue()


async def print_tickets() -> None:
    """Print one ticket after another, because there is one printer."""
    while True:
        name, show = await tickets.get()
        customer.set(name)  # this task has a context of its own
        try:
            log.info("printing a ticket for %s", show)
            await ask_venue(show)
            log.info("printed a ticket for %s", show)
        except Exception as error:
            log.warning("no ticket for %s: %r", show, error)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    printer = asyncio.create_task(print_tickets())
    yield
    printer.cancel()


api = FastAPI(
    title="Box office",
    lifespan=lifespan,
    dependencies=[Depends(identify)],
)


# TODO 3: Let the shop's pages read a 500, and log its customer's name.
api.add_middleware(
    CORSMiddleware, allow_origins=[SHOP], allow_headers=["X-Customer"]
)


@api.exception_handler(Exception)
async def report(request: Request, error: Exception) -> JSONResponse:
    """Log an error that no other handler has caught."""
    log.error("failed: %s: %r", request.url.path, error)
    return JSONResponse({"detail": "Please try again"}, 500)


# TODO 4: Log each request without changing what it does.
@api.middleware("http")
async def log_requests(request: Request, call_next: Next) -> Response:
    """Log each request that was served, with its status."""
    response = await call_next(request)
    log.info("served: %s: %s", request.url.path, response.status_code)
    return response


async def desk() -> AsyncIterator[str]:
    """Lend a desk to a request."""
    log.info("desk taken")
    try:
        yield "desk 1"
    except Exception as error:
        log.info("desk returned after %r", error)
    else:
        log.info("desk returned")


@api.get("/shows/{show}/price")
async def price(show: str) -> dict[str, int]:
    log.info("asking for the price of %s", show)
    euros = await ask_venue(show)
    log.info("price of %s: %s", show, euros)
    return {"euros": euros}


@api.get("/shows/{show}/seats")
def seats(show: str) -> dict[str, int]:
    log.info("counting the seats of %s", show)
    return {"free": count_seats(show)}


def draw(show: str) -> int:
    """Draw a seating plan, in a thread."""
    log.info("drawing the plan of %s", show)
    size = count_seats(show)
    log.info("drawn the plan of %s", show)
    return size


@api.get("/shows/{show}/plan")
async def plan(show: str) -> dict[str, int]:
    return {"size": await asyncio.to_thread(draw, show)}


async def confirm(show: str) -> None:
    """Send the confirmation of an order."""
    log.info("confirming %s", show)
    await ask_venue(show)
    log.info("confirmed %s", show)


@api.post("/shows/{show}/orders", status_code=201)
async def order(show: str, later: BackgroundTasks) -> dict[str, str]:
    log.info("ordered %s", show)
    later.add_task(confirm, show)
    tickets.put_nowait((customer.get(), show))
    return {"sold": show}


@api.put("/shows/{show}/poster")
async def poster(show: str, request: Request) -> dict[str, int]:
    body = await request.body()
    log.info("poster of %s: %s bytes", show, len(body))
    return {"bytes": len(body)}


@api.post("/sign-in/{code}")
async def sign_in(code: str) -> dict[str, str]:
    """Tell a customer by a code, instead of a header."""
    name = await find_customer(code)
    customer.set(name)
    log.info("signed in")
    return {"name": name}


@api.get("/orders/{number}")
async def find(
    number: int, at: Annotated[str, Depends(desk)]
) -> dict[str, str]:
    show = await find_order(number)
    if show is None:
        raise HTTPException(404, "no such order")
    return {"show": show, "at": at}


@api.get("/shows/{show}/news")
async def news(show: str, request: Request) -> dict[str, int]:
    """Wait until the venue has a price for this show."""
    while not (euros := await ask_venue(show)):
        if await request.is_disconnected():
            log.info("has left")
            raise HTTPException(499, "the client has left")
    return {"euros": euros}


async def each_price(show: str, euros: int) -> AsyncIterator[str]:
    """Yield the price of a show again and again, until it is 0."""
    while euros:
        yield f"{euros}\n"
        euros = await ask_venue(show)


# TODO 5: End the span of a stream when the stream has ended.
@api.get("/shows/{show}/prices")
async def prices(show: str) -> StreamingResponse:
    """Stream the price of a show, and trace how long that takes."""
    with Span(f"prices of {show}"):
        if not (euros := await ask_venue(show)):
            raise HTTPException(404, "sold out")
        return StreamingResponse(each_price(show, euros))


@api.websocket("/shows/{show}/board")
async def board(socket: WebSocket, show: str) -> None:
    await socket.accept()
    log.info("watching the board of %s", show)
    await socket.send_json({"euros": await ask_venue(show)})
    await socket.close()


app = api  # what uvicorn runs


# --- The outside world, slow and remote. Leave it as it is. ---------


async def ask_venue(show: str) -> int:
    """Return the price of a ticket."""
    await asyncio.sleep(0.2)
    return 20 + len(show)


def count_seats(show: str) -> int:
    """Ask the old seat map, which blocks its caller."""
    time.sleep(0.2)
    return 100 * len(show)


async def find_customer(code: str) -> str:
    """Return the name of the customer to whom a code belongs."""
    await asyncio.sleep(0.2)
    return code.title()


async def find_order(number: int) -> str | None:
    await asyncio.sleep(0.2)
    return "Hamlet" if number < 100 else None


def write_line(name: str, text: str) -> None:
    """Write a line into the log."""
    sys.stderr.write(f"[{name}] {text}\n")


current_span: ContextVar["Span | None"] = ContextVar(
    "span", default=None
)


class Span:
    """A piece of work in a trace. The current span is its parent."""

    def __init__(self, name: str) -> None:
        self.name, self.parent = name, current_span.get()
        self.begun = time.monotonic()
        send_span("begun", self)

    def end(self) -> None:
        send_span("ended", self)

    def __enter__(self) -> "Span":
        self.token = attach(self)
        return self

    def __exit__(self, *error: object) -> None:
        detach(self.token)
        self.end()


def attach(span: Span) -> Token[Span | None]:
    """Make a span the current one of this context."""
    return current_span.set(span)


def detach(token: Token[Span | None]) -> None:
    """Make the previous span the current one again."""
    try:
        current_span.reset(token)
    except ValueError as error:
        log.error("cannot detach a span: %s", error)


def send_span(event: str, span: Span) -> None:
    """Tell the tracing service that a span has begun or ended."""
    parent = span.parent.name if span.parent else "none"
    seconds = time.monotonic() - span.begun
    sys.stderr.write(
        f"span {event}: {span.name}, {seconds:.1f} s, parent {parent}\n"
    )


class LogFile(logging.Handler):
    """Asks for the name whenever a line is logged, also by uvicorn."""

    def emit(self, record: logging.LogRecord) -> None:
        write_line(current_customer(), record.getMessage())


for logger in map(logging.getLogger, LOGS):
    logger.handlers = [LogFile()]
    logger.setLevel(logging.INFO)
