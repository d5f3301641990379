"""The facts of lesson 05, one test each.

The ticket system of app.py is replaced by one whose sales are in this file: it
tells some, and then waits, breaks, or is sold out. It also counts the lines
that are in use. What a board was sent is read as a browser reads it. No test
measures time; where a board has to wait, the clock is moved by hand.
"""

import asyncio
import gc
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from sqlalchemy import Engine, event
from sqlalchemy.util import await_only

from workshop.testing import (
    Clock,
    Exchange,
    Gate,
    exchange,
    fail_after,
    settle,
    until_stalled,
)
from workshop.testing.app.application import RunningApp
from workshop.testing.app.exchange import Asgi, Message, Receive, Send
from workshop.testing.plugin import Serve
from workshop.testing.services.database import Database

BOARD = "/shows/1/board"


@dataclass
class Sale:
    """A sale, as the ticket system tells it."""

    number: int
    seat: str
    greeting: str = "Enjoy the show!"
    show_id: int = 1


@pytest.mark.step(1)
@pytest.mark.timeline
async def test_a_sale_is_on_the_board_before_the_next_one_is_made(
    app: RunningApp, database: Database
) -> None:
    """A stream is one only if each part leaves before the next one exists."""
    await sold(database, Sale(1, "A1"))
    system = TicketSystem(Sale(2, "A2"), then=Gate("the third sale"))
    app.replace("live_sales", system.live_sales)

    ann = exchange(app, "GET", BOARD)
    await until_stalled(
        until(lambda: ann.done or "A2" in seats_told(ann)),
        otherwise="Seat A2 was sold, and nobody had bought another seat yet. Ann's "
        "board did not show that A2 is gone. "
        "Expected: a sale is on the board before the next one is made.",
    )
    ended = f"was answered {ann.status}, and ended; it " if ann.done else ""
    assert (seats_told(ann), ann.done) == (["A1", "A2"], False), (
        "A1 had been sold when Ann opened her board, then A2 was sold, and the show "
        f"went on. Her board {ended}showed {seats_told(ann) or 'no seat'}. "
        "Expected: A1, then A2, and the board stays open for the next sale."
    )


@pytest.mark.step(1)
async def test_a_board_outlasts_a_quiet_time(app: RunningApp, clock: Clock) -> None:
    """An async generator that is cancelled while it is waited for is at its end."""
    quiet = Gate("the first sale", result=Sale(1, "A1"))
    system = TicketSystem(quiet, then=Gate("the second sale"))
    app.replace("live_sales", system.live_sales)

    ann = exchange(app, "GET", BOARD)
    await quiet.entered()
    await clock.advance(5 * 60)
    ended = "had ended by then" if ann.done else "was still open"
    quiet.open()
    await until_stalled(
        until(lambda: ann.done or "A1" in seats_told(ann), clock),
        otherwise="For five minutes nobody bought a seat, then A1 was sold, and the "
        f"show went on. Ann's board {ended}, and did not show that A1 is gone. "
        "Expected: a sale is on the board, however long it was waited for.",
    )
    assert (seats_told(ann), ann.done) == (["A1"], False), (
        "For five minutes nobody bought a seat, then A1 was sold, and the show went "
        f"on. Ann's board {ended}; it showed {seats_told(ann) or 'no seat'}. "
        "Expected: A1, however long it was waited for, and the board stays open."
    )


@pytest.mark.step(2)
async def test_a_browser_can_read_every_event(
    app: RunningApp, database: Database
) -> None:
    """An event ends at a blank line, and each of its lines begins with a name."""
    bob = 'From "Bob" \\o/\n\twith love'
    await sold(database, Sale(9, "B9", bob))
    live = Sale(10, "C1", "Good luck,\n\nAnn!")
    app.replace("live_sales", TicketSystem(live).live_sales)

    ann = exchange(app, "GET", BOARD)
    await ann.finished()
    kind = ann.headers.get("content-type", "")
    assert kind.startswith("text/event-stream"), (
        f"Ann's browser asked for a stream of events and was sent {kind!r}. "
        "Expected: text/event-stream."
    )
    read = [(e.id, as_json(e.data)) for e in events_of(ann) if e.name == "sale"]
    assert read == [
        ("9", {"seat": "B9", "greeting": bob}),
        ("10", {"seat": "C1", "greeting": "Good luck,\n\nAnn!"}),
    ], (
        "Sale 9, seat B9, and then sale 10, seat C1, were sent to Ann's board. Her "
        f"browser read this: {in_words(ann)}. "
        "Expected: two events called 'sale', with id 9 and 10, whose data is a "
        "JSON object with the seat and the greeting."
    )


@pytest.mark.step(3)
async def test_a_closed_tab_gives_its_line_back(app: RunningApp, serve: Serve) -> None:
    """Clean-up that waits is cancelled as well, unless something protects it."""
    quiet_day = TicketSystem(Sale(1, "A1"), then=Gate("the second sale"))
    app.replace("live_sales", quiet_day.live_sales)
    watched = Watched(app)
    async with serve(watched) as server, server.client() as browser:
        async with browser.stream("GET", BOARD):
            await quiet_day.waits()
        await fail_after(
            watched.request_over.wait(),
            never="Ann closed her tab, and the server went on with her board. "
            "Expected: nobody works for a tab that is closed.",
        )
        await settle()
        assert quiet_day.lines_in_use == 0, (
            "Ann watched the board, then closed the tab. Nobody watches any more, and "
            f"{quiet_day.in_use}. "
            "Expected: a tab that is closed gives its line back."
        )
    rush = TicketSystem(*(Sale(n, f"A{n}") for n in range(1, 100)))
    app.replace("live_sales", rush.live_sales)
    full = Gate("Bob's network")
    bob = exchange(slow_reader(app, full, b"A3"), "GET", BOARD)
    await full.entered()
    bob.disconnect()
    full.open()
    await bob.finished()
    del bob
    await collected(app)
    assert rush.lines_in_use == 0, (
        "Seats were sold in a rush, and Bob's phone could not read as fast. In the "
        f"middle of it he closed the tab, and {rush.in_use}. "
        "Expected: a tab that is closed gives its line back."
    )


@pytest.mark.step(3)
async def test_a_board_that_ends_gives_its_line_back(app: RunningApp) -> None:
    """What is taken for a stream is given back, however the stream ends."""
    system = TicketSystem(Sale(1, "A1"))
    app.replace("live_sales", system.live_sales)
    ann = exchange(app, "GET", BOARD)
    await ann.finished()
    await settle()
    assert (system.calls, system.lines_in_use) == (1, 0), (
        "The show was sold out, and Ann's board ended. Calls that it made to the "
        f"ticket system: {system.calls}; lines still in use: {system.lines_in_use}. "
        "Expected: one call, and its line is given back."
    )


@pytest.mark.step(4)
async def test_an_unknown_show_is_answered_404(app: RunningApp) -> None:
    """A status can be chosen only before the stream has begun."""
    app.replace("live_sales", TicketSystem().live_sales)
    ann = exchange(app, "GET", "/shows/4711/board")
    await ann.finished()
    assert ann.status == 404, (
        "Ann asked for the board of a show that does not exist, and was answered "
        f"{ann.status}. "
        "Expected: 404, before anything is streamed."
    )


@pytest.mark.step(4)
async def test_trouble_on_the_way_is_told_as_an_event(app: RunningApp) -> None:
    """After the first byte, an error can be told only by what is streamed."""
    broken = ConnectionError("the line is dead")
    system = TicketSystem(Sale(1, "A1"), Sale(2, "A2"), then=broken)
    app.replace("live_sales", system.live_sales)

    ann = exchange(app, "GET", BOARD)
    await ann.finished()
    names = [e.name for e in events_of(ann) if e.name in ("sale", "trouble")]
    unheard = (
        "Something called trouble was sent, but a browser passes over an event that "
        "has no data. "
    )
    assert "trouble" in names, (
        "Two seats were sold, then the line to the ticket system broke. Ann's board "
        "has stopped, and no event tells her that it is out of date. "
        f"{unheard if b'trouble' in ann.body else ''}"
        "Expected: an event called 'trouble'."
    )
    assert (names, ann.complete) == (["sale", "sale", "trouble"], True), (
        "Two seats were sold, then the line to the ticket system broke. Ann's browser "
        f"read: {in_words(ann)}. The stream was "
        f"{'ended' if ann.complete else 'torn off'}. "
        "Expected: both sales, then the event 'trouble', then a regular end."
    )
    await settle()
    assert system.lines_in_use == 0, (
        "The line to the ticket system broke, and nobody hung up. "
        "Expected: a broken line is given back, too."
    )
    app.replace("live_sales", TicketSystem(Sale(1, "A1")).live_sales)
    bob = exchange(app, "GET", BOARD)
    await bob.finished()
    assert "trouble" not in [event.name for event in events_of(bob)], (
        "The show was sold out, and Bob's board ended as it should. It told him of "
        "trouble. "
        "Expected: no event 'trouble' when there is none."
    )


@pytest.mark.step(5)
async def test_a_board_that_waits_holds_no_connection(
    app: RunningApp, database: Database
) -> None:
    """A stream may last for hours, and what it holds is held for hours."""
    await sold(database, Sale(1, "A1"))
    system = TicketSystem(then=Gate("the next sale"))
    app.replace("live_sales", system.live_sales)

    with before_sales_are_read(database, lambda: begun(ann)) as lent:
        ann = exchange(app, "GET", BOARD)
        await system.waits()
    await until_stalled(
        until(lambda: database.out == 0),
        otherwise="Ann's board showed all sales and waited for the next one. "
        "Meanwhile a connection to the database was lent out to it. "
        "Expected: a board that waits holds no connection.",
    )
    assert 0 not in lent, (
        "Ann's board read the past sales over a connection that had been given back "
        "to the pool already. The next customer may be given the same one. "
        "Expected: a connection is given back when it has been read from."
    )


@pytest.mark.step(5)
async def test_a_slow_reader_holds_no_connection(
    app: RunningApp, database: Database
) -> None:
    """Between two parts of a stream lies as much time as the customer takes."""
    await sold(database, *(Sale(n, f"A{n}") for n in range(1, 21)))
    app.replace("live_sales", TicketSystem().live_sales)
    tunnel = Gate("the end of the tunnel")

    exchange(slow_reader(app, tunnel, b"A1"), "GET", BOARD)
    await tunnel.entered()
    await until_stalled(
        until(lambda: database.out == 0),
        otherwise="20 seats had been sold when Ann opened the board. Her train went "
        "into a tunnel before she had read the first. As long as the tunnel lasted, "
        "a connection to the database was lent out to her board. "
        "Expected: no connection waits for a customer's network.",
    )


@pytest.mark.step(6)
async def test_who_comes_back_is_told_what_is_new(
    app: RunningApp, database: Database
) -> None:
    """A browser that comes back says the last id that it has read."""
    await sold(database, *(Sale(n, f"A{n}") for n in (8, 9, 10)))
    system = TicketSystem(Sale(11, "A11"))
    app.replace("live_sales", system.live_sales)

    ann = exchange(app, "GET", BOARD, headers={"Last-Event-ID": "9"})
    await ann.finished()
    told = seats_told(ann)
    assert not {"A8", "A9"} & set(told), (
        "Ann's board had shown every sale up to number 9, when her connection broke. "
        "Her browser came back and said so, and was told of sale 8 or 9 again. "
        "Expected: who comes back is told what is new."
    )
    assert told == ["A10", "A11"], (
        "Ann's board had shown every sale up to number 9, when her connection broke. "
        "Meanwhile A10 was sold, and afterwards A11. When she came back, she was told "
        f"{told}. "
        "Expected: what she has missed, then what comes, each sale once."
    )

    async def sold_before_the_line_was_up() -> None:
        await sold(database, Sale(12, "A12"))

    async def sold_after_the_line_was_up() -> None:
        await sold(database, Sale(13, "A13"))

    busy = TicketSystem(
        Sale(13, "A13"),
        Sale(14, "A14"),
        before=sold_before_the_line_was_up,
        after=sold_after_the_line_was_up,
    )
    app.replace("live_sales", busy.live_sales)
    bob = exchange(app, "GET", BOARD, headers={"Last-Event-ID": "10"})
    await bob.finished()
    told = seats_told(bob)
    assert told == ["A12", "A13", "A14"], (
        "While Bob's board was being opened, A12 was sold before his line to the "
        f"ticket system was up, and A13 after it. Then came A14. He was told {told}. "
        "Expected: A12, A13 and A14, each of them once."
    )


# --- The ticket system, and what a browser makes of a stream --------


class TicketSystem:
    """Tells the same *sales* to each caller, and *then* waits, breaks, or hangs up.

    A gate among the sales is one that is made when the test opens it.
    """

    def __init__(
        self,
        *sales: Sale | Gate,
        then: Gate | Exception | None = None,
        before: Callable[[], Awaitable[None]] = settle,
        after: Callable[[], Awaitable[None]] = settle,
    ) -> None:
        self.sales, self.then = sales, then
        self.before, self.after = before, after
        self.calls = self.lines_in_use = self.hanging_up = 0

    @property
    def in_use(self) -> str:
        """Say how many lines are in use, and whether anybody began to hang up."""
        end = (
            "Hanging up had begun, and was cut off before it was done"
            if self.hanging_up
            else "Nobody had begun to hang up"
        )
        return f"{self.lines_in_use} line to the ticket system is still in use. {end}"

    async def waits(self) -> None:
        """Wait until a board has heard all sales and wants one more."""
        assert isinstance(self.then, Gate), "only a gate can be waited at"
        await self.then.entered()

    def live_sales(self, show_id: int) -> "Call":
        """Stand in for live_sales() of app.py."""
        return Call(self)


class Call:
    """A call, as an async context manager. The garbage collector does not end it."""

    def __init__(self, system: TicketSystem) -> None:
        self.system, self.is_up = system, True

    async def __aenter__(self) -> AsyncIterator[Sale]:
        await self.system.before()
        self.system.calls += 1
        self.system.lines_in_use += 1
        await self.system.after()
        return self.line()

    async def __aexit__(self, *error: object) -> None:
        self.is_up = False
        self.system.hanging_up += 1
        await settle(5)  # hanging up takes a moment
        self.system.hanging_up -= 1
        self.system.lines_in_use -= 1

    async def line(self) -> AsyncIterator[Sale]:
        """Tell what a caller hears: as in app.py, by an async generator.

        Who cancels one that is waited for has ended it.
        """
        for sale in self.system.sales:
            await self.pause()
            yield await sale() if isinstance(sale, Gate) else sale
        await self.pause()
        if isinstance(self.system.then, Exception):
            raise self.system.then
        if self.system.then is not None:
            await self.system.then()

    async def pause(self) -> None:
        await asyncio.sleep(0)
        if not self.is_up:
            raise ConnectionError("this line has been hung up already")


class Watched:
    """The app, telling when a request is over."""

    def __init__(self, app: RunningApp) -> None:
        self.app, self.started = app, app.started
        self.request_over = asyncio.Event()

    async def asgi(self, scope: Message, receive: Receive, send: Send) -> None:
        try:
            await self.app.asgi(scope, receive, send)
        finally:
            self.request_over.set()


def slow_reader(app: RunningApp, network: Gate, marker: bytes) -> Asgi:
    """Return the app for a customer whose network is full when *marker* is sent."""

    async def asgi(scope: Message, receive: Receive, send: Send) -> None:
        async def send_slowly(message: Message) -> None:
            if marker in message.get("body", b""):
                await network()
            await send(message)

        await app.asgi(scope, receive, send_slowly)

    return asgi


@dataclass
class Event:
    """An event, as a browser hands it over."""

    name: str
    id: str
    data: str


def events_of(answer: Exchange) -> list[Event]:
    """Read what was sent, by the rules that browsers follow."""
    found, name, last_id, data = [], "", "", list[str]()
    for line in re.split("\r\n|\n|\r", answer.body.decode()):
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if line and field == "event":
            name = value
        elif line and field == "data":
            data.append(value)
        elif line and field == "id" and "\0" not in value:
            last_id = value
        elif not line:
            if data:
                found.append(Event(name or "message", last_id, "\n".join(data)))
            name, data = "", []
    return found


def as_json(text: str) -> object:
    """Return the seat and greeting in *text*, or the text if it is not such JSON."""
    try:
        found = json.loads(text)
        return {"seat": found["seat"], "greeting": found["greeting"]}
    except (ValueError, TypeError, KeyError):
        return text


def in_words(answer: Exchange) -> str:
    """Tell what a browser read."""
    return (
        "; ".join(
            f"name {event.name!r}, id {event.id!r}, data {event.data!r}"
            for event in events_of(answer)
        )
        or "nothing"
    )


def seats_told(answer: Exchange) -> list[str]:
    """Return the seats in what was sent, in order, however it is written."""
    return re.findall(r"\b(A\d+)\b", answer.body.decode())


async def until(true: Callable[[], bool], clock: Clock | None = None) -> None:
    """Wait until *true* holds; with a *clock*, time passes meanwhile."""
    while not true():  # `until_stalled` ends it
        await (clock.advance(0.1) if clock else asyncio.sleep(0))


async def collected(app: RunningApp) -> None:
    """Let go of everything that nobody uses any more, errors that were kept too."""
    await settle()
    app.errors.clear()
    gc.collect()
    await settle()


async def begun(answer: Exchange) -> None:
    """Wait until *answer* has begun, or cannot begin before somebody else goes on."""
    for _ in range(100):
        if answer.started:
            return
        await asyncio.to_thread(int)  # whoever needs a thread gets on as well


@contextmanager
def before_sales_are_read(
    database: Database, wait: Callable[[], Awaitable[None]]
) -> Iterator[list[int]]:
    """Do *wait* when the app is about to read sales; count what is lent out then."""
    lent: list[int] = []

    def on_statement(connection: object, cursor: object, sql: str, *_: object) -> None:
        if re.search(r"\bfrom\s+sales\b", sql, re.IGNORECASE):
            await_only(wait())
            lent.append(database.out)

    event.listen(Engine, "before_cursor_execute", on_statement)
    try:
        yield lent
    finally:
        event.remove(Engine, "before_cursor_execute", on_statement)


async def sold(database: Database, *sales: Sale) -> None:
    """Store *sales*, as the ticket system does before it tells of them."""
    for sale in sales:
        await database.execute(
            "insert into sales (number, show_id, seat, greeting) values (?, ?, ?, ?)",
            *(sale.number, sale.show_id, sale.seat, sale.greeting),
        )
