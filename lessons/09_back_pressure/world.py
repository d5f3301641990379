"""What the tests of lesson 09 put in the place of venues, seat map, bank and storage.

A venue answers when the test says so, for one show at a time. Results depend on all
arguments, so that one customer's response cannot pass for another's. The database is
real, and counts the orders that are read from it.
"""

import asyncio
import gc
import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cache
from itertools import cycle
from types import TracebackType
from typing import Any

import anyio
import httpx2

from workshop.testing import (
    Clock,
    Database,
    Exchange,
    Gate,
    RunningApp,
    eventually,
    exchange,
    settle,
)
from workshop.testing.app.exchange import Message, Receive, Send

PLACES, WAITING, PATIENCE, LIMIT, AHEAD = 3, 5, 3, 1024 * 1024, 200
BUFFER = 128 * 1024
CHUNK = 32 * 1024
# Lengths of chunks: of a slow network, and the largest that a server passes on.
VARYING = (CHUNK, 1, 1000, 2 * CHUNK - 7)
LARGEST = (2 * CHUNK,)
# Longer than any time limit that an app may have added, in seconds.
DAY = 24 * 60 * 60
SILENT = 10 * DAY
# For an app that looks from time to time, in seconds.
MOMENT = 5
SHOWS = [f"Show {letter}" for letter in "ABCDEFGHIJKLMNOP"]


class UnexpectedError(Exception):
    """The error of a client that has classes of its own."""


def errors(app: RunningApp) -> list[BaseException]:
    """Return what an outside call may raise, the expected and the unexpected."""
    return [
        app.module.Unavailable("connection lost"),
        ConnectionError("connection refused"),
        httpx2.ReadTimeout("no response in time"),
        TimeoutError(),
        ValueError("that is not a number"),
        UnexpectedError(),
        asyncio.CancelledError(),
    ]


def price_of(venue: str, show: str) -> int:
    """Return a price that no other venue or show has."""
    return sum(ord(letter) * place for place, letter in enumerate(venue + show, 1))


class Venues:
    """Stands in for `ask_price()`: a call waits until its show is released.

    Attributes:
        asked: venue and show of each call, in order.
        most: how many calls were in flight at a venue at the same time, at most.

    """

    def __init__(self, app: RunningApp) -> None:
        self._app = app
        self._gates: dict[tuple[str, str], Gate] = {}
        self.asked: list[tuple[str, str]] = []
        self.most: Counter[str] = Counter()

        async def ask_price(venue: str, show: str) -> int:
            self.asked.append((venue, show))
            await settle(3)  # no remote call answers in the same turn of the loop
            now = len(self.in_flight(venue)) + 1
            self.most[venue] = max(self.most[venue], now)
            price: int = await self.at(venue, show)(venue, show)
            return price

        app.replace("ask_price", ask_price)

    def at(self, venue: str, show: str) -> Gate:
        """Return the gate at which calls of *venue* for *show* wait."""
        if (venue, show) not in self._gates:
            self._gates[venue, show] = Gate(venue).results(price_of)
        return self._gates[venue, show]

    def in_flight(self, venue: str) -> list[str]:
        """Return the shows about which *venue* is being asked now."""
        return [
            show
            for (at, show), gate in self._gates.items()
            if at == venue
            for _ in range(gate.waiting)
        ]

    async def are_working(self, venue: str, calls: int) -> bool:
        """Wait until *calls* are in flight at *venue*, or never will be."""
        return await eventually(lambda: len(self.in_flight(venue)) >= calls)

    def answer(self, venue: str, *shows: str) -> None:
        """Let *venue* answer about *shows*, by default about all."""
        for show in shows or SHOWS:
            self.at(venue, show).open()

    def forget(self) -> None:
        """Let the calls that follow wait again, and forget which calls were made."""
        self._gates.clear()
        self.asked.clear()
        self.most.clear()

    def request(self, venue: str, *shows: str) -> list[Exchange]:
        """Send a request for the price of each of *shows*."""
        return [
            exchange(self._app, "GET", f"/venues/{venue}/prices/{show}")
            for show in shows
        ]


async def are_over(requests: Iterable[Exchange]) -> bool:
    """Wait until all *requests* have ended, or never will."""
    waiting = [*requests]
    return await eventually(lambda: all(request.done for request in waiting))


async def a_day_passes(clock: Clock) -> None:
    """Let a day pass, in which an app that looks from time to time looks twice."""
    await clock.advance(MOMENT)
    clock.jump(DAY)
    await clock.advance(MOMENT)


def counted(number: int, noun: str) -> str:
    """Return *number* of *noun* as the subject of a sentence in the past."""
    return f"{number} {noun} was" if number == 1 else f"{number} {noun}s were"


def in_cancel_scope(app: RunningApp, scopes: list[anyio.CancelScope]) -> object:
    """Return *app* inside an anyio scope, as some middleware runs it."""

    async def asgi(scope: Message, receive: Receive, send: Send) -> None:
        with anyio.CancelScope() as cancel:
            scopes.append(cancel)
            await app.asgi(scope, receive, send)

    return asgi


class SeatMap:
    """Stands in for `count_seats()` and `random_pause()`.

    Each call for a show follows the next entry of its script: the seconds that the
    call takes, and what it returns or raises.

    Attributes:
        calls: when `count_seats()` was called, by show.
        ended: when the response to a request was complete, by show.
        running: how many calls are in flight.

    """

    def __init__(self, app: RunningApp, clock: Clock, pauses: list[float]) -> None:
        self._app, self._clock = app, clock
        self.calls: dict[str, list[float]] = defaultdict(list)
        self.ended: dict[str, float] = {}
        self.running = 0
        self.scripts: dict[str, list[tuple[float, int | BaseException]]] = {}
        self.pauses = pauses

        async def count_seats(show: str) -> int:
            script = self.scripts[show]
            seconds, result = script.pop(0) if len(script) > 1 else script[0]
            self.calls[show].append(clock.now)
            self.running += 1
            try:
                await asyncio.sleep(seconds)
            finally:
                self.running -= 1
            if isinstance(result, BaseException):
                raise result
            return result

        app.replace("count_seats", count_seats)
        app.replace("random_pause", lambda: self.pauses.pop(0) if self.pauses else 0.25)

    def request(
        self, show: str, *script: tuple[float, int | BaseException]
    ) -> Exchange:
        """Send a request for the seats of *show*, whose calls follow *script*.

        Without a script, the calls follow what is left of the one before.
        """
        if script:
            self.scripts[show] = [*script]

        def look() -> None:
            self.ended[show] = self._clock.now

        return exchange(self._app, "GET", f"/shows/{show}/seats", look=look)


class Storage:
    """Stands in for `open_plan()`: keeps plans, unless the block raises.

    Attributes:
        kept: the plans that are kept, by venue.
        written: how many bytes have been written, by venue.
        gate: each write waits here.
        speed: bytes per turn of the loop, so that a short write can overtake.
        capacity: a write that makes a plan larger than this fails.
        open: how many plans are being written.

    """

    def __init__(self, app: RunningApp) -> None:
        self.kept: dict[str, bytes] = {}
        self.written: Counter[str] = Counter()
        self.gate = Gate("the storage")
        self.gate.open()
        self.speed = self.capacity = SILENT * LIMIT
        self.open = 0
        app.replace("open_plan", lambda venue: _PlanFile(self, venue))


class _PlanFile:
    def __init__(self, storage: Storage, venue: str) -> None:
        self._storage, self._venue, self._data = storage, venue, b""

    async def __aenter__(self) -> "_PlanFile":
        await settle(2)
        self._storage.open += 1
        return self

    async def write(self, data: bytes) -> None:
        await self._storage.gate(self._venue)
        await settle(len(data) // self._storage.speed)
        if len(self._data) + len(data) > self._storage.capacity:
            await settle(2)
            raise OSError("the disk is full")
        self._data += data
        self._storage.written[self._venue] += len(data)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._storage.open -= 1
        if kind is None:
            self._storage.kept[self._venue] = self._data


class Upload:
    """A client that sends a floor plan in chunks, each when the server asks for it.

    Attributes:
        taken: how many bytes the app has received so far.
        request: the request in flight.

    """

    def __init__(
        self,
        app: RunningApp,
        venue: str,
        chunks: Iterable[bytes],
        *,
        then: str = "ends",
        length: int | None = None,
    ) -> None:
        """Start the upload. After *chunks* the client `ends`, `leaves` or `waits`."""
        self.taken = 0
        remaining = iter(chunks)
        headers = [("content-type", "image/svg+xml")]
        headers += [("content-length", str(length))] if length is not None else []
        if length is None:
            headers.append(("transfer-encoding", "chunked"))

        async def asgi(scope: Message, receive: Receive, send: Send) -> None:
            async def take() -> Message:
                await settle(2)  # a network takes a moment
                chunk = next(remaining, None)
                if chunk is not None:
                    self.taken += len(chunk)
                    return {"type": "http.request", "body": chunk, "more_body": True}
                if then == "leaves":
                    return {"type": "http.disconnect"}
                if then == "waits":
                    await asyncio.Event().wait()
                return await receive()  # the last, empty chunk, and later the end

            await app.asgi(scope, take, send)

        self.request = exchange(asgi, "PUT", f"/venues/{venue}/plan", headers=headers)


def floor_plan(size: int, name: str = "x") -> bytes:
    """Return a plan of *size* bytes, no two parts of which are equal."""
    return _plan(size).replace(b"x", name[:1].encode())


@cache
def _plan(size: int) -> bytes:
    return b"".join(b"x%07d" % number for number in range(size // 8 + 1))[:size]


def chunks_of(plan: bytes, lengths: Sequence[int] = VARYING) -> Iterator[bytes]:
    """Return *plan* in chunks of these *lengths*, over and over."""
    begin = 0
    for length in cycle(lengths):
        if begin >= len(plan):
            return
        yield plan[begin : begin + length]
        begin += length


def endless() -> Iterator[bytes]:
    """Return chunks without end, as from a client that never stops sending."""
    while True:
        yield b"x" * CHUNK


ORDERS = 700
# Python's SQLite driver always reads one row more than it has returned.
ALLOWED = AHEAD + 1
# Names with characters that have a special meaning in some format.
NAMES = ('Ann "the boss"', "Bob\nand Carl\r\n", "Zoë\u2028🎭\u0085", "", "{},[]\\n")

_SELL = f"""insert into stored with recursive count(n) as (
    select 1 union all select n + 1 from count where n < {ORDERS}
) select case when n > {ORDERS // 2} then n + {10 * ORDERS} else n * 3 end, 'Ann', n
from count order by n % 7, n desc"""  # noqa: S608 -- our own numbers
# A row is counted when the database computes its customer. The function is
# STABLE, because PostgreSQL would otherwise compute all rows before it sorts them.
_POSTGRES = (
    "create sequence rows_read",
    "create table broken (number integer)",
    """create function read_row(number_read integer, customer text) returns text
    language plpgsql stable as $$ begin
        perform nextval('rows_read');
        if exists (select from broken where number = number_read) then
            raise exception 'a sector cannot be read' using errcode = '58030';
        end if;
        return customer;
    end $$""",
)


class Orders:
    """The shop's orders, in a view that counts each row that is read.

    The database itself counts, so any library may read the rows, in any way.

    Attributes:
        all: the orders, as the export has to send them.

    """

    def __init__(self, database: Database) -> None:
        """Use *database*. `create` must be called before the app is started."""
        self.database = database
        self.all: list[dict[str, Any]] = []
        self._read, self._before = 0, 0
        self._broken: int | None = None

    async def create(self) -> None:
        """Store the orders. Their numbers have gaps, and they are not sorted."""
        execute = self.database.execute
        await execute(
            "create table stored (number integer primary key, "
            "customer text not null, euros integer not null)"
        )
        await execute(_SELL)
        for place, name in enumerate(NAMES):
            sql = "update stored set customer = ? where euros = ?"
            await execute(sql, name, 1 + 80 * place)
        if self.database.kind == "postgres":
            for sql in _POSTGRES:
                await execute(sql)
            (row,) = await self.database.fetch("select current_database() as name")
            for setting in ("enable_sort", "enable_seqscan"):
                await execute(f'alter database "{row["name"]}" set {setting} = off')
        await execute(
            "create view orders as select number, "
            "read_row(number, customer) as customer, euros from stored"
        )
        sql = "select number, customer, euros from stored order by number"
        self.all = [dict(row) for row in await self.database.fetch(sql)]

    def connect(self, *args: Any, **kwargs: Any) -> sqlite3.Connection:
        """Open a SQLite file, in the place of `sqlite3.connect()`."""
        connection = _connect(*args, **kwargs)
        connection.create_function("read_row", 2, self._read_row)
        return connection

    def _read_row(self, number: int, customer: str) -> str:
        self._read += 1
        if number == self._broken:
            raise OSError("a sector cannot be read")
        return customer

    async def read(self) -> int:
        """Return how many rows have been read since `forget` was called."""
        if self.database.kind == "postgres":
            sql = "select last_value * is_called::int as n from rows_read"
            self._read = int((await self.database.fetch(sql))[0]["n"])
        return self._read - self._before

    async def forget(self) -> None:
        """Count from here."""
        self._before += await self.read()

    async def in_use(self) -> int:
        """Return how many connections are still in use when all requests are over."""
        await settle()
        gc.collect()  # closes generators that nothing refers to
        await eventually(lambda: not self.database.out)
        return self.database.out

    async def breaks_at(self, place: int | None) -> None:
        """Let the database fail when it reads the order at *place*, or nowhere."""
        self._broken = None if place is None else self.all[place]["number"]
        if self.database.kind == "postgres":
            await self.database.execute("delete from broken")
            if self._broken is not None:
                sql = "insert into broken values (?)"
                await self.database.execute(sql, self._broken)


_connect = sqlite3.connect


class Export:
    """A client that exports all orders.

    Attributes:
        sent: how many orders have been sent.
        ahead: the highest number of orders that were read but not yet sent.
        worst: the place of the order that was about to be sent at that moment.
        network: passes nothing on while it is closed.

    """

    def __init__(
        self, app: RunningApp, orders: Orders, *, reads: int | None = None
    ) -> None:
        """Start the export. After *reads* orders the client stops reading."""
        self.sent = self.ahead = self.worst = 0
        looked = -40  # counting takes time, so it is done once every 40 orders
        self.network = Gate("the network")
        if reads is None:
            self.network.open()

        async def asgi(scope: Message, receive: Receive, send: Send) -> None:
            async def pass_on(message: Message) -> None:
                nonlocal looked
                body = message.get("body", b"")
                if body and self.sent >= looked + 40:
                    looked = self.sent
                    ahead = await orders.read() - self.sent
                    if ahead > self.ahead:
                        self.ahead, self.worst = ahead, self.sent + 1
                if body and reads is not None and self.sent >= reads:
                    await self.network()
                self.sent += body.count(b"\n")
                await send(message)

            await app.asgi(scope, receive, pass_on)

        self.request = exchange(asgi, "GET", "/orders")

    async def over(self) -> "Export":
        """Wait until the response has ended, or never will."""
        await eventually(lambda: self.request.done)
        return self

    @property
    def lines(self) -> list[Any]:
        """The lines that were sent: the JSON value, or the text of a line without one.

        Only a newline character ends a line.
        """
        read: list[Any] = []
        for line in self.request.body.decode(errors="replace").rstrip("\n").split("\n"):
            read.append(line)
            with suppress(ValueError):
                read[-1] = json.loads(line)
        return read if self.request.body else []

    @property
    def looks_complete(self) -> bool:
        """Whether a client would take the response for a complete one."""
        return self.request.complete and self.request.status == 200
