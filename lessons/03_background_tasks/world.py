"""The stand-ins and helpers of the tests of lesson 03.

`outside_world` replaces the functions at the end of app.py. A call that enters a
gate waits there until the test opens it, so the test decides how long a mail takes.
"""

import asyncio
import contextlib
import io
import logging
import re
import sys
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import MissingGreenlet, OperationalError
from sqlalchemy.util import await_only

from workshop.testing import (
    Clock,
    Database,
    Exchange,
    Gate,
    Journal,
    RunApp,
    RunningApp,
    TimeLimitExceeded,
    exchange,
    fail_after,
)
from workshop.testing.sync.idle import wait_until_idle
from workshop.testing.time.event_loop import settle

ANN, BOB, EVE = "ann@example.com", "bob@example.com", "eve@example.com"
CAROL, DAN = "carol@example.com", "dan@example.com"
OLDER, FULL = "older@example.com", "full@example.com"
DECLINED = (BOB, DAN)
# More orders than an app would read at once.
MANY = 1100

LOGGED = (
    "Expected: the log, as a warning or above, or the output contains the message of "
    "each exception."
)

# A query of a table that is not one of the database's own.
_QUERY = re.compile(r"^\s*select\b.*\bfrom\s+(?!pg_|sqlite_)", re.I | re.S)


class MailError(Exception):
    """What a mail library raises; it derives from no exception of Python's own."""


class VenueError(Exception):
    """What the venue's library raises."""


class PrinterError(Exception):
    """What the printer's library raises."""


def outside_world(journal: Journal, **given: object) -> dict[str, object]:
    """Return stand-ins that record each call, except for those that are *given*."""

    def send_mail(email: str, text: str) -> None:
        journal.record(f"mail {email}")

    async def tell_venue(seat: str) -> None:
        journal.record(f"venue {seat}")

    async def charge_card(email: str) -> bool:
        return email not in DECLINED

    async def print_ticket(order_id: int) -> None:
        journal.record(f"ticket {order_id}")

    fakes = (send_mail, tell_venue, charge_card, print_ticket)
    return {fake.__name__: fake for fake in fakes} | given


def failing(
    journal: Journal, no_mail: Exception | None, no_venue: Exception | None
) -> dict[str, object]:
    """Return a mail server and a venue that record a call, or raise an exception."""

    def send_mail(email: str, text: str) -> None:
        if no_mail:
            raise no_mail
        journal.record(f"mail {email}")

    async def tell_venue(seat: str) -> None:
        await asyncio.sleep(0)
        if no_venue:
            raise no_venue
        journal.record(f"venue {seat}")

    return {"send_mail": send_mail, "tell_venue": tell_venue}


def held_up(job: str, busy: Gate, journal: Journal) -> dict[str, object]:
    """Return stand-ins of which the one for *job* waits at the gate."""

    async def print_ticket(order_id: int) -> None:
        await busy(order_id)
        journal.record(f"ticket {order_id}")

    if job == "ticket":
        return outside_world(journal, print_ticket=print_ticket)
    if job == "call to the venue":
        return outside_world(journal, tell_venue=busy)
    return outside_world(journal, send_mail=busy.blocking)


def put(app: RunningApp, fakes: dict[str, object]) -> None:
    """Replace functions of a running app."""
    for name, fake in fakes.items():
        app.replace(name, fake)


_in_flight: list[Exchange] = []
_shutdowns: list[asyncio.Task[None]] = []


@asynccontextmanager
async def released(*gates: Gate) -> AsyncIterator[None]:
    """Open the gates at the end, even after a failure, and let all requests end."""
    _in_flight.clear()
    _shutdowns.clear()
    try:
        yield
    finally:
        for gate in gates:
            gate.open()
        with contextlib.suppress(TimeLimitExceeded):
            for request in _in_flight:
                await request.finished()
            if _shutdowns:
                await fail_after(asyncio.wait(_shutdowns), never="")


def buys(
    app: RunningApp,
    email: str,
    seat: str = "A1",
    probe: Callable[[], Awaitable[None]] | None = None,
) -> Exchange:
    """Send a customer's order, and return while the request is in flight."""
    wanted = {"seat": seat, "email": email}
    _in_flight.append(exchange(app, "POST", "/orders", json=wanted, probe=probe))
    return _in_flight[-1]


def prints(app: RunningApp) -> Exchange:
    """Ask for all tickets, and return while the request is in flight."""
    _in_flight.append(exchange(app, "POST", "/tickets"))
    return _in_flight[-1]


async def responded(request: Exchange, otherwise: str) -> None:
    """Wait for the end of the response, but not for its background tasks."""
    if not await happens(lambda: request.complete):
        raise AssertionError(otherwise)


async def happens(true: Callable[[], bool], clock: Clock | None = None) -> bool:
    """Wait until *true* holds. False: nothing is left that could make it so.

    An app that looks for work from time to time gets a few seconds, on the *clock* if
    that is moved by hand. A busy machine may need twice as long.
    """
    for _ in range(3 if clock else 2):
        await idle(until=true)
        if clock and not true():
            await clock.advance(2)
    return true()


async def idle(until: Callable[[], bool] = lambda: False) -> None:
    """Wait until the app can do nothing more, or for three seconds."""
    with contextlib.suppress(TimeLimitExceeded):
        await fail_after(wait_until_idle(lambda: None, until=until), never="")


async def days_pass(clock: Clock) -> None:
    """Let two days pass: first a minute in short jumps, then longer and longer jumps.

    An app that polls for work polls once in each jump.
    """
    for seconds in (*[0.1] * 700, *(60 * 2**number for number in range(12))):
        clock.jump(seconds)
        await settle(5)
    await settle()


async def arrives(gate: Gate, clock: Clock | None = None) -> bool:
    """Wait until a call has entered *gate*; see `happens`."""
    return await happens(lambda: gate.count > 0, clock)


async def recorded(journal: Journal, event: str) -> bool:
    """Wait until *event* is in the journal; see `happens`."""
    return await happens(lambda: event in journal)


async def becomes(
    wanted: int, database: Database, clock: Clock | None = None, **where: object
) -> int:
    """Return how many orders match, once there are *wanted* or the app is idle."""

    async def counted() -> None:
        seen = -1
        while await database.count("orders", **where) != wanted:
            if seen == (seen := database.checkins):
                return
            await wait_until_idle(lambda: None, until=lambda: database.checkins != seen)

    for _ in range(3 if clock else 1):
        with contextlib.suppress(TimeLimitExceeded):
            await fail_after(counted(), never="")
        found = await database.count("orders", **where)
        if clock and found != wanted:
            await clock.advance(2)
    return found


async def store_order(database: Database, email: str = ANN) -> int:
    """Store a confirmed order from another day; return its number."""
    rows = await database.fetch(
        "insert into orders (seat, email, confirmed) values ('Z9', ?, true) "
        "returning id",
        email,
    )
    return int(rows[0]["id"])


async def store_older_orders(
    database: Database, number: int, email: str = OLDER, *, confirmed: bool = False
) -> None:
    """Store orders of one customer, older than all others."""
    rows = await database.fetch("select min(id) as first from orders")
    first = min(rows[0]["first"] or 0, 0)
    await database.execute(
        "with recursive n (i) as (select 1 union all select i + 1 from n where i < ?) "
        "insert into orders (id, seat, email, confirmed) "
        "select ? - i, 'Z9', ?, ? from n",
        number,
        first,
        email,
        confirmed,
    )


@contextmanager
def failing_commits() -> Iterator[list[object]]:
    """Make the database refuse each commit; yield what was refused.

    This happens in SQLAlchemy, because SQLite cannot refuse a commit on demand. The
    commits of another library succeed, and nothing is yielded for them.
    """
    refused: list[object] = []

    def refuse(connection: Connection) -> None:
        refused.append(connection)
        # What the database does itself when it refuses a commit.
        connection.dialect.do_rollback(connection.connection)
        raise OperationalError("COMMIT", None, Exception("the disk is full"))

    event.listen(Engine, "commit", refuse)
    try:
        yield refused
    finally:
        event.remove(Engine, "commit", refuse)


@contextmanager
def slow_first_read() -> Iterator[Gate]:
    """Hold the first query of a table at a gate before it reaches the database.

    Only queries that go through SQLAlchemy can be held.
    """
    read = Gate("the first query")

    def hold(_connection: Connection, _cursor: object, statement: str, *_: Any) -> None:
        if read.count or not _QUERY.search(statement):
            return
        try:
            await_only(read(statement))
        except MissingGreenlet:  # a query without asyncio, in a thread
            read.blocking(statement)

    event.listen(Engine, "before_cursor_execute", hold)
    try:
        with read:
            yield read
    finally:
        event.remove(Engine, "before_cursor_execute", hold)


async def opened(start: Awaitable[RunningApp], clock: Clock) -> RunningApp:
    """Return the app when it has started. It may send many mails before that."""
    opening = asyncio.ensure_future(start)
    await clock.advance(0.001)  # see `fail_after`
    await happens(opening.done, clock)
    return await opening


def tell_to_stop(app: RunningApp, *requests: Exchange) -> asyncio.Task[None]:
    """Stop the app as uvicorn does: first wait for requests and their tasks."""

    async def stop() -> None:
        for request in requests:
            await request.finished()
        await app.shutdown()

    _shutdowns.append(asyncio.get_running_loop().create_task(stop()))
    return _shutdowns[-1]


async def closes_early(
    closing: asyncio.Task[None], database: Database, clock: Clock | None = None
) -> bool:
    """Return whether the app, or its database, closes before its jobs are finished.

    With a *clock*, the jobs take two days.
    """
    before = database.connections_open

    def closed() -> bool:
        return closing.done() or database.connections_open < before

    if clock:
        await days_pass(clock)
    await idle(until=closed)
    return closed()


async def closed_well(closing: asyncio.Task[None], clock: Clock | None = None) -> None:
    """Wait for the end of the shutdown, which must not fail; see `happens`."""
    if clock:
        await clock.advance(0.001)  # see `fail_after`
    await happens(closing.done, clock)
    await fail_after(
        asyncio.wait({closing}),
        never="The server began to shut down, and all jobs were finished, but the "
        "app's shutdown never ended. Expected: it ends when the last job is finished.",
    )
    error = closing.exception()
    assert error is None, (
        f"The server began to shut down, and the app's shutdown failed: {error} "
        "Expected: the shutdown succeeds, even if a job has failed."
    )


@asynccontextmanager
async def crashed(
    run_app: RunApp, clock: Clock, *customers: str
) -> AsyncIterator[None]:
    """Let each customer get a 201 for seat B1 from an app that crashes at this moment.

    A process that stops forever is as good as one that has crashed.
    """
    lost = Gate("mails of the process that crashes")
    crash = Gate("the crash")
    requests: list[Exchange] = []

    def die_after(number: int) -> Callable[[], Awaitable[None]]:
        async def die_when_the_response_has_started() -> None:
            if requests[number].started:
                await crash()

        return die_when_the_response_has_started

    fakes = outside_world(Journal(), send_mail=lost.blocking, tell_venue=lost)
    async with run_app(replace=fakes) as app, released(crash, lost):
        for number, email in enumerate(customers):
            requests.append(buys(app, email, "B1", probe=die_after(number)))
            await happens(lambda number=number: crash.count > number)
        # From here on nothing happens in this process any more, until the test is over.
        yield
        crash.open()
        lost.open()
        await closed_well(tell_to_stop(app, *requests), clock)


class Output(io.TextIOBase):
    """Collects what is printed, and what is logged as a warning or above.

    It sees a log record when it is made, so it does not matter which logger and which
    handler of the app the record goes to.
    """

    def __init__(self) -> None:
        """Start without any text."""
        super().__init__()
        self.text = ""

    def write(self, text: str) -> int:
        """Keep what is printed, and pass it on."""
        self.text += text
        return sys.__stdout__.write(text) if sys.__stdout__ else len(text)

    def record(self, *args: Any, **kwargs: Any) -> logging.LogRecord:
        """Make a log record, and keep its text with all exceptions of its traceback."""
        record = self._make(*args, **kwargs)
        if record.levelno >= logging.WARNING:
            error = record.exc_info[1] if record.exc_info else None
            trace = traceback.format_exception(error) if error else []
            with contextlib.suppress(Exception):
                self.text += "\n".join([record.getMessage(), *trace, ""])
        return record

    async def contains(self, words: str) -> bool:
        """Wait until *words* were printed or logged; see `happens`."""
        return await happens(lambda: words in self.text)

    @contextmanager
    def collecting(self) -> Iterator["Output"]:
        """Collect within the block."""
        self._make = logging.getLogRecordFactory()
        logging.setLogRecordFactory(self.record)
        try:
            with contextlib.redirect_stdout(self), contextlib.redirect_stderr(self):
                yield self
        finally:
            logging.setLogRecordFactory(self._make)


@contextmanager
def collected_output() -> Iterator[Output]:
    """Collect what is printed and logged within the block."""
    with Output().collecting() as output:
        yield output
