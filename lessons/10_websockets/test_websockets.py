"""The tests of lesson 10, in the order of its steps.

Each client is a conversation: it sends what the test tells it to send, and the server
treats it as uvicorn does. While the app has not received a message of a client, the
server reads nothing else of that client; while a client does not read, `send` waits.

In step 5, `database` reads over a connection of its own, so it sees only committed
rows. The stand-ins are in world.py. No test measures time.
"""

import asyncio
import gc
from collections.abc import AsyncIterator

import pytest

from workshop.testing import (
    Clock,
    Conversation,
    Database,
    Gate,
    RunApp,
    RunningApp,
    cases,
    conversation,
    eventually,
    fail_after,
    when_idle,
)

from .world import (
    NONSENSE,
    OPEN_PAGES,
    ORIGIN,
    PATIENCE,
    PAUSE,
    REASON,
    WAITING,
    MailServer,
    World,
    about,
    cookie,
    create_tables,
    errors,
    hears,
    log_of,
    news,
    numbers,
    order,
    orders_of,
    refusing,
    told,
)

PATHS = ("/seats", "/prices")
# How Bob's endpoint may end, and what the story of the test says about it.
ENDINGS = [
    "sent broken JSON",
    "bought a seat whose sale failed",
    "left",
    "lost his connection",
    "bought two seats and left",
    "was cancelled",
    "did not read and was cancelled",
]
# What a client of the prices says, and the code with which it leaves.
DEPARTURES: list[tuple[list[str | bytes], int | None]] = [
    ([], 1000),
    ([], None),
    (["hello"], 1000),
    (["hello"], None),
    ([b"x"], 1001),
    (["1", "2", "3"], 1000),
    (["{}"] * 40, 1000),
]
# How Ann's page may end after she has ordered a seat.
PARTINGS = [
    "closed the page at once",
    "lost her connection at once",
    "did not read the reply and lost her connection",
    "got the number and closed the page",
    "got the number, and her endpoint was cancelled",
]


@pytest.fixture
async def app(run_app: RunApp) -> AsyncIterator[RunningApp]:
    """The app under test, for the steps without a database."""
    async with run_app(replace={"create_tables": create_tables}) as app:
        yield app


@pytest.fixture
async def shop(run_app: RunApp, database: Database) -> AsyncIterator[RunningApp]:
    """The app under test, with its database."""
    async with run_app() as app:
        yield app


async def expect_to_hear(
    name: str, client: Conversation, seats: list[str], before: str
) -> None:
    """Check that a client receives the news about these seats, once and in order."""
    assert await hears(client, news(*seats)), (
        f"{before} {name} has received {about(client.heard)}, and has {told(client)}. "
        f"Expected: {about(news(*seats))}, once and in order."
    )


async def are_over(clients: list[Conversation]) -> bool:
    """Wait until all these endpoints have ended, or until nothing can change."""
    return await eventually(lambda: all(client.done for client in clients))


# ---------------------------------------------------------------- step 1


@pytest.mark.step(1)
@pytest.mark.timeline
async def test_a_dead_client_costs_only_itself(clock: Clock, app: RunningApp) -> None:
    """`send` raises in the task that sends, not in the endpoint of the lost client."""
    world = World(app)
    for code in cases([None, 1001]):
        bob, ann, cleo, phone = await world.join("Bob", "Ann", "Cleo", "Ann")
        others = [("Ann", ann), ("Cleo", cleo), ("Ann's phone", phone)]
        sale = world.hold("B1")
        order(bob, "B1")
        await sale.entered()
        bob.leave(code)
        before = "Bob's connection broke while he was buying B1."
        order(ann, "A1")
        for name, client in others:
            await expect_to_hear(name, client, ["A1"], f"{before} Ann bought A1.")
        order(ann, "A2", "A3")
        for name, client in others:
            await expect_to_hear(
                name, client, ["A1", "A2", "A3"], f"{before} Ann bought A1, A2 and A3."
            )
        sale.open()
        assert await are_over([bob]), (
            f"{before} The sale ended, but his endpoint did not. Expected: it ends."
        )
        # A task of the app may complete the sale after the endpoint has ended.
        await when_idle(lambda: None)
        sold = ["A1", "A2", "A3", *(["B1"] if "B1" in world.sold else [])]
        for name, client in others:
            await expect_to_hear(
                name,
                client,
                sold,
                f"{before} After Ann's A1, A2 and A3 his B1 was sold.",
            )
        order(ann, "A4")
        await expect_to_hear(
            "Cleo", cleo, [*sold, "A4"], f"{before} Later Ann bought A4."
        )
        assert (ann.done, cleo.done) == (False, False), (
            f"{before} Ann has {told(ann)}, and Cleo has {told(cleo)}. "
            "Expected: both are still connected."
        )
        for _, client in others:
            client.leave()
        await are_over([client for _, client in others])
        world.sold.clear()


@pytest.mark.step(1)
async def test_clients_join_and_leave_during_a_broadcast(
    clock: Clock, app: RunningApp
) -> None:
    """While a loop awaits, other tasks change the list that it iterates over."""
    world = World(app)
    for leaving in cases([["Zoe"], ["Dora"], ["Zoe", "Dora"], []]):
        names = ["Zoe", "Bob", "Cleo", "Dora", "Ann"]
        clients = dict(zip(names, await world.join(*names), strict=True))
        clients["Bob"].stop_reading()
        order(clients["Ann"], "A1")
        await when_idle(lambda: None)
        for name in leaving:
            clients[name].leave()
        await when_idle(lambda: None)
        (eve,) = await world.join("Eve")
        clients["Bob"].read()
        before = (
            "Ann bought A1, and Bob read slowly. Meanwhile "
            f"{' and '.join(leaving) or 'nobody'} left and Eve joined."
        )
        stay = [name for name in names if name not in leaving]
        for name in stay:
            await expect_to_hear(name, clients[name], ["A1"], before)
        order(clients["Ann"], "A2")
        for name in stay:
            await expect_to_hear(
                name, clients[name], ["A1", "A2"], f"{before} Ann bought A2."
            )
        await when_idle(lambda: None)
        assert eve.heard in (news("A2"), news("A1", "A2")), (
            f"{before} Ann bought A2. Eve has received {about(eve.heard)}. "
            "Expected: the news about A2."
        )
        for client in (*clients.values(), eve):
            client.leave()
        await are_over([*clients.values(), eve])


# ---------------------------------------------------------------- step 2


@pytest.mark.step(2)
async def test_a_client_that_does_not_read_delays_nobody(
    clock: Clock, app: RunningApp
) -> None:
    """`send` waits while the client's buffers are full, and so does its caller."""
    world = World(app)
    seats = [f"A{n}" for n in range(1, WAITING + 1)]
    for slow, room in cases([("Cleo", 0), ("Zoe", 1), ("Ann", 0), ("Ann", 2)]):
        names = ["Cleo", "Ann", "Bob", "Zoe"]
        clients = dict(zip(names, await world.join(*names), strict=True))
        clients[slow].stop_reading(room)
        for number, seat in enumerate(seats, 1):
            order(clients["Ann"], seat)
            for name in names:
                if name != slow:
                    await expect_to_hear(
                        name,
                        clients[name],
                        seats[:number],
                        f"{slow} did not read. Ann bought {seat}.",
                    )
        assert not clients[slow].done, (
            f"{slow} did not read, and {WAITING} messages were waiting. She has "
            f"{told(clients[slow])}. Expected: {WAITING} messages may wait."
        )
        await clock.advance(PAUSE)
        clients[slow].read()
        await expect_to_hear(
            slow,
            clients[slow],
            seats,
            f"{WAITING} messages were waiting for {slow}, and after {PAUSE} seconds "
            f"{slow} read again.",
        )
        order(clients["Bob"], *seats)
        for name in names:
            await expect_to_hear(
                name,
                clients[name],
                seats * 2,
                "Ann bought ten seats, and then Bob bought ten.",
            )
        for client in clients.values():
            client.leave()
        await are_over([*clients.values()])


@pytest.mark.step(2)
async def test_a_client_that_falls_behind_is_disconnected(
    clock: Clock, app: RunningApp
) -> None:
    """Messages that wait for a client that never reads fill the server's memory."""
    world = World(app)
    seats = [f"A{n}" for n in range(1, WAITING + 4)]
    for slow in cases([["Cleo"], ["Ann"], ["Cleo", "Dora"]]):
        names = ["Cleo", "Ann", "Bob", "Dora"]
        clients = dict(zip(names, await world.join(*names), strict=True))
        for name in slow:
            clients[name].stop_reading()
        for seat in seats:
            order(clients["Ann"], seat)
            await when_idle(lambda: None)
        quick = [name for name in names if name not in slow]
        at_once = [*world.sold]
        heard = {name: [*clients[name].heard] for name in quick}
        await clock.advance(PATIENCE)
        for name in slow:
            over = await are_over([clients[name]])
            closing = "websocket.close" in clients[name].held_up
            assert over, (
                f"{name} did not read, and {len(seats)} seats were sold. "
                f"{PATIENCE} seconds later {name}'s endpoint had not ended"
                f"{', because its close frame waits too' if closing else ''}. "
                f"Expected: a client for which more than {WAITING} messages wait is "
                "disconnected."
            )
        before = f"{' and '.join(slow)} did not read. Ann ordered {len(seats)} seats."
        assert at_once == seats or "Ann" in slow, (
            f"{before} Before any time had passed, {len(at_once)} were sold. "
            "Expected: all of them, because no sale waits for a client that does not "
            "read."
        )
        for name in quick:
            assert heard[name] == news(*at_once), (
                f"{before} {len(at_once)} were sold. Before any time had passed, "
                f"{name} had received {len(heard[name])} messages, the last of them "
                f"{about(heard[name][-1:])}. "
                "Expected: a message about each sale, in order."
            )
        sold = world.sold.copy()
        order(clients["Bob"], "B1", "B2")
        for name in quick:
            await expect_to_hear(
                name,
                clients[name],
                [*sold, "B1", "B2"],
                f"{' and '.join(slow)} did not read and got disconnected. "
                "Bob bought B1 and B2.",
            )
        for client in clients.values():
            client.leave()
        await are_over([*clients.values()])
        world.sold.clear()


@pytest.mark.step(2)
async def test_a_client_that_has_left_gets_no_more_news(
    clock: Clock, app: RunningApp
) -> None:
    """An endpoint can end in more ways than by `WebSocketDisconnect`."""
    world = World(app)
    world.failing["X1"] = ValueError(REASON)
    for way in cases(ENDINGS):
        world.sold.clear()
        bob, ann, cleo = await world.join("Bob", "Ann", "Cleo")
        if way in ("left", "lost his connection"):
            bob.leave(1000 if way == "left" else None)
        elif way == "bought two seats and left":
            order(bob, "B1", "B2")
            bob.leave()
        elif way == "was cancelled":
            bob.cancel()
        elif way == "did not read and was cancelled":
            bob.stop_reading()
            order(cleo, "C1", "C2")
            await hears(ann, news("C1", "C2"))
            bob.cancel()
            await when_idle(lambda: None)
            await clock.advance(PATIENCE)
        else:
            bob.say("{" if way == "sent broken JSON" else {"seat": "X1"})
        over = await are_over([bob])
        assert over, f"Bob {way}. His endpoint has not ended. Expected: it ends."
        # Nothing was lost before the end of a client that is still connected.
        sent = 0 if way == "did not read and was cancelled" else len(bob.lost)
        await when_idle(lambda: None)
        assert len(bob.lost) == sent, (
            f"Bob {way}. Afterwards the app sent a message that had been waiting for "
            "him. Expected: when an endpoint ends, its client gets nothing more."
        )
        sold = [*world.sold]
        order(ann, "A1")
        await when_idle(lambda: None)
        assert len(bob.lost) == sent, (
            f"Bob {way}. When Ann bought A1, the app sent the news to Bob too. "
            "Expected: when an endpoint ends, its client gets nothing more."
        )
        for name, client in (("Ann", ann), ("Cleo", cleo)):
            await expect_to_hear(
                name, client, [*sold, "A1"], f"Bob {way}. Ann bought A1."
            )
        for client in (ann, cleo):
            client.leave()
        await are_over([ann, cleo])


# ---------------------------------------------------------------- step 3


@pytest.mark.step(3)
async def test_a_client_that_leaves_releases_its_feed(
    clock: Clock, app: RunningApp
) -> None:
    """A disconnect is a message; an endpoint that never receives does not get it."""
    world = World(app)
    for said, code in cases(DEPARTURES):
        world.feeds.clear()
        ann, bob = await world.join("Ann", "Bob", path="/prices")
        for message in said:
            ann.say(message)
        await when_idle(lambda: None)
        ann.leave(code)
        await when_idle(lambda: None)
        await clock.advance(1)
        before = (
            f"Ann sent {said[:3] or 'nothing'} and left "
            f"{'without a code' if code is None else f'with {code}'}. No price came."
        )
        open_feeds = await when_idle(lambda: world.open_feeds)
        assert (ann.done, open_feeds) == (True, 1), (
            f"{before} A second later her endpoint had "
            f"{'ended' if ann.done else 'not ended'}. Feeds open: {open_feeds}. "
            "Expected: hers is closed, and Bob's is open."
        )
        world.price(20, 25)
        assert await hears(bob, [{"euros": 20}, {"euros": 25}]), (
            f"{before} Bob received {bob.heard}, and has {told(bob)}. "
            "Expected: both prices, and he is still connected."
        )
        bob.cancel()
        await are_over([bob])
        assert (bob.done, world.open_feeds) == (True, 0), (
            f"Bob's endpoint was cancelled. It has {'' if bob.done else 'not '}ended. "
            f"Feeds still open: {world.open_feeds}. "
            "Expected: the endpoint has ended, and no feed is open."
        )


@pytest.mark.step(3)
async def test_a_client_that_stays_gets_every_price(
    clock: Clock, app: RunningApp
) -> None:
    """A time limit on `receive` does not tell you whether the client has left."""
    world = World(app)
    ann, bob, phone = await world.join("Ann", "Bob", "Ann", path="/prices")
    ann.say("hello")
    heard = []
    for euros in range(20, 32):
        world.price(euros)
        prices = range(20, euros + 1)
        heard.append({"euros": euros})
        for name, client in (("Ann", ann), ("Bob", bob), ("Ann's phone", phone)):
            assert await hears(client, heard), (
                f"{name} stayed. The prices {', '.join(map(str, prices))} came. "
                f"{name} received {client.heard}, and has {told(client)}. "
                "Expected: each price once, as soon as it comes."
            )
        bob.say(["thanks", b"thanks", {"thanks": euros}][euros % 3])
        await clock.advance([0.01, 1, 20, 3600][euros % 4])
    assert (ann.done, world.open_feeds) == (False, 3), (
        f"Hours passed. Ann has {told(ann)}. Expected: she is still connected."
    )


# ---------------------------------------------------------------- step 4


@pytest.mark.step(4)
async def test_a_refused_client_gets_a_status(clock: Clock, app: RunningApp) -> None:
    """Before `accept`, the handshake is an HTTP request that can have any status."""
    world = World(app)
    foreign = (f"{ORIGIN}.evil.example", "http://box-office.example", "null")
    refused = [(401, cookie("")), (401, cookie("Mallory", ORIGIN))]
    refused += [(403, cookie("Ann", origin)) for origin in foreign]
    for path in cases(PATHS):
        world.feeds.clear()
        for status, headers in refused:
            client = conversation(app, path, headers=headers)
            order(client, "A1")
            await when_idle(lambda: None)
            assert (client.accepted, client.status) == (False, status), (
                f"A client connected to {path} with {headers or 'no headers'}. It got "
                f"{told(client)}. Expected: the status {status}, before `accept`."
            )
        assert (world.sold, world.feeds) == ([], []), (
            f"Refused clients bought {world.sold}, and {len(world.feeds)} feeds "
            "were opened for them. Expected: neither."
        )
        for headers in (cookie("Ann", ORIGIN), cookie("Bob")):
            world.customers = Gate("the list of customers")
            client = conversation(app, path, headers=headers)
            await when_idle(lambda: None)
            assert not client.accepted, (
                f"A client connected to {path}, and was accepted before "
                "`find_customer()` had returned. Expected: it is accepted only "
                "afterwards."
            )
            world.customers.open()
            await when_idle(lambda: None)
            assert client.accepted, (
                f"A customer connected to {path} with {headers}. The client got "
                f"{told(client)}. Expected: it is accepted."
            )
            client.leave()
            await are_over([client])


@pytest.mark.step(4)
async def test_a_bad_order_ends_with_a_code(clock: Clock, app: RunningApp) -> None:
    """An exception after `accept` sends no close frame: the client sees 1006."""
    world = World(app)
    (ann,) = await world.join("Ann")
    for nonsense in cases(NONSENSE):
        (bob,) = await world.join("Bob")
        bob.say(nonsense)
        over = await are_over([bob])
        assert (over, bob.code in (1003, 1007)) == (True, True), (
            f"Bob sent {nonsense!r}. He has {told(bob)}. "
            "Expected: the close code 1007 or 1003."
        )
    order(ann, "A1")
    await expect_to_hear(
        "Ann", ann, ["A1"], "Bob sent invalid orders, and Ann bought A1."
    )
    assert world.sold == ["A1"], f"Sold: {world.sold}. Expected: only A1."


@pytest.mark.step(4)
async def test_a_fault_of_ours_ends_with_1011_and_is_logged(
    clock: Clock, app: RunningApp
) -> None:
    """The close code tells the client whether to retry; the log tells us the cause."""
    world = World(app)
    for error in cases(errors()):
        world.failing["X1"] = error
        ann, bob = await world.join("Ann", "Bob")
        (cleo,) = await world.join("Cleo", path="/prices")
        for source, name, client in (
            ("`sell()`", "Bob", bob),
            ("The feed", "Cleo", cleo),
            ("`open_feed()`", "Dora", None),
        ):
            with log_of(app) as log:
                if client is bob:
                    order(bob, "X1")
                elif client is cleo:
                    world.price(20, error)
                else:
                    world.no_feed = error
                    (client,) = await world.join("Dora", path="/prices")
                    world.no_feed = None
                await are_over([client])
                await clock.advance(1)
            assert (await are_over([client]), client.code) == (True, 1011), (
                f"{source} raised {error!r} for {name}. {name} has "
                f"{told(client)}. Expected: the close code 1011."
            )
            assert any(REASON in line for line in log), (
                f"{source} raised {error!r} for {name}, but the exception was not "
                "logged. Expected: the log has the exception."
            )
        order(ann, "A1")
        await expect_to_hear(
            "Ann", ann, ["A1"], "The sale of Bob's X1 failed. Ann bought A1."
        )
        assert world.open_feeds == 0, "Cleo's feed is open. Expected: it is closed."
        ann.leave()
        await are_over([ann])


@pytest.mark.step(4)
async def test_the_end_of_the_prices_is_1000(clock: Clock, app: RunningApp) -> None:
    """`return` after `accept` sends no close frame either."""
    world = World(app)
    ann, bob = await world.join("Ann", "Bob", path="/prices")
    ann.say("hello")
    world.price(20, None)
    await are_over([ann, bob])
    await clock.advance(1)
    for client in (ann, bob):
        assert (await are_over([client]), client.code) == (True, 1000), (
            f"The last price came. A client has {told(client)}. "
            "Expected: the price, and then the close code 1000."
        )
        assert client.heard == [{"euros": 20}], (
            f"The last price was 20, and a client received {client.heard}. "
            "Expected: every price."
        )


# ---------------------------------------------------------------- step 5


@pytest.mark.step(5)
async def test_an_open_page_holds_no_connection(
    clock: Clock, shop: RunningApp, database: Database
) -> None:
    """A dependency of a WebSocket lasts as long as the socket, in either scope."""
    world, mail = World(shop), MailServer(shop)
    mail.gate.open()
    for name, seat in (("Ann", "A2"), ("Bob", "B1"), ("Ann", "A1")):
        sql = "insert into orders (customer, seat) values (?, ?)"
        await database.execute(sql, name, seat)
    names = [name for _ in range(OPEN_PAGES // 2) for name in ("Ann", "Bob")]
    pages = [conversation(shop, "/orders", headers=cookie(name)) for name in names]
    await eventually(lambda: all(page.heard for page in pages))
    served = sum(bool(page.heard) for page in pages)
    in_use = await when_idle(lambda: database.out)
    some = "all" if served == OPEN_PAGES else f"only {served}"
    assert (served, in_use) == (OPEN_PAGES, 0), (
        f"Customers opened {OPEN_PAGES} pages of orders, and {some} of them got their "
        f"list. No page had sent an order yet. Database connections in use: {in_use}. "
        "Expected: every page gets its list, and then no connection is in use."
    )
    lists = [page.heard for page in pages[:2]]
    assert lists == [[{"orders": ["A2", "A1"]}], [{"orders": ["B1"]}]], (
        "Ann had ordered A2 and A1, and Bob B1. Their pages got "
        f"{lists[0]} and {lists[1]}. Expected: each customer's own seats, in order."
    )
    for page in pages[:5] * 2:
        before = len(numbers(page))
        order(page, "C1")
        replied = await eventually(lambda page=page, n=before: len(numbers(page)) > n)
        in_use = await when_idle(lambda: database.out)
        assert (replied, in_use) == (True, 0), (
            f"A customer ordered C1 and got {page.heard[-1]}. Now the endpoint waits "
            f"for the next order. Database connections in use: {in_use}. "
            "Expected: the customer gets a number, and then no connection is in use."
        )
    (phone,) = await world.join("Bob", path="/orders")
    await eventually(lambda: bool(phone.heard))
    assert phone.heard == [{"orders": ["B1", *["C1"] * 4]}], (
        "Bob had ordered B1 and then C1 four times. He opened another page, which got "
        f"{phone.heard}. Expected: all his seats, in order."
    )


@pytest.mark.step(5)
async def test_an_order_is_stored_before_its_reply(
    clock: Clock, shop: RunningApp, database: Database
) -> None:
    """While `send` waits for its client, the endpoint keeps everything it holds."""
    world, mail = World(shop), MailServer(shop)
    mail.gate.open()
    ann, bob, cleo = await world.join("Ann", "Bob", "Cleo", path="/orders")
    await when_idle(lambda: None)
    for client, seat in ((ann, "A1"), (bob, "B1")):
        client.stop_reading()
        order(client, seat)
    dora = conversation(shop, "/orders", headers=cookie("Dora"))
    dora.stop_reading(1)  # there is room for `accept`, but not for her list
    await eventually(lambda: all(client.held_up for client in (ann, bob, dora)))
    stored = [name for name, _ in await orders_of(database)]
    before = (
        "Ann ordered A1, Bob ordered B1, and Dora opened her page. None of them "
        "reads, so two numbers and a list wait to be sent."
    )
    assert sorted(stored) == ["Ann", "Bob"], (
        f"{before} At this moment the database has orders by {stored or 'nobody'}. "
        "Expected: an order is committed before its client gets a number."
    )
    in_use = await when_idle(lambda: database.out)
    assert in_use == 0, (
        f"{before} Database connections in use meanwhile: {in_use}. "
        "Expected: none, because a client may take a long time to read."
    )
    order(cleo, "C1", "C2")
    for client in (ann, bob):
        client.read()
    clients = {"Ann": ann, "Bob": bob, "Cleo": cleo}
    await eventually(lambda: all(numbers(client) for client in clients.values()))
    await when_idle(lambda: None)
    for name, client in clients.items():
        hers = [number for _, number in await orders_of(database, name)]
        assert numbers(client) == hers, (
            f"{name}'s orders in the database have the numbers {hers}. {name} got "
            f"{numbers(client)}. Expected: the number of each order, in order."
        )


@pytest.mark.step(5)
async def test_each_order_gets_one_mail(
    clock: Clock, shop: RunningApp, database: Database
) -> None:
    """Nothing runs the `BackgroundTasks` of a WebSocket."""
    world, mail = World(shop), MailServer(shop)
    ann, bob = await world.join("Ann", "Bob", path="/orders")
    order(ann, "A1", "A2")
    order(bob, "B1")
    await eventually(lambda: len(numbers(ann) + numbers(bob)) == 3)
    got = (len(numbers(ann)), len(numbers(bob)))
    assert await mail.begins(clock), (
        f"Ann ordered two seats and Bob one, and they got {got[0]} and {got[1]} "
        "numbers. A second later send_mail() had not been called. "
        "Expected: the mail is sent while the page is still open."
    )
    assert got == (2, 1), (
        f"Ann ordered two seats and Bob one. While {mail.gate.what} was busy with "
        f"their mails, they got {got[0]} and {got[1]} numbers. "
        "Expected: each order gets its number, without waiting for a mail."
    )
    in_use = await when_idle(lambda: database.out)
    assert in_use == 0, (
        f"Mails were being sent. Database connections in use: {in_use}. Expected: none."
    )
    wanted = await orders_of(database)
    await mail.sends(clock, *wanted)
    for client in (ann, bob):
        client.leave()
    assert await mail.sends(clock, *wanted), (
        f"The orders {wanted} are stored, and the customers have left. send_mail() was "
        f"called with {mail.begun}. Expected: one mail for each order."
    )


@pytest.mark.step(5)
async def test_a_customer_who_leaves_gets_the_mail(
    clock: Clock, shop: RunningApp, database: Database
) -> None:
    """A mail must be sent even if the endpoint that started it has ended."""
    world = World(shop)
    for way in cases(PARTINGS):
        await database.execute("delete from orders")
        mail = MailServer(shop)
        (ann,) = await world.join("Ann", path="/orders")
        await when_idle(lambda: None)
        if "not read" in way:
            ann.stop_reading()
        order(ann, "A1")
        if "at once" not in way:
            await eventually(lambda ann=ann: bool(ann.held_up or numbers(ann)))
            await when_idle(lambda: None)
        if "cancelled" in way:
            ann.cancel()
        else:
            ann.leave(None if "lost" in way else 1000)
            ann.read()
        await when_idle(lambda: None)
        wanted = await orders_of(database)
        sent = await mail.sends(clock, *wanted)
        assert (sent, bool(wanted) or "at once" in way) == (True, True), (
            f"Ann ordered A1. She {way}. Orders in the database: {wanted}. Mails sent: "
            f"{mail.sent}. Mails begun: {mail.begun}. "
            "Expected: if an order is stored, exactly one mail is sent for it."
        )
        in_use = await when_idle(lambda: database.out)
        assert in_use == 0, (
            f"Ann ordered A1. She {way}, and has her mail. Database connections in "
            f"use: {in_use}. Expected: none."
        )


@pytest.mark.step(5)
async def test_a_failed_mail_costs_only_itself(
    clock: Clock, shop: RunningApp, database: Database
) -> None:
    """An exception in a task is raised where the task is awaited, or nowhere."""
    world = World(shop)
    for error in cases(errors()[::3]):
        await database.execute("delete from orders")
        mail = MailServer(shop)
        mail.failing["Ann"] = error
        ann, bob = await world.join("Ann", "Bob", path="/orders")
        with log_of(shop) as log:
            order(ann, "A1", "A2")
            await eventually(lambda ann=ann: len(numbers(ann)) == 2)
            mail.gate.open()
            await mail.begins(clock, 2)
            await when_idle(lambda: None)
            gc.collect()
            await when_idle(lambda: None)
        assert (len(mail.begun), mail.sent) == (2, []), (
            f"Ann ordered two seats, and {mail.gate.what} refuses mails to her with "
            f"{error!r}. send_mail() was called {len(mail.begun)} times. "
            "Expected: one call for each order."
        )
        assert any(REASON in line for line in log), (
            f"send_mail() raised {error!r} for Ann, but the exception was not logged. "
            "Expected: the log has the exception."
        )
        mail.failing.clear()
        mail.begun.clear()
        order(ann, "A3")
        order(bob, "B1")
        await eventually(lambda ann=ann, bob=bob: len(numbers(ann) + numbers(bob)) == 4)
        later = (await orders_of(database))[2:]
        sent = await mail.sends(clock, *later)
        assert (sent, len(later)) == (True, 2), (
            f"The mails about Ann's first orders raised {error!r}. Then she and Bob "
            f"ordered a seat each. She has {told(ann)}. Stored: {later}. Mails sent: "
            f"{mail.sent}. Expected: both orders are stored, and get their mails."
        )
        for client in (ann, bob):
            client.leave()
        await are_over([ann, bob])


@pytest.mark.step(5)
async def test_an_order_that_is_not_stored_gets_no_mail(
    clock: Clock, shop: RunningApp, database: Database
) -> None:
    """Until the commit, an order exists only in its own transaction."""
    world = World(shop)
    for refused in cases(["INSERT", "COMMIT"]):
        await database.execute("delete from orders")
        mail = MailServer(shop)
        ann, bob = await world.join("Ann", "Bob", path="/orders")
        await when_idle(lambda: None)
        with refusing(refused):
            order(ann, "A1")
            await when_idle(lambda: None)
        hers = await orders_of(database)
        if not hers:  # another library may commit anyway
            assert (numbers(ann), mail.begun) == ([], []), (
                f"Ann ordered A1, and the database refused the {refused}. She got "
                f"the numbers {numbers(ann)}. Mails that were begun: {mail.begun}. "
                "Expected: no number and no mail."
            )
        order(bob, "B1")
        await eventually(lambda bob=bob: bool(numbers(bob)))
        wanted = await orders_of(database)
        sent = await mail.sends(clock, *wanted)
        assert (sent, len(wanted)) == (True, len(hers) + 1), (
            f"The database refused the {refused} of Ann's order. Then Bob ordered B1. "
            f"Stored: {wanted}. Mails sent: {mail.sent}. "
            "Expected: Bob's order is stored and gets its mail."
        )
        in_use = await when_idle(lambda: database.out)
        assert in_use == 0, (
            f"The database refused the {refused} of Ann's order, and stored Bob's. "
            f"Database connections in use: {in_use}. Expected: none."
        )
        for client in (ann, bob):
            client.leave()
        await are_over([ann, bob])


@pytest.mark.step(5)
async def test_shutdown_waits_for_the_mails(
    clock: Clock, shop: RunningApp, database: Database
) -> None:
    """A server waits for its connections, and then it runs the app's shutdown."""
    world, mail = World(shop), MailServer(shop)
    mail.failing["Ann"] = errors()[0]
    clients = await world.join("Ann", "Bob", "Cleo", path="/orders")
    for client in clients:
        order(client, "A1")
        await eventually(lambda client=client: bool(numbers(client)))
        client.leave()
    await mail.begins(clock)

    async def stop() -> None:
        for client in clients:
            await client.finished()
        await shop.shutdown()

    stopping = asyncio.create_task(stop())
    wanted = [it for it in await orders_of(database) if it[0] != "Ann"]
    await eventually(stopping.done)
    await clock.advance(60)  # longer than the time limits that people set
    early = await eventually(stopping.done)
    assert not early, (
        "Ann, Bob and Cleo ordered a seat each. The server began to shut down, but the "
        "mail server took longer than a minute. The app's shutdown was complete when "
        f"{len(mail.begun)} of 3 mails had been begun and {len(mail.sent)} had been "
        "sent. Expected: shutdown waits for the mails, however long they take."
    )
    mail.gate.open()
    if not await eventually(stopping.done):
        await clock.advance(1)  # for an app that looks from time to time
    await fail_after(
        asyncio.wait({stopping}),
        never="The mails were sent, but the app's shutdown never ended. "
        "Expected: it ends after the last mail.",
    )
    assert (stopping.exception(), sorted(mail.sent)) == (None, sorted(wanted)), (
        "The server began to shut down while three mails were being sent. A minute "
        f"later the mail to Ann failed. Sent: {mail.sent}. The shutdown raised "
        f"{stopping.exception()!r}. Expected: {wanted} are sent, and no exception."
    )
