"""The facts of lesson 01, one test each.

Every test looks at the database over a second connection, which sees only what
has been committed. So does the next customer. The mail server and the card
company in app.py are replaced by gates: a call that enters a gate waits there
until the test opens it. No test measures time.
"""

import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager

import httpx2
import pytest
from sqlalchemy import Engine, event, make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.util import await_only

from workshop.testing import (
    Database,
    Gate,
    Rendezvous,
    RunningApp,
    exchange,
    fail_after,
)


def order(customer: str, seat: str = "A1", show: int = 1) -> dict[str, object]:
    """Return what a customer sends to POST /orders."""
    return {"show_id": show, "seat": seat, "customer": customer}


@pytest.mark.step(1)
@pytest.mark.timeline
async def test_an_order_is_committed_before_the_answer_leaves(
    app: RunningApp, database: Database
) -> None:
    """What an answer says must be true for everybody when it leaves."""
    ann = exchange(
        app,
        "POST",
        "/orders",
        json=order("Ann"),
        probe=lambda: database.count("orders", seat="A1"),
    )
    await ann.finished()
    assert ann.status == 201, (
        f"Ann ordered the free seat A1 and was answered {ann.status}. "
        "Expected: 201, the seat is hers."
    )
    _, found = ann.probed[0]
    assert found == 1, (
        "Ann was told that seat A1 is hers. When that answer left, a second "
        f"connection found {found} orders for the seat in the database. "
        "Expected: her order is there before the answer leaves."
    )


@pytest.mark.step(1)
@pytest.mark.timeline
async def test_an_order_is_committed_before_its_mail_is_sent(
    app: RunningApp, database: Database
) -> None:
    """Background work starts when the answer has left, and sees what is committed."""
    mail = Gate("the mail to Ann")
    app.replace("send_mail", mail)

    ann = exchange(app, "POST", "/orders", json=order("Ann"))
    await mail.entered()
    found = await database.count("orders", seat="A1")
    mail.open()
    await ann.finished()
    assert found == 1, (
        "The mail with Ann's order code was on its way to her, and a second "
        f"connection found {found} orders for her seat in the database. "
        "Expected: her order is there before the mail is sent."
    )


@pytest.mark.step(2)
async def test_a_taken_seat_is_answered_409_and_nothing_is_written(
    app: RunningApp, client: httpx2.AsyncClient, database: Database
) -> None:
    """A write that the database refuses is a refusal, complete and told."""
    mails: list[str] = []

    async def send_mail(customer: str, code: str) -> None:
        mails.append(customer)

    app.replace("send_mail", send_mail)
    ann = await client.post("/orders", json=order("Ann"))
    assert ann.status_code == 201, (
        f"Ann ordered the free seat A1 and was answered {ann.status_code}. "
        "Expected: 201, the seat is hers."
    )
    before = await seats_left(database)

    bob = await client.post("/orders", json=order("Bob"))
    assert bob.status_code == 409, (
        "Ann has seat A1. Bob ordered it too, and he was answered "
        f"{bob.status_code}. "
        "Expected: Bob is answered 409."
    )
    after = await seats_left(database)
    assert after == before, (
        f"Bob's order for Ann's seat was refused. {before} seats were left "
        f"before it, and {after} are left after it. "
        "Expected: a refused order leaves nothing behind, in any table."
    )
    assert mails == ["Ann"], (
        f"Bob's order for Ann's seat was refused. Mails went to: {mails}. "
        "Expected: nobody is sent a mail about an order that was refused."
    )
    again = await client.post("/orders", json=order("Bob", "A2"))
    stored = await database.count("orders")
    assert (again.status_code, stored) == (201, 2), (
        "Bob's order for Ann's seat was refused. Then he ordered the free seat "
        f"A2 and was answered {again.status_code}; {stored} orders are stored. "
        "Expected: 201, and two orders: Ann's for A1 and Bob's for A2."
    )
    nowhere = await client.post("/orders", json=order("Bob", show=4711))
    assert nowhere.status_code == 404, (
        "Bob ordered a seat in a show that does not exist and was answered "
        f"{nowhere.status_code}. "
        "Expected: 404, only a seat that is taken is answered 409."
    )


@pytest.mark.step(2)
async def test_a_seat_lost_at_the_last_moment_is_answered_409(
    app: RunningApp, client: httpx2.AsyncClient, database: Database
) -> None:
    """Only the database knows who came first: a look before the write is too early."""
    mails: list[str] = []

    async def send_mail(customer: str, code: str) -> None:
        mails.append(customer)

    app.replace("send_mail", send_mail)
    before = await seats_left(database)
    with just_before_the_next_write(lambda: bob_orders_a1(database)):
        ann = await client.post("/orders", json=order("Ann"))

    rows = await database.fetch("select customer from orders where seat = 'A1'")
    owners = [row["customer"] for row in rows]
    assert owners, (
        f"Ann ordered the free seat A1 and was answered {ann.status_code}, and "
        "no order for it ever came to the database. "
        "Expected: an order is written to the database."
    )
    told = {201: ["Ann"], 409: ["Bob"]}.get(ann.status_code)
    assert owners == told, (
        "Ann and Bob ordered seat A1 at the same moment. The database says that it "
        f"is for {' and '.join(owners)}, and Ann was answered {ann.status_code}. "
        "Expected: Ann is answered 409 if the seat is Bob's, 201 if it is hers."
    )
    sold = owners.count("Ann")
    left = await seats_left(database)
    assert left == before - sold, (
        "Ann and Bob ordered seat A1 at the same moment, and Ann was answered "
        f"{ann.status_code}. {before} seats were left before her order, and {left} "
        "are left after it. "
        "Expected: an order takes one seat, and an order that was refused none."
    )
    assert mails == ["Ann"] * sold, (
        "Ann and Bob ordered seat A1 at the same moment, and Ann was answered "
        f"{ann.status_code}. Mails about her order: {len(mails)}. "
        "Expected: one mail about an order, and none about one that was refused."
    )

    with just_before_the_next_write(the_disk_is_full):
        eve = await client.post("/orders", json=order("Eve", "A3"))
    assert eve.status_code >= 500, (
        "The database's disk was full. Eve ordered the free seat A3 and was "
        f"answered {eve.status_code}. "
        "Expected: an error of the server, 500 or above. Nobody has taken her seat."
    )


@pytest.mark.step(3)
async def test_a_second_click_is_told_the_same_order(
    client: httpx2.AsyncClient, database: Database
) -> None:
    """An object carries only what was loaded with it, and fetches nothing by itself."""
    await database.execute(
        "insert into shows (id, title, seats_left) values (7, 'Carmen', 20)"
    )
    first = await client.post("/orders", json=order("Ann", "C3", show=7))
    assert first.status_code == 201, (
        f"Ann ordered seat C3 for Carmen and was answered {first.status_code}. "
        "Expected: 201, with the order's code, seat and show."
    )
    second = await client.post("/orders", json=order("Ann", "C3", show=7))
    assert second.status_code in (200, 201), (
        'Ann clicked twice on "buy" for the same seat. The first click worked, '
        f"the second was answered {second.status_code}. "
        "Expected: the second answer says the same as the first."
    )
    rows = await database.fetch("select code from orders where seat = 'C3'")
    told = {"code": rows[0]["code"], "seat": "C3", "show": "Carmen"}
    assert first.json() == second.json() == told, (
        f"Ann clicked twice. The database has {told}. The answers were "
        f"{first.text} and {second.text}. "
        "Expected: both name the code, the seat and the show of her order."
    )
    left = await seats_left(database, show=7)
    assert (len(rows), left) == (1, 19), (
        f"Ann clicked twice for one seat and has {len(rows)} orders; {left} of "
        "20 seats are left. "
        "Expected: one order, and 19 seats left."
    )
    beside = await client.post("/orders", json=order("Ann", "C4", show=7))
    hamlet = await client.post("/orders", json=order("Ann", "C3", show=1))
    sql = "select show_id, seat from orders order by show_id, seat"
    stored = [(row["show_id"], row["seat"]) for row in await database.fetch(sql)]
    assert stored == [(1, "C3"), (7, "C3"), (7, "C4")], (
        "Ann has seat C3 for Carmen, show 7. She ordered C4 for Carmen, too, and "
        "C3 for Hamlet, show 1. She was answered "
        f"{beside.status_code} and {hamlet.status_code}. The shows and seats of her "
        f"orders are now: {stored}. "
        "Expected: another seat is another order, and so is another show."
    )


@pytest.mark.step(4)
@pytest.mark.timeline
async def test_a_declined_card_does_not_undo_another_payment(
    app: RunningApp, client: httpx2.AsyncClient, database: Database
) -> None:
    """A rollback undoes all that is open in its session, whoever put it there."""
    ann_card = Gate("the money from Ann's card")
    await two_orders(app, database, ann_card)

    ann = exchange(
        app,
        "POST",
        "/orders/ann-1/payment",
        probe=lambda: database.count("payments", code="ann-1"),
    )
    await ann_card.entered()
    bob = await bob_pays(client, card_is_good=False, app=app)
    assert bob.status_code == 402, (
        f"Bob's card was declined and he was answered {bob.status_code}. Expected: 402."
    )
    ann_card.open(result=True)
    await ann.finished()
    stored = await database.count("payments", code="ann-1")
    assert stored == 1, (
        "While Ann's card was being charged, Bob's card was declined. Then Ann's "
        "card was charged, and her payment is not in the database. "
        "Expected: Ann's payment is stored, whatever happens to Bob's."
    )
    _, found = ann.probed[0]
    assert (ann.status, found) == (200, 1), (
        f"Ann's card was charged and she was answered {ann.status}. When that "
        f"answer left, a second connection found {found} payments of hers. "
        "Expected: 200, and her payment is there before the answer leaves."
    )
    assert await database.count("payments", code="bob-1") == 0, (
        "Bob's card was declined, and a payment of his is in the database. "
        "Expected: no payment without money."
    )


@pytest.mark.step(4)
@pytest.mark.timeline
async def test_a_payment_does_not_store_that_of_another_customer(
    app: RunningApp, client: httpx2.AsyncClient, database: Database
) -> None:
    """A commit stores all that is open in its session, whoever put it there."""
    ann_card = Gate("the money from Ann's card")
    await two_orders(app, database, ann_card)

    ann = exchange(app, "POST", "/orders/ann-1/payment")
    await ann_card.entered()
    bob = await bob_pays(client, card_is_good=True, app=app)
    assert bob.status_code == 200, (
        "While Ann's card was being charged, Bob's card was charged too, and he "
        f"was answered {bob.status_code}. "
        "Expected: 200, Bob has paid."
    )
    assert await database.count("payments", code="ann-1") == 0, (
        "Bob paid. With his payment, Ann's was stored too, although her card had "
        "not been charged yet. "
        "Expected: Ann's payment is stored when her own card has been charged."
    )
    ann_card.open(result=False)
    await ann.finished()
    paid = [row["code"] for row in await database.fetch("select code from payments")]
    assert (ann.status, paid) == (402, ["bob-1"]), (
        f"Ann's card was declined, Bob's was not. Ann was answered {ann.status}, "
        f"and these orders are paid: {paid}. "
        "Expected: Ann is answered 402, and only bob-1 is paid."
    )


@pytest.mark.step(4)
@pytest.mark.timeline
async def test_two_payments_at_the_same_moment_are_both_stored(
    app: RunningApp, database: Database
) -> None:
    """While one commit is on its way, the session has no time for another."""
    await two_orders(app, database, Gate("the card company"))
    cards = Rendezvous(2, "the card company", result=True)
    app.replace("charge_card", cards)

    ann = exchange(app, "POST", "/orders/ann-1/payment")
    bob = exchange(app, "POST", "/orders/bob-1/payment")
    await cards.met()
    await ann.finished()
    await bob.finished()
    stored = await database.count("payments")
    assert ([ann.status, bob.status], stored) == ([200, 200], 2), (
        "Ann's and Bob's cards were charged at the same moment. Ann was answered "
        f"{ann.status}, Bob {bob.status}, and {stored} payments are stored. "
        "Expected: 200 for both, and two payments."
    )
    again = exchange(app, "POST", "/orders/ann-1/payment")
    await again.finished()
    for customer, code in (("Eve", "eve-1"), ("Ann", "ann-2")):
        await database.execute(
            "insert into orders (code, show_id, seat, customer) values (?, 1, ?, ?)",
            *(code, f"seat of {code}", customer.lower()),
        )
        new = exchange(app, "POST", f"/orders/{code}/payment")
        await new.finished()
        stored = await database.count("payments", code=code)
        assert (new.status, stored) == (200, 1), (
            f"Ann paid for her order a second time and was answered {again.status}. "
            f"Then {customer} paid for a new order and was answered {new.status}; "
            f"{stored} payments for it are stored. "
            "Expected: 200 and one payment. What went wrong before is over."
        )


@pytest.mark.step(5)
async def test_every_answer_gives_its_connection_back(
    app: RunningApp, client: httpx2.AsyncClient, database: Database
) -> None:
    """A connection is lent for one request and is back when the answer has left."""
    unknown = await client.get("/orders/unknown")
    assert unknown.status_code == 404, (
        f"Ann asked for an unknown order and was answered {unknown.status_code}. "
        "Expected: 404."
    )
    assert database.out == 0, (
        "Ann asked for an unknown order. Her answer had left, and a connection "
        "to the database was still lent out. "
        "Expected: every connection is back when the answer has left."
    )
    mail = Gate("the mail to Ann")
    app.replace("send_mail", mail)
    ann = exchange(app, "POST", "/orders", json=order("Ann"))
    await mail.entered()
    lent = database.out
    mail.open()
    await ann.finished()
    assert lent == 0, (
        "Ann has her answer, and the mail to her was being sent. As long as the "
        "mail server took, a connection to the database was lent out. "
        "Expected: no connection waits for the mail server."
    )

    async def charge_card(customer: str) -> bool:
        return customer == "ann"

    await two_orders(app, database, charge_card)
    for story, path, new in (
        ("Ann asked for her order", "/orders/ann-1", None),
        ("Bob's card was declined", "/orders/bob-1/payment", {}),
        ("Ann paid", "/orders/ann-1/payment", {}),
        ("Ann paid a second time", "/orders/ann-1/payment", {}),
        ("Ann ordered a free seat", "/orders", order("Ann", "A2")),
        ('Ann clicked twice on "buy"', "/orders", order("Ann", "A2")),
        ("Eve ordered Ann's seat", "/orders", order("Eve", "A2")),
        ("Eve ordered a seat in no show", "/orders", order("Eve", show=4711)),
    ):
        method = "GET" if new is None else "POST"
        answer = await client.request(method, path, json=new)
        assert database.out == 0, (
            f"{story}, and the answer was {answer.status_code}. It had left, and a "
            "connection to the database was still lent out. "
            "Expected: every connection is back when the answer has left."
        )


@pytest.mark.step(5)
async def test_a_database_error_gives_its_connection_back(
    client: httpx2.AsyncClient, database: Database
) -> None:
    """Every way out of the code returns the connection, also those nobody wrote."""
    await database.execute("alter table orders rename to orders_in_repair")
    broken = await client.get("/orders/ann-1")
    assert broken.status_code >= 500, (
        "The orders table was in repair. Ann asked for her order and was "
        f"answered {broken.status_code}. "
        "Expected: an error of the server, 500 or above. Nobody knows whether she "
        "has an order."
    )
    assert database.out == 0, (
        "The orders table was in repair, and Ann was answered "
        f"{broken.status_code}. Her answer had left, and a connection to the "
        "database was still lent out. "
        "Expected: every connection is back when the answer has left."
    )


@pytest.mark.step(5)
async def test_no_connection_outlives_the_app(
    app: RunningApp, client: httpx2.AsyncClient, database: Database
) -> None:
    """A pool keeps its connections open until somebody closes the pool."""
    await client.post("/orders", json=order("Ann"))
    await app.shutdown()
    assert database.connections_open == 0, (
        "The box office was shut down, and a connection to the database was "
        "still open. Every deploy leaves some behind. "
        "Expected: no connection is open after shutdown."
    )


async def seats_left(database: Database, show: int = 1) -> int:
    """Return how many seats the database says are left."""
    rows = await database.fetch("select seats_left from shows where id = ?", show)
    return int(rows[0]["seats_left"])


async def two_orders(
    app: RunningApp, database: Database, ann_card: Callable[[str], Awaitable[bool]]
) -> None:
    """Give Ann and Bob an order each, and let *ann_card* stand for the card company."""
    for name in ("ann", "bob"):
        await database.execute(
            "insert into orders (code, show_id, seat, customer) values (?, 1, ?, ?)",
            *(f"{name}-1", f"{name}'s seat", name),
        )
    app.replace("charge_card", ann_card)


async def bob_pays(
    client: httpx2.AsyncClient, *, card_is_good: bool, app: RunningApp
) -> httpx2.Response:
    """Let Bob pay while Ann's card is waiting."""

    async def charge_card(customer: str) -> bool:
        return card_is_good

    app.replace("charge_card", charge_card)
    return await fail_after(
        client.post("/orders/bob-1/payment"),
        never="While Ann's card was being charged, Bob wanted to pay and was "
        "never answered. "
        "Expected: customers do not wait for each other's cards.",
    )


async def bob_orders_a1(database: Database) -> None:
    """Store an order of Bob's, unless a lock of the app's keeps everybody out."""
    sql = (
        "insert into orders (code, show_id, seat, customer) "
        "values ('bob-1', 1, 'A1', 'Bob')"
    )
    try:
        if database.kind == "postgres":
            await database.execute("set lock_timeout = '100ms'")
            await database.execute(sql)
        else:
            file = str(make_url(database.url).database)
            with closing(sqlite3.connect(file, timeout=0)) as connection, connection:
                connection.execute(sql)
    except Exception as error:
        if "lock" not in str(error):
            raise


async def the_disk_is_full() -> None:
    """Fail as the database does when it cannot write."""
    raise OperationalError("INSERT", {}, OSError("disk is full"))


@contextmanager
def just_before_the_next_write(action: Callable[[], Awaitable[None]]) -> Iterator[None]:
    """Do *action* once, when the app is about to send its next INSERT or UPDATE."""
    waiting = [action]

    def on_statement(*details: object) -> None:
        statement = str(details[2]).lstrip().upper()
        if waiting and statement.startswith(("INSERT", "UPDATE")):
            await_only(waiting.pop()())

    event.listen(Engine, "before_cursor_execute", on_statement)
    try:
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", on_statement)
