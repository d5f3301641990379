"""The tests of lesson 01. Each one tells a customer's story.

Step 1  test_an_order_is_committed_before_the_response_starts
        test_an_order_is_committed_before_its_mail_is_sent
Step 2  test_a_taken_seat_gets_a_409_and_writes_nothing
        test_a_seat_lost_at_the_last_moment_gets_a_409
Step 3  test_a_second_click_gets_the_same_order
Step 4  test_a_declined_card_does_not_undo_another_payment
        test_a_payment_does_not_store_that_of_another_customer
        test_two_payments_at_the_same_moment_are_both_stored
        test_a_failed_charge_stores_no_payment
Step 5  test_every_response_returns_its_connection
        test_a_database_error_returns_the_connection
        test_no_connection_outlives_the_app

`database` reads over a connection of its own, so it sees only committed rows, as
the next customer does. Gates replace the mail server and the card company: a call
waits in its gate until the test opens it. No test measures time. The stand-ins are
in world.py.
"""

import sqlite3

import httpx2
import pytest

from workshop.testing import (
    Clock,
    Database,
    Gate,
    Rendezvous,
    RunApp,
    RunningApp,
    cases,
    exchange,
    until_stalled,
)
from workshop.testing.sync.idle import wait_until_idle

from .world import (
    CARD_ERRORS,
    Statements,
    a_dozen_payments_at_the_same_moment,
    a_full_disk_changes_nothing,
    all_returned,
    always_charged,
    bob_buys,
    cancel_a_charge,
    cancelled_commits_return_their_connection,
    counted,
    full_disk,
    keep_mails,
    order,
    orders_at_the_same_moment,
    overtaken,
    pay_again,
    pay_meanwhile,
    says_the_same,
    seats_left,
    store_orders,
    watch_shutdown,
)


@pytest.fixture(autouse=True)
def statements(monkeypatch: pytest.MonkeyPatch) -> Statements:
    """Watch every SQLite connection that is opened during the test."""
    seen = Statements()
    for module in (sqlite3, sqlite3.dbapi2):
        monkeypatch.setattr(module, "connect", seen.connect)
    return seen


@pytest.mark.step(1)
@pytest.mark.timeline
async def test_an_order_is_committed_before_the_response_starts(
    app: RunningApp, database: Database, statements: Statements
) -> None:
    """Other connections see a row only after the commit."""
    commit = Gate("the commit of Ann's order")
    with statements.before("COMMIT", do=commit.blocking):
        ann = exchange(
            app,
            "POST",
            "/orders",
            json=order("Ann"),
            probe=lambda: database.count("orders", seat="A1"),
        )
        await wait_until_idle(lambda: len(ann.messages))
    commit.open()
    await ann.finished()
    assert ann.status == 201, (
        f"Ann ordered the free seat A1 and got a {ann.status}. "
        "Expected: 201, the seat is hers."
    )
    _, found = ann.probed[0]
    assert found == 1, (
        "Ann got a 201 for seat A1. When that response started, a second "
        f"connection found {counted(found, 'order')} for the seat. "
        "Expected: her order is committed before the response starts."
    )


@pytest.mark.step(1)
@pytest.mark.timeline
async def test_an_order_is_committed_before_its_mail_is_sent(
    app: RunningApp, database: Database, statements: Statements
) -> None:
    """Background tasks run after the response, so commit before it."""
    mail, commit = Gate("the mail to Ann"), Gate("the commit of Ann's order")
    app.replace("send_mail", mail)

    with statements.before("COMMIT", do=commit.blocking):
        ann = exchange(app, "POST", "/orders", json=order("Ann"))
        await wait_until_idle(lambda: mail.count, until=lambda: mail.count > 0)
        if not mail.count:
            commit.open()
            await mail.entered()
        found = await database.count("orders", seat="A1")
    commit.open()
    mail.open()
    await ann.finished()
    assert found == 1, (
        "send_mail() was called with Ann's order code. At that moment a second "
        f"connection found {counted(found, 'order')} for her seat. "
        "Expected: her order is committed before its mail is sent."
    )


@pytest.mark.step(2)
async def test_a_taken_seat_gets_a_409_and_writes_nothing(
    app: RunningApp,
    client: httpx2.AsyncClient,
    database: Database,
    statements: Statements,
) -> None:
    """If the database rejects a write, roll everything back and tell the customer."""
    mails = keep_mails(app)
    ann = await client.post("/orders", json=order("Ann"))
    assert ann.status_code == 201, (
        f"Ann ordered the free seat A1 and got a {ann.status_code}. "
        "Expected: 201, the seat is hers."
    )
    before = await seats_left(database)
    hers = await database.fetch("select customer, code from orders")

    bob = await client.post("/orders", json=order("Bob"))
    assert bob.status_code == 409, (
        f"Ann has seat A1. Bob ordered it too and got a {bob.status_code}. "
        "Expected: Bob gets a 409."
    )
    after = await seats_left(database)
    assert after == before, (
        "Bob's order for Ann's seat was refused. seats_left was "
        f"{before} before it and is {after} after it. "
        "Expected: a refused order changes nothing in any table."
    )
    assert mails == [tuple(row.values()) for row in hers], (
        "Ann's order was stored and Bob's was refused. send_mail() was called with: "
        f"{mails}. "
        "Expected: one call, with Ann and the code of her order."
    )
    again = await client.post("/orders", json=order("Bob", "A2"))
    stored = await database.count("orders")
    assert (again.status_code, stored) == (201, 2), (
        "Bob's order for Ann's seat was refused. Then he ordered the free seat "
        f"A2 and got a {again.status_code}. Stored: {counted(stored, 'order')}. "
        "Expected: 201, and two orders: Ann's for A1 and Bob's for A2."
    )
    nowhere = await client.post("/orders", json=order("Bob", show=4711))
    assert nowhere.status_code == 404, (
        "Bob ordered a seat in a show that does not exist and got a "
        f"{nowhere.status_code}. "
        "Expected: 404. Only a taken seat gets a 409."
    )
    await orders_at_the_same_moment(app, database, statements)


@pytest.mark.step(2)
async def test_a_seat_lost_at_the_last_moment_gets_a_409(
    app: RunningApp,
    client: httpx2.AsyncClient,
    database: Database,
    statements: Statements,
) -> None:
    """A check before the write is too early: another order can arrive in between."""
    mails = keep_mails(app)
    before = await seats_left(database)
    for seat, bobs in cases((("A1", "A1"), ("A2", "A9"))):
        mails.clear()
        ann = await overtaken(
            lambda seat=seat: client.post("/orders", json=order("Ann", seat)),
            by=bob_buys(bobs, of=before),
            database=database,
            statements=statements,
        )
        story = (
            f"Ann ordered seat {seat}. Right before her order was written, Bob's order "
            f"for {bobs} was committed. Ann got a {ann.status_code}"
        )
        sql = "select customer from orders where seat = ?"
        owners = [row["customer"] for row in await database.fetch(sql, seat)]
        expected = {201: ["Ann"], 409: ["Bob"]}.get(ann.status_code, ["?"])
        assert owners == expected, (
            f"{story}, and in the database {seat} belongs to "
            f"{' and '.join(owners) or 'nobody'}. "
            "Expected: 409 if the seat is Bob's, 201 if it is hers."
        )
        sold, left = await database.count("orders"), await seats_left(database)
        assert left == before - sold, (
            f"{story}. seats_left was {before} at first and is {left} now. "
            f"Stored: {counted(sold, 'order')}. "
            "Expected: each stored order takes one seat and a refused order none."
        )
        assert [name for name, _ in mails] == ["Ann"] * owners.count("Ann"), (
            f"{story}. Mails about her order: {len(mails)}. "
            "Expected: one mail for a stored order and none for a refused one."
        )
    await a_full_disk_changes_nothing(app, client, database, statements)


@pytest.mark.step(3)
async def test_a_second_click_gets_the_same_order(
    run_app: RunApp, database: Database
) -> None:
    """A relationship that was not loaded cannot be read without awaiting."""
    click = order("Ann", "C3", show=7)
    async with run_app() as app, app.client() as client:
        mails = keep_mails(app)
        await database.execute(
            "insert into shows (id, title, seats_left) values (7, 'Carmen', 20)"
        )
        first = await client.post("/orders", json=click)
        assert first.status_code == 201, (
            f"Ann ordered seat C3 for Carmen and got a {first.status_code}. "
            "Expected: 201, with the order's code, seat and show."
        )
        hamlet = await client.post("/orders", json=order("Ann", "C3", show=1))
        second = await client.post("/orders", json=click)
        rows = await database.fetch("select code from orders where show_id = 7")
        assert rows, (
            "Ann ordered seat C3 for Carmen and got a 201, but no order for Carmen "
            "is in the database. Expected: her order is stored."
        )
        stored = {"code": rows[0]["code"], "seat": "C3", "show": "Carmen"}
        says_the_same(second, stored, 'Ann clicked twice on "buy" for the same seat')
        assert first.json() == stored, (
            f"Ann's order in the database is {stored}. The first response was "
            f"{first.text}. Expected: it names the code, the seat and the show."
        )
        left = await seats_left(database, show=7)
        assert (len(rows), left) == (1, 19), (
            "Ann clicked twice for one seat. She has "
            f"{counted(len(rows), 'order')}, and {left} of 20 seats are left. "
            "Expected: one order, and 19 seats left."
        )
        about = [code for _, code in mails]
        assert about.count(stored["code"]) == 1, (
            f"Ann clicked twice for one seat. {about.count(stored['code'])} mails were "
            "sent about her order. Expected: one, because it is one order."
        )
        beside = await client.post("/orders", json=order("Ann", "C4", show=7))
        sql = "select show_id, seat from orders order by show_id, seat"
        seats = [(row["show_id"], row["seat"]) for row in await database.fetch(sql)]
        assert seats == [(1, "C3"), (7, "C3"), (7, "C4")], (
            "Ann has seat C3 for Carmen, show 7. She also ordered C3 for Hamlet, "
            f"show 1, and C4 for Carmen, and got a {hamlet.status_code} and a "
            f"{beside.status_code}. The shows and seats of her orders are now {seats}. "
            "Expected: another seat is another order, and so is another show."
        )
    free = await seats_left(database)
    async with run_app() as app, app.client() as client:
        third = await client.post("/orders", json=click)
        says_the_same(third, stored, "After a restart, Ann clicked once more")
    assert await seats_left(database) == free, (
        f"Before a restart {free} seats were left for Hamlet, and after it "
        f"{await seats_left(database)}. Expected: a restart changes no seats."
    )


@pytest.mark.step(4)
@pytest.mark.timeline
async def test_a_declined_card_does_not_undo_another_payment(
    app: RunningApp, database: Database, clock: Clock
) -> None:
    """A rollback undoes everything that is pending in its session."""
    for hers, other, name in cases(
        (("ann-1", "bob-1", "Bob"), ("ann-2", "ann-3", "she"))
    ):
        await store_orders(database, hers, other)
        card = Gate("the money from Ann's card")
        app.replace("charge_card", card)
        ann = exchange(
            app,
            "POST",
            f"/orders/{hers}/payment",
            probe=lambda hers=hers: database.count("payments", code=hers),
        )
        await card.entered()
        declined = await pay_meanwhile(app, other, card_is_good=False)
        paid = f"Meanwhile {name} paid for {other}"
        story = f"Ann's card was being charged for {hers}. {paid}"
        assert declined.status == 402, (
            f"{story}, was declined and got a {declined.status}. "
            "Expected: a declined card gets a 402."
        )
        charged = [(*args, *by_name.values()) for args, by_name in card.calls]
        assert charged == [("Ann",)], (
            f"Ann paid for {hers}. charge_card() was called with: {charged}. "
            "Expected: one call, with the customer of that order."
        )
        await clock.advance(25 * 3600)  # the card company takes more than a day
        card.open(result=True)
        await ann.finished()
        stored = await database.count("payments", code=hers)
        assert stored == 1, (
            f"{story} and was declined. Then the charge for {hers} succeeded. "
            f"The database has {counted(stored, 'payment')} for it. "
            "Expected: its payment is stored, whatever happens to the other one."
        )
        _, found = ann.probed[0]
        assert (ann.status, found) == (200, 1), (
            f"A day later Ann's card was charged, and she got a {ann.status}. When "
            f"that response started, a second connection found "
            f"{counted(found, 'payment')}. "
            "Expected: 200, and the payment is committed before the response starts."
        )
        assert await database.count("payments", code=other) == 0, (
            f"The card for {other} was declined, and its payment is in the database. "
            "Expected: no payment without money."
        )
        story = f"The card for {other} was declined. The customer tried another card"
        again = await pay_again(app, other, story)
        assert again.status == 200, (
            f"{story}, which was good, but got a {again.status}. "
            "Expected: 200. A later try must work."
        )


@pytest.mark.step(4)
@pytest.mark.timeline
async def test_a_payment_does_not_store_that_of_another_customer(
    app: RunningApp, database: Database
) -> None:
    """A commit stores everything that is pending in its session."""
    await store_orders(database, "ann-1", "bob-1")
    card = Gate("the money from Ann's card")
    app.replace("charge_card", card)

    ann = exchange(app, "POST", "/orders/ann-1/payment")
    await card.entered()
    bob = await pay_meanwhile(app, "bob-1", card_is_good=True)
    assert bob.status == 200, (
        "While Ann's card was being charged, Bob's card was charged too, and he got "
        f"a {bob.status}. Expected: 200, Bob has paid."
    )
    assert await database.count("payments", code="ann-1") == 0, (
        "Bob paid. Ann's payment was stored along with his, although her card had "
        "not been charged yet. "
        "Expected: Ann's payment is stored when her own card has been charged."
    )
    card.open(result=False)
    await ann.finished()
    paid = [row["code"] for row in await database.fetch("select code from payments")]
    assert (ann.status, paid) == (402, ["bob-1"]), (
        f"Ann's card was declined, Bob's was not. Ann got a {ann.status}, and these "
        f"orders are paid: {paid}. Expected: Ann gets a 402, and only bob-1 is paid."
    )


@pytest.mark.step(4)
@pytest.mark.timeline
async def test_two_payments_at_the_same_moment_are_both_stored(
    app: RunningApp, database: Database
) -> None:
    """A session that is committing cannot begin another commit."""
    await store_orders(database, "ann-1", "bob-1", "eve-1", "ann-2")
    cards = Rendezvous(2, "the card company", result=True)
    app.replace("charge_card", cards)

    ann = exchange(app, "POST", "/orders/ann-1/payment")
    bob = exchange(app, "POST", "/orders/bob-1/payment")
    await until_stalled(
        cards.met(),
        otherwise="Ann and Bob paid at the same moment. Only one of the two cards was "
        "being charged; the other payment had to wait. "
        "Expected: customers do not wait for each other's cards.",
    )
    await ann.finished()
    await bob.finished()
    stored = await database.count("payments")
    assert ([ann.status, bob.status], stored) == ([200, 200], 2), (
        "Ann's and Bob's cards were charged at the same moment. Ann got a "
        f"{ann.status}, Bob a {bob.status}. Stored: {counted(stored, 'payment')}. "
        "Expected: 200 for both, and two payments."
    )
    again = exchange(app, "POST", "/orders/ann-1/payment")
    await again.finished()
    for code in ("eve-1", "ann-2"):
        new = exchange(app, "POST", f"/orders/{code}/payment")
        await new.finished()
        stored = await database.count("payments", code=code)
        assert (new.status, stored) == (200, 1), (
            f"Ann paid for ann-1 a second time and got a {again.status}. Then {code} "
            f"was paid and got a {new.status}. Stored for it: "
            f"{counted(stored, 'payment')}. "
            "Expected: 200 and one payment. An earlier error must not affect it."
        )
    await a_dozen_payments_at_the_same_moment(app, database)


@pytest.mark.step(4)
async def test_a_failed_charge_stores_no_payment(
    app: RunningApp, database: Database
) -> None:
    """An exception must not leave a pending payment for the next commit."""
    for number, error in cases(enumerate(CARD_ERRORS)):
        hers, other = f"ann-{number}", f"bob-{number}"
        await store_orders(database, hers, other)
        charge = Gate("the money from Ann's card")
        charge.fail(error)
        app.replace("charge_card", charge)
        ann = exchange(app, "POST", f"/orders/{hers}/payment")
        await ann.finished()
        bob = await pay_meanwhile(app, other, card_is_good=True)
        stored = await database.count("payments", code=hers)
        assert ((ann.status or 500) >= 400, stored) == (True, 0), (
            f"Charging Ann's card raised {error!r}, and she got a {ann.status}. Then "
            f"Bob paid. Ann's order now has {counted(stored, 'payment')}. "
            "Expected: an error, 400 or above, and no payment without money."
        )
        again = await pay_meanwhile(app, hers, card_is_good=True)
        stored = await database.count("payments", code=hers)
        assert (bob.status, again.status, stored) == (200, 200, 1), (
            f"Charging Ann's card raised {error!r}. Then Bob paid and got a "
            f"{bob.status}, and Ann tried again and got a {again.status}; her order "
            f"has {counted(stored, 'payment')}. "
            "Expected: 200 for both, and one payment of hers."
        )

    await store_orders(database, "eve-1")
    charge = await cancel_a_charge(app, database, "eve-1")
    if charge.cancelled:  # otherwise the app goes on charging, which is also correct
        story = (
            "Eve's request was cancelled while her card was being charged. She tried "
            "again"
        )
        later = await pay_again(app, "eve-1", story)
        assert later.status == 200, (
            f"{story} and got a {later.status}. Expected: 200. A later try must work."
        )


@pytest.mark.step(5)
async def test_every_response_returns_its_connection(
    app: RunningApp,
    client: httpx2.AsyncClient,
    database: Database,
    statements: Statements,
) -> None:
    """A connection is borrowed for one request and returned when it ends."""
    unknown = await client.get("/orders/unknown")
    assert unknown.status_code == 404, (
        f"Ann asked for an unknown order and got a {unknown.status_code}. "
        "Expected: 404."
    )
    all_returned(database, "Ann asked for an unknown order and got a 404")
    await store_orders(database, "ann-1", "bob-1", "eve-1", "eve-2")
    found = await client.get("/orders/ann-1")
    assert found.status_code == 200, (
        f"Ann asked for her order ann-1 and got a {found.status_code}. Expected: 200."
    )
    assert found.json() == {"customer": "Ann", "seat": "seat of ann-1"}, (
        f"Ann asked for her order ann-1 and got {found.text}. "
        "Expected: her name and her seat."
    )
    all_returned(database, "Ann asked for her order and got a 200")

    mail = Gate("the mail to Ann")
    app.replace("send_mail", mail)
    ann = exchange(app, "POST", "/orders", json=order("Ann"))
    await mail.entered()
    in_use = database.out
    mail.open()
    await ann.finished()
    assert in_use == 0, (
        "Ann has her response, and the mail to her was being sent. Until the mail "
        "server responded, a connection to the database was in use. "
        "Expected: no connection is in use while the mail is sent."
    )
    for story, path, body, charged in (
        ("Ann paid for an unknown order", "/orders/unknown/payment", {}, True),
        ("Bob's card was declined", "/orders/bob-1/payment", {}, False),
        ("Ann paid", "/orders/ann-1/payment", {}, True),
        ("Ann paid a second time", "/orders/ann-1/payment", {}, True),
        ("Charging Eve's card failed", "/orders/eve-1/payment", {}, CARD_ERRORS[0]),
        ("Ann ordered a free seat", "/orders", order("Ann", "A2"), True),
        ('Ann clicked twice on "buy"', "/orders", order("Ann", "A2"), True),
        ("Eve ordered Ann's seat", "/orders", order("Eve", "A2"), True),
        ("Eve ordered a seat in no show", "/orders", order("Eve", show=4711), True),
    ):
        card = Gate("the card company", result=charged)
        card.fail(charged) if isinstance(charged, Exception) else card.open()
        app.replace("charge_card", card)
        response = await client.post(path, json=body)
        all_returned(database, f"{story} and got a {response.status_code}")

    await cancel_a_charge(app, database, "eve-2")
    all_returned(database, "Eve's request was cancelled while her card was charged")
    await cancelled_commits_return_their_connection(app, database, statements)


@pytest.mark.step(5)
async def test_a_database_error_returns_the_connection(
    app: RunningApp,
    client: httpx2.AsyncClient,
    database: Database,
    statements: Statements,
) -> None:
    """An unexpected error must not keep a connection from the pool."""
    await store_orders(database, "ann-1")
    app.replace("charge_card", always_charged)
    await database.execute("alter table orders rename to orders_in_repair")
    broken = await client.get("/orders/ann-1")
    assert broken.status_code >= 500, (
        "The orders table was missing. Ann asked for her order and got a "
        f"{broken.status_code}. Expected: a server error, 500 or above, because "
        "the app cannot know whether she has an order."
    )
    all_returned(database, f"The database failed: Ann got a {broken.status_code}")

    await database.execute("alter table orders_in_repair rename to orders")
    for what, path, body in (
        ("orders", "/orders", order("Eve", "A3")),
        ("payments", "/orders/ann-1/payment", {}),
        ("COMMIT", "/orders", order("Eve", "A3")),
        ("COMMIT", "/orders/ann-1/payment", {}),
    ):
        async with full_disk(database, statements, what):
            full = await client.post(path, json=body)
        when = "commit" if what == "COMMIT" else f"write to {what}"
        assert full.status_code >= 500, (
            f"The database's disk was full during the {when}. POST {path} got a "
            f"{full.status_code}. Expected: a server error, 500 or above."
        )
        all_returned(database, f"The disk was full: POST {path} got an error")


@pytest.mark.step(5)
async def test_no_connection_outlives_the_app(
    run_app: RunApp, database: Database
) -> None:
    """A pool keeps its connections open until the engine is disposed of."""
    open_at_the_end: list[int] = []
    async with run_app(start=False) as app:
        app.module.app = watch_shutdown(
            app.module.app, lambda: open_at_the_end.append(database.connections_open)
        )
        await app.startup()
        async with app.client() as client:
            await client.post("/orders", json=order("Ann"))
        await app.shutdown()
        assert open_at_the_end == [0], (
            "The box office reported that its shutdown is complete, and a connection "
            "to the database was still open. Every deploy leaves some behind. "
            "Expected: all connections are closed before the shutdown is complete."
        )
