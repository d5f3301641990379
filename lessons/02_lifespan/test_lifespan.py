"""The facts of lesson 02, one test each.

Stand-ins take the place of the three connections in app.py. They write down when
they are opened and closed, and they refuse to work when they are closed. The
tests start and end the box office themselves, sometimes twice in one process.
Where the price list is read every minute, a test moves the clock by hand.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import TypeVar

import anyio
import httpx2
import pytest

from workshop.testing import (
    Clock,
    Gate,
    Journal,
    Leaks,
    RunningApp,
    ShutdownError,
    StartupError,
    TimeLimitExceeded,
    cases,
    settle,
)

RunApp = Callable[..., AbstractAsyncContextManager[RunningApp]]

PRICES = {"Opera": {"stalls": 60}, "Theatre": {"stalls": 25}}


def price_list() -> Gate:
    """Return a price list that nobody can read before the gate is opened."""
    return Gate("the price list").results(lambda venue: PRICES[venue])


class World:
    """Everything beyond the box office: what was opened, and what does not work."""

    def __init__(self) -> None:
        self.journal = Journal()
        self.lines: list[Line] = []
        self.broken: set[str] = set()
        self.error: type[Exception] = OSError  # what is raised where it is broken
        self.price_list = price_list()
        self.price_list.open()
        self.letting_go = Gate("the end of a reading")
        self.letting_go.open()
        self.charged: list[str] = []
        self.unreadable = 0  # how many readings of the price list will fail

    def stand_ins(self) -> dict[str, Callable[..., object]]:
        return {
            "connect_database": self.connect_database,
            "connect_mail": self.connect_mail,
            "connect_cards": self.connect_cards,
        }

    async def connect_database(self, venue: str) -> DatabaseLine:
        self.work("opening the database")
        return DatabaseLine(self, venue)

    async def connect_mail(self, database: DatabaseLine) -> MailLine:
        self.work("opening the mail server")
        return MailLine(self, database)

    def connect_cards(self) -> CardLine:
        self.work("opening the line to the card company")
        return CardLine(self)

    def work(self, what: str) -> None:
        """Fail if *what* is broken."""
        self.journal.record(what)
        if what in self.broken:
            raise self.error(f"{what} failed")

    def all(self, kind: type[L]) -> list[L]:
        return [line for line in self.lines if isinstance(line, kind)]

    def still_open(self) -> str:
        """Name the lines that are open, for a message; "" if there is none."""
        return " and ".join(line.name for line in self.lines if line.is_open)

    def unsaved(self) -> bool:
        """Whether mail was closed when its database was closed already."""
        return any(mail.lost for mail in self.all(MailLine))


class Line:
    """A connection that knows whether it is open."""

    name = "a line"

    def __init__(self, world: World) -> None:
        self.world, self.is_open = world, True
        world.lines.append(self)

    def use(self) -> None:
        if not self.is_open:
            raise OSError(f"{self.name} is closed")

    async def aclose(self) -> None:
        await settle(5)  # saying goodbye takes a moment
        self.is_open = False
        self.world.work(f"closing {self.name}")

    async def __aenter__(self) -> Line:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.aclose()


L = TypeVar("L", bound=Line)


BEGUN = "somebody begins to free the old baskets"


class DatabaseLine(Line):
    """Seat A1 lies in a basket that somebody left when the last run ended."""

    name = "the database"

    def __init__(self, world: World, venue: str) -> None:
        super().__init__(world)
        self.venue, self.baskets = venue, {"A1"}
        self.sold: dict[str, str] = {}
        self.readers, self.read_when_closed = 0, False

    async def free_baskets(self) -> None:
        self.world.journal.record(BEGUN)
        await settle(300)  # there may be many
        self.use()
        self.world.work("freeing the old baskets")
        self.baskets.clear()

    async def sell(self, seat: str, customer: str) -> bool:
        self.use()
        if seat in self.baskets or seat in self.sold:
            return False
        self.sold[seat] = customer
        return True

    async def read_prices(self) -> dict[str, int]:
        self.world.journal.record("reading prices")
        self.read_when_closed |= not self.is_open
        self.use()
        self.readers += 1
        try:
            if self.world.unreadable > 0:
                self.world.unreadable -= 1
                raise OSError("the price list is locked")
            prices: dict[str, int] = await self.world.price_list(self.venue)
            return dict(prices)
        finally:
            # The reader gives its cursor back. A good driver guards that against
            # anyio, which cancels again and again; a second cancel() breaks it off.
            with anyio.CancelScope(shield=True):
                await settle(100)
                await self.world.letting_go()
            self.readers -= 1
            self.read_when_closed |= not self.is_open


class MailLine(Line):
    """When it is closed, it stores the letters that are still unsent."""

    name = "the mail server"

    def __init__(self, world: World, database: DatabaseLine) -> None:
        super().__init__(world)
        self.database, self.lost = database, False
        self.sent: list[str] = []

    async def send(self, customer: str, seat: str) -> None:
        self.use()
        self.sent.append(customer)

    async def aclose(self) -> None:
        await settle(20)
        self.lost |= not self.database.is_open
        await super().aclose()


class CardLine(Line):
    """A line to the card company, opened by its first use or before."""

    name = "the card company"

    async def charge(self, customer: str) -> None:
        self.use()
        self.world.charged.append(customer)


STUCK = (
    "The box office was started, and its start did not come to an end. "
    "Expected: it opens what it needs and lets customers in."
)
WAITED = (
    "The start waited for the price list, which takes a while to read. Until the "
    "start is over the server answers nobody. "
    "Expected: the start goes on without prices, and /ready answers 503."
)


async def start(app: RunningApp, stuck: str = STUCK) -> None:
    """Start the box office; *stuck* is said when the start has no end."""
    try:
        await app.startup()
    except StartupError as failed:
        raise AssertionError(
            f"The box office did not start: {failed.__cause__!r}. "
            "Expected: it starts, since everybody it connects to answers."
        ) from failed
    except TimeLimitExceeded as never:
        raise AssertionError(stuck) from never


async def end(app: RunningApp) -> None:
    """End the box office, as a deploy does, where the end is what is tested."""
    try:
        await app.shutdown()
    except ShutdownError as failed:
        raise AssertionError(
            f"The box office ended with an error: {failed.__cause__!r}. "
            "Expected: it ends in good order, since nothing was broken."
        ) from failed
    except TimeLimitExceeded as never:
        raise AssertionError(
            "The box office was told to end. No customer was left and no price list "
            "was being read, and yet it did not end. A deploy waits for it, and then "
            "kills it. "
            "Expected: it ends at once, and not when the next minute is over."
        ) from never


async def try_to_end(app: RunningApp) -> bool:
    """End the box office; whether it ends in good order is for step 5 to say.

    Return False if it did not end: then it waits for its refresher.
    """
    try:
        await app.shutdown()
    except ShutdownError:
        return True
    except TimeLimitExceeded:
        return False
    return True


async def leave(app: RunningApp) -> None:
    """End the box office where the end is not what is tested."""
    owners = getattr(asyncio.get_running_loop(), "owners", {})
    for task in [task for task, owner in owners.items() if owner is app]:
        task.cancel()
    await settle(300)
    with suppress(ShutdownError, TimeLimitExceeded):
        await app.shutdown()


@asynccontextmanager
async def box_office(run_app: RunApp, world: World) -> AsyncIterator[RunningApp]:
    """Run the app of app.py, the Opera's, for the length of the block."""
    async with run_app(replace=world.stand_ins(), start=False) as app:
        await start(app)
        yield app
        await leave(app)


@asynccontextmanager
async def two_box_offices(
    run_app: RunApp, world: World, venue: str
) -> AsyncIterator[tuple[RunningApp, RunningApp]]:
    """Run the app of app.py; lay a second one of its create_app() beside it."""
    async with (
        run_app(replace=world.stand_ins(), start=False) as first,
        run_app(start=False) as second,
    ):
        create_app = getattr(first.module, "create_app", None)
        assert callable(create_app), (
            "app.py has no create_app(venue) any more, with which a second box "
            "office is made in the same process. "
            "Expected: it is there, as in the beginning."
        )
        second.module.app = create_app(venue)  # type: ignore[attr-defined]
        await start(first)
        yield first, second
        await leave(second)
        await leave(first)


async def buy(app: RunningApp, customer: str, seat: str) -> httpx2.Response:
    """Let a customer buy a seat; return the answer."""
    async with app.client() as client:
        order = {"seat": seat, "customer": customer}
        return await client.post("/orders", json=order)


async def get(app: RunningApp, path: str) -> httpx2.Response:
    """Ask for a page."""
    async with app.client() as client:
        try:
            return await client.get(path)
        except TimeLimitExceeded as never:
            raise AssertionError(
                f"Somebody asked for {path} and got no answer. The price list was "
                "not there yet. Expected: an answer at once, whatever it is."
            ) from never


@pytest.mark.step(1)
async def test_all_customers_share_one_line_to_the_card_company(
    run_app: RunApp,
) -> None:
    """What is costly to open is opened once for a process, by its start."""
    world = World()
    async with run_app(replace=world.stand_ins(), start=False) as opera:
        await start(opera)
        at_start = len(world.all(CardLine))
        for customer, seat in (("Ann", "B1"), ("Bob", "B2"), ("Cid", "B3")):
            answer = await buy(opera, customer, seat)
            assert answer.status_code == 201, (
                f"{customer} wanted the free seat {seat} and was answered "
                f"{answer.status_code}. Expected: 201."
            )
        opened = len(world.all(CardLine))
        ended = await try_to_end(opera)
    assert opened, (
        "The box office started and three customers bought a seat. Since the start "
        "began, nobody has opened a line to the card company. If there is one, it "
        "has been open since app.py was imported. "
        "Expected: one line, opened by the start, for all customers."
    )
    assert opened == 1, (
        "The box office started and three customers bought a seat. Since the start "
        f"began, {opened} lines to the card company were opened. "
        "Expected: one line, opened by the start, for all customers."
    )
    assert world.charged == ["Ann", "Bob", "Cid"], (
        "Ann, Bob and Cid bought a seat each. Whose card was charged by the line "
        f"that the start has opened: {' and '.join(world.charged) or 'nobody'}. "
        "Expected: each of them, once."
    )
    assert at_start == 1, (
        "The box office had started, and there was no line to the card company. If "
        "the card company does not answer, the first customer finds out. "
        "Expected: the start opens the line."
    )
    left = [line for line in world.all(CardLine) if line.is_open]
    assert not left or not ended, (
        "The box office has ended, and its line to the card company is still open. "
        "Expected: no line is open when it has ended."
    )


@pytest.mark.step(2)
async def test_the_start_frees_the_baskets_of_the_last_run(run_app: RunApp) -> None:
    """What must be done before the first customer comes is part of the start."""
    world = World()
    async with box_office(run_app, world) as opera:
        held = [seat for db in world.all(DatabaseLine) for seat in db.baskets]
        answer = await buy(opera, "Ann", "A1")
    when = (
        "Somebody came to empty the old baskets, but the start was over before that"
        if BEGUN in world.journal.events
        else "Nobody has emptied the old baskets, in the start or later"
    )
    assert answer.status_code == 201, (
        "When the box office was last ended, seat A1 lay in a basket that nobody "
        "will ever pay. After the new start Ann wanted A1 and was answered "
        f"{answer.status_code}. {when}. Expected: 201, the old baskets are empty."
    )
    assert not held, (
        f"The start was over, and a basket of the last run still held seat {held[0]}. "
        "Expected: the old baskets are empty before the first customer comes."
    )


@pytest.mark.step(3)
async def test_a_start_that_fails_closes_what_it_had_opened(run_app: RunApp) -> None:
    """A start is not done or undone as a whole; what it opened it has to close."""
    for broken, error in cases(
        (
            ("opening the mail server", OSError),
            ("opening the line to the card company", OSError),
            ("freeing the old baskets", OSError),
            ("opening the mail server", ValueError),
            ("opening the line to the card company", RuntimeError),
            ("freeing the old baskets", LookupError),
        )
    ):
        words = f"{broken} failed with {a(error)}"
        world = World()
        world.broken, world.error = {broken}, error
        async with run_app(replace=world.stand_ins(), start=False) as opera:
            try:
                await opera.startup()
            except StartupError:
                started = False
            else:
                started = True
            assert not started, (
                f"In the start, {words}. The box office opened its doors all "
                "the same. Expected: the start fails, and no customer comes in."
            )
            assert not world.still_open(), (
                f"In the start, {words}, and so the start failed. Still open: "
                f"{world.still_open()}. "
                "Expected: a start that fails closes what it has opened."
            )
            assert not world.unsaved(), (
                f"In the start, {words}. The database was closed before the "
                "mail server, whose unsent letters could not be stored any more. "
                "Expected: the database is open until mail is closed."
            )


@pytest.mark.step(3)
async def test_an_error_while_closing_does_not_keep_the_rest_open(
    run_app: RunApp,
) -> None:
    """Every close is tried, whatever became of the others."""
    mail, cards = "closing the mail server", "closing the card company"
    for broken, error in cases(
        (
            ([mail], OSError),
            ([cards], OSError),
            ([mail, cards], OSError),
            ([], OSError),
            ([mail, cards], RuntimeError),
        )
    ):
        world = World()
        world.broken, world.error = set(broken), error
        words = f"{' and '.join(broken)} failed with {a(error)}"
        async with run_app(replace=world.stand_ins(), start=False) as opera:
            await start(opera)
            if not await try_to_end(opera):
                return
            assert not world.still_open(), (
                f"When the box office ended, {words if broken else 'nothing failed'}. "
                f"Still open: {world.still_open()}. "
                "Expected: all the rest is closed, whatever fails."
            )
            assert not world.unsaved(), (
                "The database was closed before the mail server, whose unsent "
                "letters could not be stored any more. "
                "Expected: the database is open until mail is closed."
            )


@pytest.mark.step(4)
async def test_two_apps_in_one_process_do_not_mix_their_customers(
    run_app: RunApp,
) -> None:
    """What a start opens belongs to the app that was started, not to the module."""
    world = World()
    async with two_box_offices(run_app, world, "Theatre") as (opera, theatre):
        await start(theatre)
        await buy(opera, "Ann", "B1")
        await buy(theatre, "Bob", "B1")
        await settle(300)
        lists = {
            "Opera": said(await get(opera, "/prices")),
            "Theatre": said(await get(theatre, "/prices")),
        }
    sold = {db.venue: list(db.sold.values()) for db in world.all(DatabaseLine)}
    told = {mail.database.venue: mail.sent for mail in world.all(MailLine)}
    assert sold == {"Opera": ["Ann"], "Theatre": ["Bob"]}, (
        "Opera and Theatre are two apps in one process. Ann bought seat B1 of the "
        f"Opera, then Bob seat B1 of the Theatre. Sold: {in_words(sold)}. "
        "Expected: Ann's in the Opera, Bob's in the Theatre."
    )
    assert told == sold, (
        "Ann bought a seat of the Opera, Bob one of the Theatre. Letters sent: "
        f"{in_words(told)}. Expected: Ann's by the Opera, Bob's by the Theatre."
    )
    assert lists == PRICES, (
        "Opera and Theatre are two apps in one process. A seat in the stalls costs "
        f"{stalls(PRICES)}. What their customers read is {stalls(lists)}. "
        "Expected: each its own."
    )


@pytest.mark.step(4)
async def test_an_app_that_ends_leaves_the_other_alone(run_app: RunApp) -> None:
    """Two apps may be alike in everything, even in name, and are still two."""
    world = World()
    async with two_box_offices(run_app, world, "Opera") as (opera, again):
        await start(again)
        await leave(again)
        answer = await buy(opera, "Ann", "B1")
    assert answer.status_code == 201, (
        "While the Opera was running, a second app for the Opera was started in the "
        "same process, as a test does, and ended. Then Ann wanted a seat, and was "
        f"answered {answer.status_code}. Expected: 201, her app is still running."
    )


@pytest.mark.step(5)
@pytest.mark.timeline
async def test_an_ended_box_office_reads_no_more_prices(
    run_app: RunApp, clock: Clock, leaks: Leaks
) -> None:
    """A task that the start has begun goes on until somebody ends it."""
    world = World()
    async with run_app(replace=world.stand_ins(), start=False) as opera:
        await start(opera)
        await settle(300)
        await clock.advance(90)  # between two readings
        await settle(300)
        await end(opera)
        before = world.journal.events.count("reading prices")
        left = await leaks.tasks()
        await clock.advance(120)
        after = world.journal.events.count("reading prices") - before
    assert before, (
        "The box office ran for 90 seconds and did not read the price list. "
        "Expected: it is read at once, then every minute."
    )
    assert before > 1, (
        "The box office ran for 90 seconds. It read the price list once, and after "
        "that first reading nobody asked again. "
        "Expected: it is read at once, then every minute."
    )
    assert not after, (
        "The box office ended and closed its database. In the two minutes after "
        f"that, somebody asked the database for prices {times(after)}. "
        "Expected: nobody does, all that was started has ended."
    )
    assert not left, (
        f"The box office has ended, and still at work is: {', '.join(left)}. "
        "Expected: all that was started has ended."
    )


@pytest.mark.step(5)
@pytest.mark.timeline
async def test_the_database_is_closed_when_its_last_reader_has_gone(
    run_app: RunApp, clock: Clock
) -> None:
    """To ask a task to end is one thing, to wait until it has ended another."""
    world = World()
    async with run_app(replace=world.stand_ins(), start=False) as opera:
        await start(opera)
        await settle(300)
        world.price_list = price_list()
        world.letting_go = Gate("the end of a reading")
        await clock.advance(60)
        await read_again(world)
        ending = asyncio.create_task(end(opera))
        await settle(400)
        await clock.advance(3)  # the reader is slow to let go
        world.price_list.open()  # to let a reader finish is right as well
        world.letting_go.open()
        await ending
        await settle(200)
    database = world.all(DatabaseLine)[0]
    cut_off = database.read_when_closed or database.readers > 0
    assert not cut_off, (
        "The box office was ended while prices were being read. The reader needed "
        "three seconds to let go, and before it had done so the database was closed "
        "under its hands. "
        "Expected: first the reading is over, then the database is closed."
    )


@pytest.mark.step(5)
async def test_nobody_is_left_at_work_when_the_start_or_the_end_fails(
    run_app: RunApp, leaks: Leaks
) -> None:
    """A task is something opened, too: whatever fails, it is not left behind."""
    for broken in cases(
        (
            "closing the mail server",
            "opening the mail server",
            "opening the line to the card company",
            "freeing the old baskets",
        )
    ):
        world = World()
        world.broken = {broken}
        async with run_app(replace=world.stand_ins(), start=False) as opera:
            with suppress(StartupError):  # whether it has to fail is for step 3
                await opera.startup()
            if not await try_to_end(opera):
                return
            left = await leaks.tasks()
        assert not left, (
            f"The box office is not running any more: {broken} failed. Still at work "
            f"is: {', '.join(task.partition(' at ')[0] for task in left)}. "
            "Expected: all that was started has ended, whatever failed."
        )


async def read_again(world: World) -> None:
    """Wait until somebody asks for prices, a minute after the first reading."""
    try:
        await world.price_list.entered()
    except TimeLimitExceeded as never:
        read = "reading prices" in world.journal.events
        raise AssertionError(
            "The box office started and ran for a minute. "
            + (
                "It read the price list once, and after that first reading nobody "
                "asked again. "
                if read
                else "Nobody has read the price list. "
            )
            + "Expected: it is read at once, then every minute."
        ) from never


@pytest.mark.step(6)
async def test_ready_is_not_said_before_the_price_list_is_there(
    run_app: RunApp, clock: Clock
) -> None:
    """To be started and to be ready are two things, and two questions."""
    world = World()
    world.price_list = price_list()
    async with run_app(replace=world.stand_ins(), start=False) as opera:
        await start(opera, stuck=WAITED)
        early = await get(opera, "/ready")
        world.price_list.open()
        await settle(300)
        late = await get(opera, "/ready")
        world.price_list = price_list()
        await clock.advance(60)  # now it is being read once more
        again = await get(opera, "/ready"), await get(opera, "/prices")
        world.price_list.open()
        await leave(opera)
    assert early.status_code == 503, (
        f"The price list had not been read yet, and /ready answered "
        f"{early.status_code}. Customers were let in and saw no prices. "
        "Expected: 503 until the price list is there."
    )
    assert late.status_code == 200, (
        f"The price list had been read, and /ready answered {late.status_code}. "
        "Expected: 200, customers may come in."
    )
    assert_old_prices(again, "A minute later it was being read once more")


@pytest.mark.step(6)
async def test_a_price_list_that_could_not_be_read_is_not_ready(
    run_app: RunApp, clock: Clock
) -> None:
    """An attempt that is over is not a success."""
    world = World()
    world.unreadable = 1
    async with run_app(replace=world.stand_ins(), start=False) as opera:
        await start(opera)
        await settle(300)
        early = await get(opera, "/ready")
        await clock.advance(60)
        await settle(300)
        late = await get(opera, "/ready")
        world.unreadable = 1_000
        await clock.advance(60)
        await settle(300)
        again = await get(opera, "/ready"), await get(opera, "/prices")
        await leave(opera)
    assert early.status_code == 503, (
        "The price list was locked when it was first read, so there were no prices. "
        f"/ready answered {early.status_code}. "
        "Expected: 503 until the price list is there."
    )
    assert late.status_code == 200, (
        "The price list was locked when it was first read. A minute later it could "
        f"be read, and /ready answered {late.status_code}. Expected: 200."
    )
    assert_old_prices(again, "After one more minute it was locked again")


def assert_old_prices(
    answers: tuple[httpx2.Response, httpx2.Response], words: str
) -> None:
    """Check that /ready and /prices go by the price list that is there."""
    ready, prices = answers
    assert ready.status_code == 200, (
        f"The price list had been read. {words}, and /ready answered "
        f"{ready.status_code}: no customer came in any more. "
        "Expected: 200, the prices of a minute ago are still there."
    )
    assert said(prices) == PRICES["Opera"], (
        f"The price list had been read. {words}, and customers who asked for /prices "
        f"were answered {said(prices)}. "
        f"Expected: the prices of a minute ago, {PRICES['Opera']}."
    )


@pytest.mark.step(6)
async def test_an_app_is_not_ready_because_another_is(run_app: RunApp) -> None:
    """Each app answers for itself."""
    world = World()
    async with two_box_offices(run_app, world, "Theatre") as (_, theatre):
        await settle(300)
        world.price_list = price_list()
        await start(theatre, stuck=WAITED)
        answer = await get(theatre, "/ready")
        world.price_list.open()
    assert answer.status_code == 503, (
        "The Opera had its prices. The Theatre, another app in the same process, had "
        f"none yet, and its /ready answered {answer.status_code}. "
        "Expected: 503 until the Theatre has prices of its own."
    )


def said(answer: httpx2.Response) -> object:
    """What an answer says: its JSON if it is a success, else its text."""
    return answer.json() if answer.is_success else answer.text


def stalls(lists: Mapping[str, object]) -> str:
    """Say what a seat costs where: "60 in the Opera and 25 in the Theatre"."""
    return " and ".join(
        f"{prices.get('stalls', 'nothing') if isinstance(prices, dict) else prices} "
        f"in the {venue}"
        for venue, prices in lists.items()
    )


def in_words(customers: dict[str, list[str]]) -> str:
    """Say who is where: "Opera: Ann; Theatre: nobody"."""
    return "; ".join(
        f"{venue}: {' and '.join(names) or 'nobody'}"
        for venue, names in customers.items()
    )


def a(error: type[Exception]) -> str:
    """Say what was raised: "an OSError", "a ValueError"."""
    return f"{'an' if error.__name__[0] in 'AEIOU' else 'a'} {error.__name__}"


def times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
