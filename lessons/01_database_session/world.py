"""What the tests of lesson 01 put in the place of the outside world, and how they look.

Gates replace the mail server and the card company: a call waits in its gate until the
test opens it. `Statements` sees the SQL inside SQLite.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from typing import Any

import httpx2
from sqlalchemy import make_url

from workshop.testing import (
    Database,
    Exchange,
    Gate,
    Rendezvous,
    RunningApp,
    cases,
    exchange,
    until_stalled,
)
from workshop.testing.sync.idle import wait_until_idle

Sql = tuple[Any, ...]
"""A statement and the values of its parameters, which are written ``?``."""


def order(customer: str, seat: str = "A1", show: int = 1) -> dict[str, object]:
    """Return the body that a customer sends to POST /orders."""
    return {"show_id": show, "seat": seat, "customer": customer}


# The first is what an HTTP client raises; it is no OSError.
CARD_ERRORS: tuple[Exception, ...] = (
    httpx2.ReadTimeout("the card company is silent"),
    ConnectionResetError("the card company hung up"),
    ValueError("the card company sent no JSON"),
)


async def always_charged(customer: str) -> bool:
    """Charge every card."""
    return True


async def seats_left(database: Database, show: int = 1) -> int:
    """Return how many seats are left according to the database."""
    rows = await database.fetch("select seats_left from shows where id = ?", show)
    return int(rows[0]["seats_left"])


async def store_orders(database: Database, *codes: str) -> None:
    """Store an order for each of *codes*: ``ann-1`` is an order of Ann's."""
    for code in codes:
        await database.execute(
            "insert into orders (code, show_id, seat, customer) values (?, 1, ?, ?)",
            *(code, f"seat of {code}", code.partition("-")[0].title()),
        )


def keep_mails(app: RunningApp) -> list[tuple[str, str]]:
    """Return a list that receives the customer and the code of each mail."""
    mails: list[tuple[str, str]] = []

    async def send_mail(customer: str, code: str) -> None:
        mails.append((customer, code))

    app.replace("send_mail", send_mail)
    return mails


def says_the_same(
    response: httpx2.Response, stored: dict[str, object], story: str
) -> None:
    """Assert that a repeated click got the order that is *stored*."""
    assert response.status_code in (200, 201), (
        f"{story}. The first click worked, and this one got a {response.status_code}. "
        "Expected: the response says the same as the first."
    )
    assert response.json() == stored, (
        f"{story}. The database has {stored}. The response was {response.text}. "
        "Expected: it names the code, the seat and the show of her order."
    )


def all_returned(database: Database, story: str) -> None:
    """Assert that the app has no connection any more."""
    assert database.out == 0, (
        f"{story}. Then a connection to the database was still in use. "
        "Expected: every connection is back in the pool when the request is over."
    )


async def pay_meanwhile(app: RunningApp, code: str, *, card_is_good: bool) -> Exchange:
    """Pay for *code* while other cards may still be waiting."""
    return await _pay(
        app,
        code,
        card_is_good,
        otherwise="While one card was being charged, another customer wanted to pay "
        "and got no response. "
        "Expected: customers do not wait for each other's cards.",
    )


async def pay_again(app: RunningApp, code: str, story: str) -> Exchange:
    """Pay for *code* with a good card after a first try, which the *story* tells."""
    expected = "Expected: 200. A later try must work."
    return await _pay(app, code, True, f"{story} and got no response. {expected}")


async def _pay(
    app: RunningApp, code: str, card_is_good: bool, otherwise: str
) -> Exchange:
    async def charge_card(customer: str) -> bool:
        return card_is_good

    app.replace("charge_card", charge_card)
    payment = exchange(app, "POST", f"/orders/{code}/payment")
    await until_stalled(payment.finished(), otherwise=otherwise)
    return payment


async def cancel_a_charge(app: RunningApp, database: Database, code: str) -> Gate:
    """Cancel a payment while its card is being charged; return the card company."""
    charge = Gate("the money from Eve's card")
    app.replace("charge_card", charge)
    eve = CancellableRequest(app, "POST", f"/orders/{code}/payment")
    await charge.entered()
    eve.cancel()
    await eve.ended(database)
    return charge


class CancellableRequest:
    """A request that can be cancelled, as a server cancels its last ones."""

    def __init__(
        self, app: RunningApp, method: str, path: str, body: object = None
    ) -> None:
        self._app = app
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[Any] | None = None
        self._exchange = exchange(self, method, path, json=body)

    async def asgi(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass the request on to the app."""
        self._task = asyncio.current_task()
        await self._app.asgi(scope, receive, send)

    def cancel(self) -> None:
        """Cancel the request once."""
        if self._task is not None:
            self._task.cancel()

    def cancel_in_commit(self) -> None:
        """Cancel the request from the thread that commits.

        Does nothing in a thread of AnyIO: a plain `def` route runs there, and FastAPI
        cannot stop it.
        """
        if not threading.current_thread().name.startswith("AnyIO"):
            self._loop.call_soon_threadsafe(self.cancel)

    async def ended(self, database: Database) -> None:
        """Wait until the request is over and its connection has had time to return."""
        await self._exchange.finished()
        await wait_until_idle(lambda: database.out, until=lambda: not database.out)


def watch_shutdown(inner: Any, look: Callable[[], None]) -> Any:
    """Return *inner*, with a *look* at the moment it reports its shutdown complete."""

    async def asgi(scope: Any, receive: Any, send: Any) -> None:
        async def send_on(message: Any) -> None:
            if message["type"] == "lifespan.shutdown.complete":
                look()
            await send(message)

        await inner(scope, receive, send_on)

    return asgi


_connect = sqlite3.connect


class Statements:
    """Sees the SQL inside SQLite, so it does not matter which library sends it."""

    def __init__(self) -> None:
        self._next: tuple[tuple[str, ...], Callable[[], object]] | None = None
        self.commits_fail = False

    def connect(self, *args: Any, **options: Any) -> sqlite3.Connection:
        """Open a connection whose statements are seen."""
        options["cached_statements"] = 0  # so that `_allows` is asked each time
        connection = _connect(*args, **options)
        connection.set_trace_callback(self._on_statement)
        connection.set_authorizer(self._allows)
        return connection

    @contextmanager
    def before(self, *verbs: str, do: Callable[[], object]) -> Iterator[None]:
        """Call *do* once, right before the next statement with one of *verbs*."""
        self._next = verbs, do
        try:
            yield
        finally:
            self._next = None

    def _allows(self, action: int, what: str | None, *_: object) -> int:
        commits = {
            (sqlite3.SQLITE_TRANSACTION, "COMMIT"),
            (sqlite3.SQLITE_SAVEPOINT, "RELEASE"),  # commits if it is the outermost
        }
        denied = self.commits_fail and (action, what) in commits
        return sqlite3.SQLITE_DENY if denied else sqlite3.SQLITE_OK

    def _on_statement(self, sql: str) -> None:
        if self._next and sql.lstrip().upper().startswith(self._next[0]):
            (_, do), self._next = self._next, None
            do()


def bob_buys(seat: str, *, of: int) -> tuple[Sql, ...]:
    """Return the statements that store Bob's order for *seat*.

    *of* is the value of ``seats_left`` before the first order.
    """
    insert = (
        "insert into orders (code, show_id, seat, customer) values (?, 1, ?, 'Bob')"
    )
    return (
        (insert, f"bob-{seat}", seat),
        # Correct even if a trigger of the app has already lowered seats_left.
        ("update shows set seats_left = ? - (select count(*) from orders)", of),
    )


async def overtaken(
    ask: Callable[[], Awaitable[httpx2.Response]],
    *,
    by: tuple[Sql, ...],
    database: Database,
    statements: Statements,
) -> httpx2.Response:
    """Commit the SQL *by* right before the app's first write; return its response.

    If the app holds a lock that keeps the SQL out, the app comes first.
    """
    if database.kind == "postgres":
        for sql, *values in (("begin",), *by):
            await database.execute(sql, *values)
        request = asyncio.ensure_future(ask())
        await lock_is_awaited(database, request)
        await database.execute("commit")
        return await request

    file = str(make_url(database.url).database)

    def commit() -> None:
        try:
            with closing(_connect(file, timeout=0)) as connection, connection:
                for sql, *values in by:
                    connection.execute(sql, values)
        except sqlite3.OperationalError as error:
            if "lock" not in str(error):
                raise

    with statements.before("INSERT", "UPDATE", do=commit):
        return await ask()


async def lock_is_awaited(database: Database, request: asyncio.Future[Any]) -> None:
    """Return when a connection waits for a lock in PostgreSQL, or *request* is done."""
    sql = (
        "select pid from pg_stat_activity "
        "where wait_event_type = 'Lock' and datname = current_database()"
    )
    while not request.done() and not await database.fetch(sql):
        pass


def counted(count: int, what: str) -> str:
    """Return `no order`, `one order` or `3 orders`."""
    if count == 1:
        return f"one {what}"
    return f"{count} {what}s" if count else f"no {what}"


async def a_full_disk_changes_nothing(
    app: RunningApp,
    client: httpx2.AsyncClient,
    database: Database,
    statements: Statements,
) -> None:
    """Assert that an order leaves nothing behind, whichever write fails."""
    mails = keep_mails(app)
    before, already = await seats_left(database), await database.count("orders")
    for what in cases(("orders", "shows", "COMMIT")):
        async with full_disk(database, statements, what):
            eve = await client.post("/orders", json=order("Eve", "A3"))
        story = (
            f"Eve ordered the free seat A3. The database's disk was full during the "
            f"{'commit' if what == 'COMMIT' else 'write to ' + what}. "
            f"Eve got a {eve.status_code}"
        )
        assert eve.status_code >= 500, (
            f"{story}. "
            "Expected: a server error, 500 or above. Nobody has taken her seat."
        )
        sold = await database.count("orders") - already
        left = await seats_left(database)
        assert (sold, left, mails) == (0, before, []), (
            f"{story}. Stored: {counted(sold, 'order')}. seats_left was {before} and "
            f"is {left} now. Mails: {len(mails)}. "
            "Expected: no order, the same seats_left, and no mail."
        )


async def orders_at_the_same_moment(
    app: RunningApp, database: Database, statements: Statements
) -> None:
    """Assert that orders do not undo or disturb each other."""
    before = await seats_left(database), await database.count("orders")
    wanted = (order("Bob"), order("Eve", "B2"), order("Bob"), order("Dan", "B3"))
    buyers = [exchange(app, "POST", "/orders", json=each) for each in wanted]
    for buyer in buyers:
        await buyer.finished()
    told = sorted(
        f"{each['customer']} {each['seat']}"
        for each, buyer in zip(wanted, buyers, strict=True)
        if buyer.status == 201
    )
    rows = await database.fetch("select customer, seat from orders where seat > 'B'")
    stored = sorted(f"{row['customer']} {row['seat']}" for row in rows)
    after = await seats_left(database), await database.count("orders")
    expected = (told, (before[0] - len(told), before[1] + len(told)))
    assert (stored, after) == expected, (
        "Ann had seat A1. Then, at the same moment, Bob ordered A1 twice, Eve ordered "
        f"B2 and Dan ordered B3. These got a 201: {told}. These are stored: {stored}. "
        "seats_left was "
        f"{before[0]} before and is {after[0]} now. "
        "Expected: each order that got a 201 is stored and takes one seat."
    )

    commit = Gate("the commit of Eve's order")
    with statements.before("COMMIT", do=commit.blocking):
        eve = exchange(app, "POST", "/orders", json=order("Eve", "B4"))
        await wait_until_idle(lambda: commit.waiting, until=lambda: commit.waiting > 0)
        dan = exchange(app, "POST", "/orders", json=order("Dan", show=4711))
        await wait_until_idle(lambda: len(dan.messages), until=lambda: dan.done)
    commit.open()
    await eve.finished()
    await dan.finished()
    assert (eve.status, dan.status) == (201, 404), (
        "While Eve's order for B4 was being committed, Dan ordered a seat in a show "
        f"that does not exist. Eve got a {eve.status} and Dan a {dan.status}. "
        "Expected: a 201 for Eve and a 404 for Dan."
    )


async def a_dozen_payments_at_the_same_moment(
    app: RunningApp, database: Database
) -> None:
    """Assert that no limit makes a customer wait for other customers' cards."""
    codes = [f"dan-{number}" for number in range(12)]
    await store_orders(database, *codes)
    cards = Rendezvous(len(codes), "the card company", result=True)
    app.replace("charge_card", cards)
    payments = [exchange(app, "POST", f"/orders/{code}/payment") for code in codes]
    await wait_until_idle(lambda: cards.most, until=lambda: cards.most == len(codes))
    cards.release()
    for payment in payments:
        await payment.finished()
    assert cards.most == len(codes), (
        f"{len(codes)} orders were paid for at the same moment, but no more than "
        f"{cards.most} cards were being charged at once; the other payments waited. "
        "Expected: customers do not wait for each other's cards."
    )


async def cancelled_commits_return_their_connection(
    app: RunningApp, database: Database, statements: Statements
) -> None:
    """Assert that a request cancelled during its commit returns its connection.

    It must not affect the next request either. No query is cancelled here, because
    SQLite would keep its lock until the garbage collector finds the query's cursor.
    """
    app.replace("charge_card", always_charged)
    await store_orders(database, "ann-8", "eve-8")
    for hers, next_one in cases(
        (
            (("/orders", order("Ann", "C1")), ("/orders", order("Eve", "C2"))),
            (("/orders/ann-8/payment", {}), ("/orders/eve-8/payment", {})),
        )
    ):
        before = await seats_left(database) + await database.count("orders")
        ann = CancellableRequest(app, "POST", *hers)
        with statements.before("COMMIT", do=ann.cancel_in_commit):
            await ann.ended(database)
        story = f"Ann's POST {hers[0]} was cancelled during its commit"
        all_returned(database, story)
        after = await seats_left(database) + await database.count("orders")
        assert after == before, (
            f"{story}. seats_left plus the number of orders was {before} before and "
            f"is {after} now. Expected: each stored order takes one seat."
        )
        eve = exchange(app, "POST", next_one[0], json=next_one[1])
        await eve.finished()
        assert eve.status in (200, 201), (
            f"{story}. Then Eve's POST {next_one[0]} got a {eve.status}. "
            "Expected: 200 or 201. A cancelled request must not affect hers."
        )


@asynccontextmanager
async def full_disk(
    database: Database, statements: Statements, what: str
) -> AsyncIterator[None]:
    """Make every write to the table *what* fail, or every commit for ``COMMIT``."""
    if what != "COMMIT":
        async with database.failing_writes(what):
            yield
    elif database.kind == "postgres":
        await database.execute(FULL_AT_COMMIT)
        for table in ("orders", "payments"):
            await database.execute(
                f"create constraint trigger full_{table} after insert on {table} "
                "initially deferred for each row execute function full_disk()"
            )
        yield
        await database.execute("drop function full_disk() cascade")
    else:
        statements.commits_fail = True
        yield
        statements.commits_fail = False


FULL_AT_COMMIT = (
    "create function full_disk() returns trigger language plpgsql as "
    "$$ begin raise exception using errcode = 'disk_full'; end $$"
)
