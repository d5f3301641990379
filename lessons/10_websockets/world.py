"""What the tests of lesson 10 put in the place of the outside world.

Sales, the look-up of customers and the price feed answer when the test says so. A
client is a `conversation`: it says something, stops reading, or leaves. Step 5 has a
database as well, and a mail server that takes its time.
"""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import httpx2
from sqlalchemy import create_engine, event, make_url
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import OperationalError

from workshop.testing import (
    Clock,
    Conversation,
    Database,
    Gate,
    RunningApp,
    conversation,
    eventually,
    when_idle,
)
from workshop.testing.app.application import running_apps
from workshop.testing.sync.condition import Condition

ORIGIN = "https://box-office.example"
WAITING = 10
PATIENCE = 5
PAUSE = 30  # seconds for which a client does not read, and then reads again
# Orders that are not one, each of them sent as it is.
NONSENSE: list[Any] = [
    "A1",
    "{",
    "",
    "[]",
    '["seat"]',
    "null",
    "7",
    "{}",
    '{"seat": 7}',
    '{"seat": null}',
    '{"seat": ["A1"]}',
    b'{"seat": "A1"}',
    b"\xff",
]
REASON = "the ledger is on fire"
OPEN_PAGES = 20  # more than SQLAlchemy's pool has connections


def errors() -> list[Exception]:
    """Return what the outside world may raise, the expected and the unexpected."""
    return [
        ConnectionError(REASON),
        TimeoutError(REASON),
        httpx2.ReadTimeout(REASON),
        ValueError(REASON),
        KeyError(REASON),
        RuntimeError(REASON),
        ExceptionGroup("both addresses", [OSError(REASON), OSError("timed out")]),
    ]


class Feed:
    """A connection to the price computer, as one client holds it."""

    def __init__(self, condition: Condition) -> None:
        self.prices: list[int | Exception | None] = []
        self.open = True
        self._condition = condition

    async def read(self) -> AsyncIterator[int]:
        """Yield prices until None, which is the end."""
        while True:
            await self._condition.until(lambda: bool(self.prices))
            price = self.prices.pop(0)
            if price is None:
                return
            if isinstance(price, Exception):
                raise price
            yield price


class World:
    """Stands in for the outside world.

    Attributes:
        customers: the gate before each answer of `find_customer()`; it is open.
        sold: the seats that were sold, in order.
        failing: what `sell()` raises, by seat.
        feeds: the feeds that were opened, in order.
        no_feed: what `open_feed()` raises, if anything.
    """

    def __init__(self, app: RunningApp) -> None:
        self.app = app
        self.customers = Gate("the list of customers")
        self.customers.open()
        self.sold: list[str] = []
        self.failing: dict[str, Exception] = {}
        self.feeds: list[Feed] = []
        self.no_feed: Exception | None = None
        self._held: dict[str, Gate] = {}
        self._condition = Condition()

        async def find_customer(session: str) -> str | None:
            await self.customers(session)
            return None if session in ("", "mallory") else session.title()

        async def sell(seat: str, customer: str) -> None:
            if gate := self._held.get(seat):
                await gate(seat, customer)
            if seat in self.failing:
                raise self.failing[seat]
            self.sold.append(seat)

        @asynccontextmanager
        async def open_feed() -> AsyncIterator[AsyncIterator[int]]:
            if self.no_feed is not None:
                raise self.no_feed
            feed = Feed(self._condition)
            self.feeds.append(feed)
            try:
                yield feed.read()
            finally:
                feed.open = False

        app.replace("find_customer", find_customer)
        app.replace("sell", sell)
        app.replace("open_feed", open_feed)

    def hold(self, seat: str) -> Gate:
        """Let the sale of *seat* wait at the gate that is returned."""
        self._held[seat] = Gate(f"the sale of {seat}")
        return self._held[seat]

    @property
    def open_feeds(self) -> int:
        """How many feeds are open."""
        return sum(feed.open for feed in self.feeds)

    def price(self, *prices: int | Exception | None) -> None:
        """Send prices to every feed; an exception is raised, and None is the end."""
        for feed in self.feeds:
            feed.prices += prices
        self._condition.notify_all()

    async def join(self, *names: str, path: str = "/seats") -> list[Conversation]:
        """Connect customers, one after another."""
        joined = []
        for name in names:
            client = conversation(self.app, path, headers=cookie(name))
            await when_idle(lambda: None)
            assert client.accepted, (
                f"{name} connected to {path} with a valid session, and got "
                f"{told(client)}. Expected: the app accepts the connection."
            )
            joined.append(client)
        return joined


async def create_tables() -> None:
    """Create the tables without a thread, which would slow down each of these tests."""
    (app,) = running_apps()
    file = make_url(os.environ["DATABASE_URL"]).database
    engine = create_engine(f"sqlite:///{file}")
    app.module.Base.metadata.create_all(engine)
    engine.dispose()


class MailServer:
    """Stands in for the mail server.

    Attributes:
        gate: where each mail waits; closed at first.
        begun: the customer and the order's number of each mail, in order.
        sent: the mails that have been sent.
        failing: the exception that `send_mail()` raises for a customer.
    """

    def __init__(self, app: RunningApp) -> None:
        self.gate = Gate("the mail server")
        self.begun: list[tuple[str, int]] = []
        self.sent: list[tuple[str, int]] = []
        self.failing: dict[str, Exception] = {}

        async def send_mail(customer: str, number: int) -> None:
            self.begun.append((customer, number))
            await self.gate(customer, number)
            if customer in self.failing:
                raise self.failing[customer]
            self.sent.append((customer, number))

        app.replace("send_mail", send_mail)

    async def begins(self, clock: Clock, count: int = 1) -> bool:
        """Wait until the app has begun *count* mails. It has one second for that."""
        if not await eventually(lambda: len(self.begun) >= count):
            await clock.advance(1)
        return await eventually(lambda: len(self.begun) >= count)

    async def sends(self, clock: Clock, *mails: tuple[str, int]) -> bool:
        """Open the gate and wait until these mails have been sent, and no others."""
        self.gate.open()
        await self.begins(clock, len(mails))
        await eventually(lambda: len(self.sent) >= len(mails))
        await when_idle(lambda: None)
        return sorted(self.begun) == sorted(self.sent) == sorted(mails)


async def orders_of(database: Database, *names: str) -> list[tuple[str, int]]:
    """Return the customer and the number of each order in the database, in order."""
    rows = await database.fetch("select customer, number from orders order by number")
    every = [(str(row["customer"]), int(row["number"])) for row in rows]
    return [it for it in every if it[0] in names or not names]


def numbers(client: Conversation) -> list[int]:
    """Return the order numbers that a client of `/orders` has received."""
    return [
        it["order"] for it in client.heard if isinstance(it, dict) and "order" in it
    ]


@contextmanager
def refusing(what: str) -> Iterator[None]:
    """Make the database refuse each `"INSERT"` or `"COMMIT"`.

    This happens in SQLAlchemy, because SQLite cannot refuse a commit on demand.
    """

    def fail() -> None:
        raise OperationalError(what, None, Exception("the disk is full"))

    def before_execute(
        connection: Connection, cursor: Any, statement: str, *args: Any
    ) -> None:
        if what == "INSERT" and statement.lstrip().upper().startswith(what):
            fail()

    def before_commit(connection: Connection) -> None:
        if what == "COMMIT":
            # A database that refuses a commit does the same.
            connection.dialect.do_rollback(connection.connection)
            fail()

    event.listen(Engine, "before_cursor_execute", before_execute)
    event.listen(Engine, "commit", before_commit)
    try:
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", before_execute)
        event.remove(Engine, "commit", before_commit)


def cookie(name: str, origin: str | None = None) -> dict[str, str]:
    """Return the headers of a client that has logged in as *name*."""
    headers = {"cookie": f"session={name.lower()}"} if name else {}
    return headers if origin is None else {**headers, "origin": origin}


def order(client: Conversation, *seats: str) -> None:
    """Order seats, one message for each."""
    for seat in seats:
        client.say({"seat": seat})


def news(*seats: str) -> list[dict[str, str]]:
    """Return the messages about the sales of *seats*."""
    return [{"sold": seat} for seat in seats]


async def hears(client: Conversation, messages: Sequence[Any]) -> bool:
    """Wait until *client* has heard exactly these, and hears no more."""
    await eventually(lambda: len(client.heard) >= len(messages))
    return bool(await when_idle(lambda: client.heard == [*messages]))


def told(client: Conversation) -> str:
    """Return in words how the connection stands."""
    if not client.accepted:
        return f"the status {client.status}" if client.status else "no response"
    if client.code is None:
        return "an open connection"
    if client.code == 1006:
        return "the close code 1006 (the connection ended without a close frame)"
    return f"the close code {client.code}"


def about(messages: Sequence[Any]) -> str:
    """Return in words what a client has received from `/seats`."""
    if not messages:
        return "nothing"
    if all(isinstance(it, dict) and [*it] == ["sold"] for it in messages):
        return f"the news about {', '.join(str(it['sold']) for it in messages)}"
    return str([*messages])


@contextmanager
def log_of(app: RunningApp) -> Iterator[list[str]]:
    """Collect what is logged in the block, and what the app raises to its server."""
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(  # type: ignore[method-assign]
        logging.Formatter().format(record)
    )
    handler.setLevel(logging.WARNING)
    raised = len(app.errors)
    logging.getLogger().addHandler(handler)
    try:
        yield lines
    finally:
        logging.getLogger().removeHandler(handler)
        lines += [repr(error) for error in app.errors[raised:]]
