"""What the tests of lesson 05 put in the place of the outside world.

The ticket system sells what a test tells it to sell. Like the real one it stores a sale
first, then sends it to every subscription of that show that is open. A `Tab` is a
browser tab with a board. It reads what it is sent by the rules that browsers follow.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import re
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from workshop.testing import (
    Clock,
    Database,
    Exchange,
    Gate,
    RunningApp,
    Stalled,
    exchange,
    settle,
    until_stalled,
)
from workshop.testing.app.exchange import Asgi, Message, Receive, Send
from workshop.testing.sync.idle import wait_until_idle

SEAT = re.compile(r"\b([A-Z]\d+)\b")
Hook = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Sale:
    """A sale, as the ticket system sends it."""

    number: int
    seat: str
    greeting: str = "Enjoy the show!"
    show_id: int = 1


class TicketSystem:
    """Stands in for `live_sales()`. It sells when the test says so.

    Attributes:
        subscriptions: all that were ever opened, the oldest first.
        before: awaited while a subscription is being opened, before it is up.
        after: awaited when it is up, before the app has it.

    """

    def __init__(self, app: RunningApp, database: Database) -> None:
        """Stand in for the outside world of *app*."""
        self.subscriptions: list[Subscription] = []
        self.before: Hook = settle
        self.after: Hook = settle
        self._database = database
        self._sold_out: set[int] = set()
        app.replace("live_sales", self.live_sales)

    def live_sales(self, show_id: int) -> Subscription:
        """Return a subscription to the sales of a show, as an async context manager."""
        return Subscription(self, show_id)

    @property
    def open(self) -> int:
        """How many subscriptions are open."""
        return sum(it.is_open for it in self.subscriptions)

    @property
    def described(self) -> str:
        """How many subscriptions are open, and whether any began to close."""
        closing = any(it.is_open and not it.is_up for it in self.subscriptions)
        began = "Closing began but was cancelled" if closing else "Nothing closed it"
        return f"{self.open} of {len(self.subscriptions)} still open. {began}"

    async def stores(self, *sales: Sale) -> None:
        """Store sales and send them to nobody."""
        rows = ", ".join("(?, ?, ?, ?)" for _ in sales)
        values = [(s.number, s.show_id, s.seat, s.greeting) for s in sales]
        await self._database.execute(
            f"insert into sales (number, show_id, seat, greeting) values {rows}",  # noqa: S608
            *(value for row in values for value in row),
        )

    async def sells(self, *sales: Sale) -> None:
        """Store sales, then send them."""
        await self.stores(*sales)
        for sale in sales:
            self.sends(sale, sale.show_id)

    def sends(self, news: Sale | Exception | None, show_id: int = 1) -> None:
        """Send a sale, an error that breaks the connection, or None for the end."""
        for it in self.subscriptions:
            if it.show_id == show_id and it.is_up:
                it.news.put_nowait(news)

    def is_sold_out(self, show_id: int = 1) -> None:
        """End all subscriptions to a show, those of the future too."""
        self._sold_out.add(show_id)
        self.sends(None, show_id)

    async def is_heard_by(self, *tabs: Tab) -> None:
        """Wait until all *tabs* that are open wait for sales.

        Several may share a subscription, so that takes until nothing else happens.
        """

        def waiting(show_id: int) -> int:
            subscriptions = [it for it in self.subscriptions if it.is_up]
            return sum(it.is_awaited and it.show_id == show_id for it in subscriptions)

        def watching(show_id: int) -> int:
            return sum(t.show_id == show_id and not t.request.done for t in tabs)

        shows = {tab.show_id for tab in tabs}
        await until(lambda: all(waiting(s) >= watching(s) for s in shows), *tabs)

    async def all_closed(self, expected: int = 0) -> bool:
        """Wait until at most *expected* subscriptions are open."""
        await collected()
        return await until(lambda: self.open <= expected)


class Subscription:
    """An open connection to the ticket system.

    It is not a generator with a `finally`, so the garbage collector does not close it.
    """

    def __init__(self, system: TicketSystem, show_id: int) -> None:
        self.system, self.show_id = system, show_id
        self.is_open = self.is_up = self.is_awaited = False
        self.news = asyncio.Queue[Sale | Exception | None]()

    async def __aenter__(self) -> AsyncIterator[Sale]:
        await self.system.before()
        self.is_open = self.is_up = True
        self.system.subscriptions.append(self)
        if self.show_id in self.system._sold_out:
            self.news.put_nowait(None)
        try:
            await self.system.after()
        except BaseException:
            self.is_open = self.is_up = False
            raise
        return self.sales()

    async def __aexit__(self, *error: object) -> None:
        if self.is_up:
            self.is_up = False
            self.news.put_nowait(None)
            await settle(5)  # closing takes a moment
            self.is_open = False

    async def sales(self) -> AsyncIterator[Sale]:
        """Yield what is sold. As in app.py, cancelling a wait for it ends it."""
        while True:
            self.is_awaited = self.news.empty()
            try:
                news = await self.news.get()
            finally:
                self.is_awaited = False
            if not self.is_up:
                raise ConnectionError("this subscription has been closed already")
            if news is None:
                return
            if isinstance(news, Exception):
                raise news
            yield news


@dataclass
class Event:
    """An event, as a browser hands it over to the page."""

    name: str
    id: str
    data: str

    @property
    def sale(self) -> object:
        """The seat and the greeting, or the data if it is not such an object."""
        try:
            found = json.loads(self.data)
            return {"seat": found["seat"], "greeting": found["greeting"]}
        except (ValueError, TypeError, KeyError):
            return self.data


class Tab:
    """A browser tab that shows the board of a show."""

    def __init__(
        self,
        app: RunningApp,
        show_id: int = 1,
        *,
        after: str = "",
        network: Gate | None = None,
        full_at: str = "",
    ) -> None:
        """Open the board; *after* is the id of the last event that was read before.

        The *network* passes nothing on when the seat *full_at* has been written to it.
        """
        headers = {"Last-Event-ID": after} if after else {}
        asgi = app.asgi if network is None else slow(app.asgi, network, full_at)
        self.show_id, self.after = show_id, after
        self._counted, self._seats = 0, list[str]()
        self.request: Exchange = exchange(
            asgi, "GET", f"/shows/{show_id}/board", headers=headers
        )

    @property
    def seats(self) -> list[str]:
        """All seats in what was sent, however it is written."""
        if len(self.request.messages) != self._counted:
            self._counted = len(self.request.messages)
            self._seats = SEAT.findall(self.request.body.decode(errors="replace"))
        return self._seats

    @property
    def events(self) -> list[Event]:
        """What the page gets."""
        return self._read()[0]

    @property
    def last_event_id(self) -> str:
        """What the browser will send as Last-Event-ID when it opens the board again."""
        return self._read()[1]

    def _read(self) -> tuple[list[Event], str]:
        found, name, last_id, data = [], "", self.after, list[str]()
        seen = last_id
        for line in re.split("\r\n|\n|\r", self.request.body.decode(errors="replace")):
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if line and field == "event":
                name = value
            elif line and field == "data":
                data.append(value)
            elif line and field == "id" and "\0" not in value:
                seen = value
            elif not line:
                last_id = seen
                if data:
                    found.append(Event(name or "message", last_id, "\n".join(data)))
                name, data = "", []
        return found, last_id

    @property
    def described(self) -> str:
        """What the board shows, and whether it is still open."""
        request = self.request
        shown = ", ".join(self.seats) or "no seat"
        if len(self.seats) > 12:
            shown = (
                f"{', '.join(self.seats[:5])} … {self.seats[-1]} ({len(self.seats)})"
            )
        if not request.done:
            return f"shows {shown}"
        status = "no response" if request.status is None else f"status {request.status}"
        return f"has ended with {status}; it shows {shown}"

    @property
    def read(self) -> str:
        """Every event that the browser read, in words."""
        words = [f"name {e.name!r}, id {e.id!r}, data {e.data!r}" for e in self.events]
        return "; ".join(words) or "no event"

    async def ends(self) -> bool:
        """Wait until the board has ended, or until nothing else happens."""
        return await until(lambda: self.request.done, self)

    async def shows(
        self,
        *seats: str,
        story: str,
        expected: str,
        clock: Clock | None = None,
        aside: bool = False,
    ) -> None:
        """Wait until the board shows exactly these *seats* and is still open.

        With *aside*, what it shows is printed instead of quoted: while an earlier step
        is not repaired, it would say something about that step.

        Raises:
            AssertionError: with *story*, what it shows, and what was *expected*.

        """
        wanted = list(seats)
        await until(
            lambda: self.request.done or len(self.seats) >= len(wanted),
            self,
            clock=clock,
        )
        right = (self.seats, self.request.done) == (wanted, False)
        if aside and not right:
            print(f"The board {self.described}.")  # noqa: T201
        shown = "shows something else" if aside else self.described
        assert right, f"{story} The board {shown}. Expected: {expected}"


def slow(asgi: Asgi, network: Gate, full_at: str) -> Asgi:
    """Return the app for a client whose network is full when a seat is written."""

    async def slowly(scope: Message, receive: Receive, send: Send) -> None:
        async def send_slowly(message: Message) -> None:
            if full_at in SEAT.findall(
                message.get("body", b"").decode(errors="replace")
            ):
                await network()
            await send(message)

        await asgi(scope, receive, send_slowly)

    return slowly


class Watched:
    """The app, reporting when a request is over."""

    def __init__(self, app: RunningApp) -> None:
        self.app, self.started = app, app.started
        self.request_over = asyncio.Event()

    async def asgi(self, scope: Message, receive: Receive, send: Send) -> None:
        try:
            await self.app.asgi(scope, receive, send)
        finally:
            self.request_over.set()


async def until(
    true: Callable[[], bool], *tabs: Tab, clock: Clock | None = None
) -> bool:
    """Wait until *true* holds, or until nothing can happen any more; return which.

    What is still being sent to *tabs* counts as something that happens. With a *clock*,
    time passes meanwhile.
    """
    if clock is None:
        await wait_until_idle(
            lambda: sum(len(tab.request.messages) for tab in tabs), until=true
        )
        return true()

    async def wait() -> None:
        while not true():
            await clock.advance(0.1)

    with suppress(Stalled):
        await until_stalled(wait())
    return true()


async def collected() -> None:
    """Let the garbage collector find the generators that nothing refers to."""
    await settle()
    gc.collect()
    await settle()


@contextmanager
def logged() -> Iterator[list[str]]:
    """Collect what any logger reports as a warning or above, with its exceptions."""
    make, texts = logging.getLogRecordFactory(), list[str]()

    def record(*args: Any, **kwargs: Any) -> logging.LogRecord:
        made = make(*args, **kwargs)
        if made.levelno >= logging.WARNING:
            error = made.exc_info[1] if made.exc_info else None
            texts.append(made.getMessage())
            texts.extend(traceback.format_exception(error) if error else [])
        return made

    logging.setLogRecordFactory(record)
    try:
        yield texts
    finally:
        logging.setLogRecordFactory(make)


async def begun(tab: Tab) -> None:
    """Wait until the response has begun, or cannot begin before the caller goes on."""
    for _ in range(100):
        if tab.request.started:
            return
        await asyncio.to_thread(int)  # what needs a thread makes progress as well


@contextmanager
def before_sales_are_read(database: Database, wait: Hook) -> Iterator[list[int]]:
    """Await *wait* when the app is about to read sales; count connections in use then.

    An app that reads in a thread is not held up: there its session cannot be closed by
    the event loop in the meantime.
    """
    from sqlalchemy import Engine, event
    from sqlalchemy.util import await_only

    in_use: list[int] = []

    def on_statement(connection: object, cursor: object, sql: str, *_: object) -> None:
        if re.search(r"\bfrom\s+\W?sales\b", sql, re.IGNORECASE):
            with suppress(RuntimeError):
                asyncio.get_running_loop()
                await_only(wait())
            in_use.append(database.out)

    event.listen(Engine, "before_cursor_execute", on_statement)
    try:
        yield in_use
    finally:
        event.remove(Engine, "before_cursor_execute", on_statement)
