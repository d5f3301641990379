"""What the tests of lesson 04 put in the place of venues, bank and clocks.

A venue answers, and a bank charges, when the test says so. Numbers depend on the show,
so that one customer's numbers cannot pass for another's.
"""

import asyncio
import sqlite3
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import httpx2
import pytest
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from workshop.testing import (
    LIMIT_SECONDS,
    Clock,
    Database,
    Exchange,
    Gate,
    RunningApp,
    eventually,
    exchange,
    settle,
)

VENUES = ("Apollo", "Bijou", "Corso", "Dome", "Eden")
Numbers = dict[str, dict[str, int]]
PRICES: Numbers = {
    "Hamlet": {"Apollo": 31, "Bijou": 27, "Corso": 45, "Dome": 38, "Eden": 29},
    "Macbeth": {"Apollo": 64, "Bijou": 52, "Corso": 52, "Dome": 58, "Eden": 71},
}
# Bijou is sold out. That is a number of seats, too.
SEATS: Numbers = {
    "Hamlet": {"Apollo": 120, "Bijou": 0, "Corso": 7, "Dome": 44, "Eden": 310},
    "Macbeth": {"Apollo": 8, "Bijou": 15, "Corso": 0, "Dome": 212, "Eden": 33},
}
# Long enough for an app that sleeps between two looks, in seconds.
LONG = 61
# Longer than any time limit that an app may have added.
DAY = 24 * 60 * 60
# "At once", for an app that looks several times a second.
MOMENT = 0.2
# For each of these shows one customer comes, all at the same time. Together with the
# two before them they are more than a pool of SQLAlchemy has connections, which is 15.
CROWD = [f"Show {number}" for number in range(1, 15)]
# As many as all calls of a crowd, and of the two customers before it, together.
THREADS = 5 * (len(CROWD) + 2)


class NoConnectionError(Exception):
    """The error of a client that has classes of its own."""


def errors() -> list[Exception]:
    """Return what venues and banks may raise, the expected and the unexpected."""
    return [
        ConnectionError("connection refused"),
        httpx2.ConnectError("connection refused"),
        httpx2.ReadTimeout("no response in time"),
        ValueError("that is not a number"),
        NoConnectionError(),
        KeyError("euros"),
        ExceptionGroup("both addresses", [OSError("refused"), OSError("timed out")]),
    ]


def timeout_of_its_own() -> TimeoutError:
    """Return what a venue raises whose own `asyncio.timeout()` has expired."""
    error = TimeoutError()
    error.__cause__ = asyncio.CancelledError()
    return error


class Venues:
    """Stands in for `ask_price()` or `ask_seats()`: each call waits at a gate.

    Attributes:
        numbers: what the venues answer, by show and venue.
        most: how many calls for a show have been in flight at the same time, at most.
        blocked: whether the app waited for a call of another thread on its event loop.
    """

    def __init__(self, app: RunningApp, function: str, numbers: Numbers) -> None:
        self.numbers = numbers
        self._app = app
        self.most: Counter[str] = Counter()
        self.blocked = self._turned = False
        self._gates: dict[tuple[str, str], Gate] = {}
        self._loop = asyncio.get_running_loop()
        # The default depends on the machine: six threads if it has two cores.
        self._loop.set_default_executor(ThreadPoolExecutor(THREADS))

        async def ask(venue: str, show: str) -> int:
            if asyncio.get_running_loop() is not self._loop and not self._turned:
                self._turned = await self._free()
                if not self._turned:
                    self.blocked = True
                    return self._number(venue, show)
            await settle(3)  # no remote call answers in the same turn of the loop
            self.most[show] = max(self.most[show], len(self.in_flight(show)) + 1)
            number: int = await self.at(venue, show)(venue, show)
            return number

        app.replace(function, ask)

    def at(self, venue: str, show: str = "Hamlet") -> Gate:
        """Return the gate at which calls of *venue* for *show* wait."""
        if (venue, show) not in self._gates:
            gate = Gate(venue).results(self._number)
            self._gates[venue, show] = gate
        return self._gates[venue, show]

    def calls(self, show: str, request: Exchange) -> str:
        """Say, for a message, how many calls *request* had in flight at a time."""
        if not self.most[show]:
            return f"No venue was asked, and the request got {told(request)}."
        return f"At most {self.most[show]} of five calls was in flight at any time."

    def in_flight(self, show: str = "Hamlet") -> list[str]:
        """Return the venues that are being asked for *show* now."""
        return [venue for venue in VENUES if self.at(venue, show).waiting]

    async def are_asked(self, show: str = "Hamlet") -> bool:
        """Wait until all five are being asked for *show*, or never will be."""
        return await becomes(lambda: len(self.in_flight(show)) == len(VENUES))

    async def serve(self, show: str) -> bool:
        """Wait until any venue is being asked for *show*, or none ever will be.

        An app may bound its calls, so not all five have to be in flight.
        """
        return await becomes(lambda: bool(self.in_flight(show)))

    async def serve_crowd(self, path: str, method: str = "GET") -> list[str]:
        """Let a crowd come; return the shows for which no venue is ever asked."""
        self._crowd = {
            show: exchange(self._app, method, path.format(show)) for show in CROWD
        }
        await becomes(lambda: all(self.in_flight(show) for show in CROWD))
        return [show for show in CROWD if not self.in_flight(show)]

    async def answer_crowd(self) -> None:
        """Let the venues answer the customers of the crowd one after another.

        If all wrote to the database at the same moment, they would wait for each other.
        """
        for show, request in self._crowd.items():
            for venue in VENUES:
                self.at(venue, show).open()
            await responds(request)

    async def answer(self, *venues: str, show: str = "Hamlet") -> None:
        """Let *venues* answer one after the other, by default the last one first."""
        for venue in venues or reversed(VENUES):
            self.at(venue, show).open()
            await settle(5)

    def close(self) -> None:
        """Let the calls that follow wait again."""
        self._gates.clear()

    def _number(self, venue: str, show: str) -> int:
        return self.numbers[show][venue] if show in self.numbers else len(venue + show)

    async def _free(self) -> bool:
        """Return whether the app's event loop is free; asked in another thread."""
        turn = threading.Event()
        self._loop.call_soon_threadsafe(turn.set)
        return await asyncio.to_thread(turn.wait, LIMIT_SECONDS / 3)


class Bank:
    """Stands in for `charge()`: each charge waits until the test decides about it."""

    def __init__(self, app: RunningApp) -> None:
        self._gates: dict[str, Gate] = {}
        self.charges: Counter[tuple[str, int]] = Counter()

        async def charge(means: str, euros: int) -> bool:
            self.charges[means, euros] += 1
            return bool(await self.of(means)(means, euros))

        app.replace("charge", charge)

    def of(self, means: str) -> Gate:
        """Return the gate at which charges of *means* wait."""
        return self._gates.setdefault(means, Gate(means))

    def charging(self, *means: str) -> list[str]:
        """Return those of *means* that are being charged now."""
        return [each for each in means if self.of(each).waiting]

    async def is_charging(self, *means: str) -> bool:
        """Wait until all of *means* are being charged, or never will be."""
        return await becomes(lambda: self.charging(*means) == [*means])

    async def has_stopped(self, *means: str) -> bool:
        """Wait until none of *means* is being charged, or no charge ever stops."""
        return await becomes(lambda: not self.charging(*means))


def parts(*means: str, euros: int = 20) -> list[dict[str, object]]:
    """Return the body of POST /payments: *euros* by each of *means*."""
    return [{"means": each, "euros": euros} for each in means]


async def becomes(true: Callable[[], bool]) -> bool:
    """Wait until *true* holds, or until nothing can make progress any more."""
    return await eventually(true)


async def responds(request: Exchange) -> bool:
    """Wait until the response to *request* is complete, or never will be."""
    await becomes(lambda: request.complete or request.done)
    return request.complete


async def is_over(request: Exchange, clock: Clock | None = None) -> bool:
    """Wait until *request* has ended, and let time pass in case it sleeps meanwhile."""
    if clock is not None:
        await clock.advance(1)
        if not await becomes(lambda: request.done):
            await clock.advance(LONG)
    return await becomes(lambda: request.done)


def told(request: Exchange) -> str:
    """Return the response in words, for a message."""
    if not request.started:
        return "no response"
    return f"{request.status}: {str(in_order(request.content))[:200]}"


def got(request: Exchange, *keys: str) -> tuple[object, ...]:
    """Return the status, and what the response has under *keys*."""
    body = in_order(request.content)
    return request.status, *(
        body.get(key) if isinstance(body, dict) else None for key in keys
    )


def in_order(body: object) -> object:
    """Return *body* with its lists in alphabetical order: any order is right."""
    if not isinstance(body, dict):
        return body
    return {
        key: sorted(value, key=str) if isinstance(value, list) else value
        for key, value in body.items()
    }


def without(numbers: dict[str, int], *venues: str) -> dict[str, int]:
    """Return *numbers* without those of *venues*."""
    return {name: number for name, number in numbers.items() if name not in venues}


Row = tuple[str, str, int]
PRICE_BOOK = "select show, venue, euros from prices order by show, venue, euros"


async def price_book(database: Database) -> list[Row]:
    """Return the committed prices."""
    rows = await database.fetch(PRICE_BOOK)
    return [(row["show"], row["venue"], row["euros"]) for row in rows]


def notes_prices(app: RunningApp, show: str, database: Database) -> Exchange:
    """Send the request; its `seen` are the committed prices when the response starts.

    In SQLite a plain function reads them, so that no task of the app can catch up.
    """
    path = f"/shows/{show}/prices"
    if database.kind != "sqlite":
        return exchange(app, "POST", path, probe=lambda: price_book(database))

    def look() -> list[Row]:
        file = make_url(database.url).database or ""
        with closing(sqlite3.connect(file)) as connection:
            return connection.execute(PRICE_BOOK).fetchall()

    return exchange(app, "POST", path, look=look)


def seen(request: Exchange) -> list[Row]:
    """Return the prices that were committed when the response to *request* started."""
    observed = request.looked or request.probed
    return observed[0][1] if observed else []


@contextmanager
def overlaps() -> Iterator[list[str]]:
    """Note each use of a session or connection that another task is still using."""
    busy: dict[int, asyncio.Task[object] | None] = {}
    found: list[str] = []

    def note(this: object, name: str) -> None:
        if busy.get(id(this)) not in (None, asyncio.current_task()):
            found.append(f"{type(this).__name__}.{name}()")

    def awaited(name: str, real: Callable[..., Awaitable[object]]) -> object:
        async def method(self: object, *args: object, **options: object) -> object:
            note(self, name)
            before, busy[id(self)] = busy.get(id(self)), asyncio.current_task()
            try:
                return await real(self, *args, **options)
            finally:
                busy[id(self)] = before

        return method

    def plain(name: str, real: Callable[..., object]) -> object:
        def method(self: object, *args: object, **options: object) -> object:
            note(self, name)
            return real(self, *args, **options)

        return method

    verbs = ("execute", "scalar", "scalars", "get", "flush", "commit", "rollback")
    more = ("refresh", "merge", "delete", "stream", "connection", "run_sync")
    with pytest.MonkeyPatch.context() as patch:
        for kind in (AsyncSession, AsyncConnection):
            for name in (*verbs, *more):
                if real := vars(kind).get(name):
                    patch.setattr(kind, name, awaited(name, real))
        for name in ("add", "add_all"):
            patch.setattr(AsyncSession, name, plain(name, vars(AsyncSession)[name]))
        yield found
