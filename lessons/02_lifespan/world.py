"""What the tests of lesson 02 put in the place of the outside world.

Three stand-ins replace the connect functions of app.py. Each connection knows whether
it is open, and raises an error if it is used afterwards. Any call can fail, take as
long as a test wants, or both. Every database has prices of its own, which rise with
each reading. The helpers below start and shut down an app as a server does. Time is
moved by hand: it passes only when a test says so.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar, cast

import anyio
import httpx2

from workshop.testing import (
    Exchange,
    Gate,
    Journal,
    RunningApp,
    ShutdownError,
    Stalled,
    StartupError,
    TimeLimitExceeded,
    exchange,
    settle,
    until_stalled,
    when_idle,
)
from workshop.testing.plugin import RunApp
from workshop.testing.reporting.source import held_here, is_learner_file
from workshop.testing.time.clock import ManualClockLoop

OPEN_MAIL = "connecting to the mail server"
CLOSE_MAIL = "closing the connection to the mail server"
OPEN_CARDS = "connecting to the card company"
CLOSE_CARDS = "closing the connection to the card company"
CLOSE_DATABASE = "closing the connection to the database"
FREE_BASKETS = "emptying the old baskets"
CHARGE = "charging a card"
READ, LET_GO = "reading the prices", "returning the cursor"


class World:
    """Everything outside the box office: what is open, what fails and what is slow.

    Attributes:
        calls: what was called, in order; see the names above.
        connections: every connection that was opened, in order.
        errors: what a call raises, by its name.
        gates: what holds a call, by its name.
        charged: the customers whose cards were charged.

    """

    def __init__(self) -> None:
        """Make a world in which every call succeeds within a few turns of the loop."""
        self.calls = Journal()
        self.connections: list[Connection] = []
        self.errors: dict[str, Exception] = {}
        self.gates: dict[str, Gate] = {}
        self.charged: list[str] = []

    async def connect_database(self, venue: str) -> Database:
        """Stand in for the function of app.py with this name."""
        await self.call("connecting to the database")
        return Database(self, "the database", venue)

    async def connect_mail(self, database: Database) -> Mail:
        """Stand in for the function of app.py with this name."""
        await self.call(OPEN_MAIL)
        return Mail(self, "the mail server", database)

    def connect_cards(self) -> Cards:
        """Stand in for the function of app.py with this name."""
        self.calls.record(OPEN_CARDS)
        if error := self.errors.get(OPEN_CARDS):
            raise error
        return Cards(self, "the card company")

    @property
    def stand_ins(self) -> dict[str, Callable[..., object]]:
        """The stand-ins by the names of the functions that they replace."""
        names = ("connect_database", "connect_mail", "connect_cards")
        return {name: getattr(self, name) for name in names}

    async def call(self, what: str) -> None:
        """Take a few turns of the loop, wait for a gate if there is one, or fail."""
        self.calls.record(what)
        await settle({OPEN_MAIL: 10, LET_GO: 20}.get(what, 5))
        if gate := self.gates.get(what):
            await gate()
        if error := self.errors.get(what):
            raise type(error)(*error.args)  # a new one each time

    def hold(self, *calls: str) -> None:
        """Hold each of *calls* from now on, until `release`."""
        self.gates.update({what: Gate(what) for what in calls})

    def release(self) -> None:
        """Let all calls go on that are held."""
        for gate in self.gates.values():
            gate.open()
        self.gates.clear()

    def of(self, kind: type[C]) -> list[C]:
        """Return the connections of this *kind*, in the order of opening."""
        return [each for each in self.connections if isinstance(each, kind)]

    def still_open(self) -> str:
        """Name the connections that are open, for a message; "" if there is none."""
        return ", ".join(str(each) for each in self.connections if each.is_open)

    def unsaved(self) -> bool:
        """Whether mail found its database closed when it stored its unsent letters."""
        return any(mail.lost for mail in self.of(Mail))

    def cut_off(self) -> bool:
        """Whether a database was closed while prices were being read from it."""
        return any(database.cut_off for database in self.of(Database))


class Connection:
    """A connection that knows whether it is open, and where it was opened."""

    def __init__(self, world: World, name: str, *_: object) -> None:
        self.world, self.name, self.is_open = world, name, True
        self.opened_at = held_here()
        world.connections.append(self)

    def __str__(self) -> str:
        """Return its name and the learner's line that opened it, if it is known."""
        line = self.opened_at
        where = f" (opened at {line.short})" if is_learner_file(line.file) else ""
        return f"the connection to {self.name}{where}"

    def use(self) -> None:
        """Raise an error if the connection is closed."""
        if not self.is_open:
            raise OSError(f"{self.name} is closed")

    async def aclose(self) -> None:
        """Close the connection; it is closed even if that fails."""
        try:
            await self.world.call(f"closing the connection to {self.name}")
        except asyncio.CancelledError:
            raise  # cut short, so it is still open
        except Exception:
            self.is_open = False
            raise
        self.is_open = False

    async def __aenter__(self) -> Connection:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.aclose()


C = TypeVar("C", bound=Connection)


class Database(Connection):
    """The last run has left seat A1 in a basket."""

    def __init__(self, world: World, name: str, venue: str) -> None:
        super().__init__(world, name)
        self.venue, self.baskets = venue, {"A1"}
        self.sold: dict[str, str] = {}
        self.price = 100 * len(world.of(Database))
        self.readers, self.cut_off = 0, False

    async def free_baskets(self) -> None:
        self.use()
        await self.world.call(FREE_BASKETS)
        self.baskets.clear()

    async def sell(self, seat: str, customer: str) -> bool:
        self.use()
        await settle(2)
        if seat in self.baskets or seat in self.sold:
            return False
        self.sold[seat] = customer
        return True

    async def read_prices(self) -> dict[str, int]:
        self.cut_off |= not self.is_open
        self.readers += 1
        try:
            await self.world.call(READ)
            self.use()
        except asyncio.CancelledError:
            # Return the cursor. Drivers protect that from anyio, which cancels again
            # and again; a second task.cancel() interrupts it, and it is never returned.
            with anyio.CancelScope(shield=True):
                await self.world.call(LET_GO)
            self.readers -= 1
            raise
        except Exception:
            self.readers -= 1
            raise
        self.readers -= 1
        self.price += 1
        return {"stalls": self.price}

    async def aclose(self) -> None:
        try:
            await super().aclose()
        finally:
            self.cut_off |= self.readers > 0


class Mail(Connection):
    """When it is closed, it stores the unsent letters in its database."""

    def __init__(self, world: World, name: str, database: Database) -> None:
        super().__init__(world, name)
        self.database, self.lost = database, False
        self.sent: list[str] = []

    async def send(self, customer: str, seat: str) -> None:
        self.use()
        self.sent.append(customer)

    async def aclose(self) -> None:
        try:
            await super().aclose()
        finally:
            self.lost |= not self.database.is_open


class Cards(Connection):
    """The card company. Eve's card cannot be charged."""

    async def charge(self, customer: str) -> None:
        self.use()
        await self.world.call(CHARGE)
        if customer == "Eve":
            raise httpx2.ConnectTimeout("the card company is silent")
        self.world.charged.append(customer)


# --- Starting and shutting down -------------------------------------


async def start(app: RunningApp, *, slow: World | None = None) -> bool:
    """Start an app for which everything works.

    The calls that are held in the world *slow* take an hour of its time. Return whether
    startup had completed before they were over.
    """
    starting = asyncio.ensure_future(app.startup())
    early = False
    if slow is not None:
        await settle(200)
        await an_hour_passes()
        early = starting.done()
        slow.release()
    error = await attempt(starting, seconds=30)
    assert not isinstance(error, AssertionError), (
        "Startup never completed, although every connection could be opened. "
        "Expected: the app opens what it needs and then accepts requests."
    )
    assert error is None, (
        f"Startup failed: {error.__cause__!r}. "
        "Expected: it succeeds, because nothing was broken."
    )
    return early


async def start_without_prices(app: RunningApp) -> None:
    """Start an app while the first reading of its prices is held."""
    error = await attempt(app.startup(), seconds=0)
    assert error is None, (
        "Startup waited for the price list, which takes a while to read. Until startup "
        "is complete, the server accepts no request. "
        "Expected: startup completes without prices, and /ready returns 503."
    )


async def start_fails(app: RunningApp, story: str) -> None:
    """Start an app that cannot start; if it tries again, give it two minutes."""
    error = await attempt(app.startup(), seconds=120)
    assert not isinstance(error, AssertionError), (
        f"{story}. Two minutes later startup had neither failed nor completed. "
        "Expected: startup fails, so that the deploy notices."
    )
    assert error is not None, (
        f"{story}. The app started anyway and accepted requests. "
        "Expected: startup fails, so that the deploy notices."
    )


async def cancel_startup(app: RunningApp, world: World, during: str) -> bool:
    """Cancel startup during a call, and return whether the app made that call."""
    messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    messages.put_nowait({"type": "lifespan.startup"})

    async def send(message: Any) -> None:
        """Ignore what the app answers."""

    world.hold(during)
    scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
    lifespan = asyncio.create_task(app.asgi(scope, messages.get, send))
    await when_idle(lambda: None)
    made = during in world.calls and not lifespan.done()
    lifespan.cancel()
    await attempt(asyncio.wait([lifespan]), seconds=2)
    world.release()
    return made


async def start_both(
    apps: tuple[RunningApp, RunningApp], *, together: bool = False
) -> None:
    """Start two apps, one after the other or at the same time."""
    if together:
        await asyncio.gather(*(start(app) for app in apps))
    else:
        for app in apps:
            await start(app)


async def shut_down(app: RunningApp, *, slow: World | None = None) -> Exception | None:
    """Shut down an app and return its error, if any: an AssertionError if it hangs.

    The calls that are held in the world *slow* take an hour of its time.
    """
    ending = asyncio.ensure_future(app.shutdown())
    if slow is not None:
        await settle(200)
        await an_hour_passes()
        slow.release()
    return await attempt(ending, seconds=2)


async def end(app: RunningApp) -> None:
    """Shut down an app for which everything works and nothing is being read."""
    error = await shut_down(app)
    assert not isinstance(error, AssertionError), (
        "The app was told to shut down while no request was running and no price list "
        "was being read. Two seconds later it was still waiting. A deploy waits as "
        "well, and then kills the process. "
        "Expected: shutdown completes at once, not when the next minute is over."
    )
    assert error is None, (
        f"Shutdown failed: {error.__cause__!r}. "
        "Expected: it succeeds, because nothing was broken."
    )


async def leave(*apps: RunningApp) -> None:
    """Shut down apps where that is not what is tested: without their own tasks."""
    for app in apps:
        owners = getattr(asyncio.get_running_loop(), "owners", {})
        for _ in range(3):  # a task may swallow its first cancellation
            for task in [task for task, owner in owners.items() if owner is app]:
                task.cancel()
            await settle()
        await shut_down(app)


async def attempt(work: Any, seconds: float) -> Exception | None:
    """Wait for *work* and return its error, if any: an AssertionError if it hangs.

    Some time passes meanwhile, for code that polls or tries again.
    """
    task = asyncio.ensure_future(work)
    for _ in range(20):
        await settle(20)
        if task.done():
            break
        await pass_time(seconds / 20)
    try:
        await until_stalled(task)
    except (StartupError, ShutdownError, Stalled, TimeLimitExceeded) as error:
        return error
    return None


async def pass_time(seconds: float) -> None:
    """Move the clock on, and fire every timer on the way when it is due."""
    loop = cast("ManualClockLoop", asyncio.get_running_loop())
    target = loop.time() + seconds
    await settle()
    while (when := loop.next_timer()) is not None and when <= target:
        loop.move_to(when)
        await settle(5)
    loop.move_to(target)
    await settle()


async def an_hour_passes() -> None:
    """Move the clock an hour on. Timers that are due in between fire late, but once."""
    loop = cast("ManualClockLoop", asyncio.get_running_loop())
    for seconds in (3, 30, 300, 3600):
        loop.move_to(loop.time() + seconds)
        await settle()


# --- Apps and customers ---------------------------------------------


@asynccontextmanager
async def opera(run_app: RunApp, world: World) -> AsyncIterator[RunningApp]:
    """Load the app of app.py, the Opera's, without starting it."""
    async with run_app(replace=world.stand_ins, start=False) as app:
        yield app


@asynccontextmanager
async def two_apps(
    run_app: RunApp, world: World, venue: str
) -> AsyncIterator[tuple[RunningApp, RunningApp]]:
    """Load the app of app.py, and beside it another one of its create_app()."""
    async with opera(run_app, world) as first, run_app(start=False) as second:
        create_app = getattr(first.module, "create_app", None)
        assert callable(create_app), (
            "app.py has no create_app(venue) any more, which makes a second app in "
            "the same process. Expected: it is there, as in the starter."
        )
        second.module.app = create_app(venue)  # type: ignore[attr-defined]
        yield first, second


async def buy(app: RunningApp, customer: str, seat: str) -> httpx2.Response:
    """Let a customer buy a seat."""
    async with app.client() as client:
        order = {"seat": seat, "customer": customer}
        return await client.post("/orders", json=order)


async def cancel_fay(app: RunningApp, world: World) -> list[object]:
    """Cancel Fay's request while her card and Guy's are charged, then let Dan buy.

    Return what Guy and Dan got.
    """

    def order(customer: str, seat: str) -> Exchange:
        json = {"seat": seat, "customer": customer}
        return exchange(app, "POST", "/orders", json=json)

    world.hold(CHARGE)
    fay, guy = order("Fay", "B6"), order("Guy", "B7")
    await when_idle(lambda: None)
    fay.cancel()
    await when_idle(lambda: None)
    world.release()
    await attempt(guy.finished(), seconds=2)
    dan = order("Dan", "B8")
    await attempt(dan.finished(), seconds=2)
    return [each.status or "no response" for each in (guy, dan)]


async def get(app: RunningApp, path: str) -> httpx2.Response:
    """Request a page, which must not wait for anything."""
    async with app.client() as client:
        return await until_stalled(
            client.get(path),
            otherwise=f"A client requested {path} and got no response, perhaps until "
            "the price list is there. Expected: a response at once.",
        )


async def get_until(
    app: RunningApp, path: str, wanted: Callable[[httpx2.Response], bool]
) -> httpx2.Response:
    """Request a page until the response is *wanted* or cannot change any more."""
    for _ in range(20):
        response = await get(app, path)
        if wanted(response):
            return response
        await settle(10)
    await when_idle(lambda: None)
    return await get(app, path)


async def price_shown(app: RunningApp, database: Database) -> object:
    """Return the price that customers see when the app has the latest one."""
    return stalls(
        await get_until(app, "/prices", lambda it: stalls(it) == database.price)
    )


def stalls(response: httpx2.Response) -> object:
    """Return the price of a seat in the stalls, or what the customer got instead."""
    prices = response.json() if response.is_success else None
    if isinstance(prices, dict):
        return prices.get("stalls")
    return f"{response.status_code} {response.text}"


def made_by_import(app: RunningApp) -> list[str]:
    """Name the kinds of connections that exist although no app was started."""
    kind = getattr(app.module, "Connection", None)
    if not isinstance(kind, type):
        return []
    found = (type(it) for it in gc.get_objects() if issubclass(type(it), kind))
    return sorted({each.__name__ for each in found})
