"""The tests of lesson 05, in the order of its steps.

Step 1 (streaming): a sale reaches the board before the next one is made. Every board
shows all sales of its own show, after a quiet hour and even on a slow network.
Step 2 (events): a browser's rules are applied to what was sent.
Step 3 (closed tabs): each board closes its own subscription and no other, when the tab
is closed while it waits or in a rush, and when the board ends, even with an error.
Step 4 (errors): 404 before the stream, an event `trouble` in it.
Step 5 (connections): none is in use while a board waits for a sale or for a network.
Step 6 (coming back): every sale with a higher number, once, whenever it was made.

The ticket system of app.py is replaced by one that sells when the test says so. It is
in world.py, and so is a browser tab. No test measures time; where a board has to wait,
the test puts the event loop's clock forward.
"""

import pytest

from workshop.testing import (
    Clock,
    Database,
    Gate,
    RunningApp,
    Serve,
    fail_after,
    settle,
    when_idle,
)

from .world import (
    Sale,
    Tab,
    TicketSystem,
    Watched,
    before_sales_are_read,
    begun,
    collected,
    logged,
    until,
)

# Longer than an hour, and than the timeouts that people choose.
QUIET_SECONDS = 65 * 60
# More sales than people choose as a limit, in no order.
ALL_SOLD = range(120, 0, -1)
# A rush that fills the queues people choose.
RUSH = 1100
# A client may send any text, and each of these has a meaning in some format.
GREETINGS = (
    'From "Bob" \\o/\n\twith love',
    "Good luck,\n\nAnn!",
    "old\rand\r\nnew",
    "  data: x\n\nevent: trouble\ndata: y\n",
    "Grüße 🎭\u2028und\u0085Küsse",
    "",
    "Bravo! 🎭 " * 500,
)


@pytest.fixture
def system(app: RunningApp, database: Database) -> TicketSystem:
    """The ticket system of *app*."""
    return TicketSystem(app, database)


# ---------------------------------------------------------------- step 1


@pytest.mark.step(1)
@pytest.mark.timeline
async def test_a_sale_is_on_the_board_before_the_next_one_is_made(
    app: RunningApp, system: TicketSystem
) -> None:
    """A response streams only if each part leaves before the next one exists."""
    await system.stores(Sale(5, "A2"), Sale(3, "A7"))
    ann = Tab(app)
    await ann.shows(
        "A7",
        "A2",
        story="Sale 3 (A7) and sale 5 (A2) were made before Ann opened her board.",
        expected="past sales are shown at once, in the order of their numbers, and the "
        "board stays open.",
    )
    await system.is_heard_by(ann)
    await system.sells(Sale(8, "A5"))
    await ann.shows(
        "A7",
        "A2",
        "A5",
        story="Then sale 8 (A5) was made, and for a long time no other.",
        expected="A7, A2, A5: a sale is on the board before the next one is made.",
    )
    await system.sells(Sale(9, "A2"))
    await ann.shows(
        *("A7", "A2", "A5", "A2"),
        story="Seat A2 was returned and sold a second time, as sale 9.",
        expected="A7, A2, A5, A2: every sale is shown.",
    )


@pytest.mark.step(1)
async def test_every_board_shows_all_sales_of_its_own_show(
    app: RunningApp, system: TicketSystem, database: Database
) -> None:
    """Boards that are open at the same time must not take sales from each other."""
    await database.execute("insert into shows (id, title) values (2, 'Medea')")
    await database.execute("create index by_seat on sales (show_id, seat)")
    past = [Sale(n, f"A{n * 7 % 1000}", show_id=1 + (n % 9 > 0)) for n in ALL_SOLD]
    await system.stores(*past)
    tabs = {"Ann": Tab(app), "Cleo": Tab(app, 2), "Bob": Tab(app)}
    shows = {"Ann": 1, "Cleo": 2, "Bob": 1}
    made = sorted(past, key=lambda sale: sale.number)
    for new in ((), (Sale(303, "B1"),), (Sale(304, "C1", show_id=2), Sale(309, "B2"))):
        await system.sells(*new) if new else None
        made += new
        for name, tab in tabs.items():
            await tab.shows(
                *(sale.seat for sale in made if sale.show_id == shows[name]),
                story="Ann and Bob had a board of show 1 open, Cleo one of show 2. "
                f"Sales so far: {len(made)}; the last is {made[-1].seat} of show "
                f"{made[-1].show_id}. {name}'s board is wrong.",
                expected="every board shows all sales of its own show, in the order "
                "of their numbers.",
            )
        await system.is_heard_by(*tabs.values())


@pytest.mark.step(1)
async def test_a_board_outlasts_a_quiet_hour(
    app: RunningApp, system: TicketSystem, clock: Clock
) -> None:
    """An async generator that is cancelled while it waits has ended."""
    ann = Tab(app)
    await system.is_heard_by(ann)
    for number, quiet in ((1, 5 * 60), (2, QUIET_SECONDS)):
        await clock.advance(60)
        clock.jump(quiet)
        await settle()  # an app that has waited too long may act on it
        await system.sells(Sale(number, f"A{number}"))
        await ann.shows(
            *("A1", "A2")[:number],
            story=f"For {quiet // 60} minutes no seat was sold, then A{number} was.",
            expected="the sale is on the board, however long it took, and the board "
            "stays open.",
            clock=clock,
        )


@pytest.mark.step(1)
async def test_a_slow_board_misses_no_sale(
    app: RunningApp, system: TicketSystem
) -> None:
    """A buffer that drops the oldest or the newest sale leaves a gap."""
    network = Gate("Ann's network")
    rush = [Sale(n, f"A{n}") for n in range(1, RUSH + 1)]
    await system.stores(rush[0])
    ann = Tab(app, network=network, full_at="A3")
    # When the past sale is there, the others cannot be read from the table.
    await ann.shows("A1", story="A1 had been sold.", expected="A1, at once.")
    await system.is_heard_by(ann)
    await system.sells(*rush[1:])
    await until(lambda: network.count > 0)
    await collected()
    network.open()
    last = f'"A{RUSH}"'.encode()
    messages = ann.request.messages  # to read them all after each one takes too long
    await until(
        lambda: ann.request.done or last in messages[-1].get("body", b""),
        ann,
    )
    wanted = [sale.seat for sale in rush]
    if ann.request.done and len(ann.seats) >= 2:  # sent away, to come back
        wanted = wanted[: len(ann.seats)]
    assert ann.seats == wanted, (
        f"Ann's network was slow while seats A2 to A{RUSH} were sold in a rush. Her "
        f"board {ann.described}. Expected: all sales in order, without a gap."
    )


# ---------------------------------------------------------------- step 2


@pytest.mark.step(2)
async def test_a_browser_can_read_every_event(
    app: RunningApp, system: TicketSystem
) -> None:
    """An event ends at a blank line, and each of its lines starts with a field name."""
    sales = [Sale(n, f"B{n}", text) for n, text in enumerate(GREETINGS, start=7)]
    await system.stores(*sales[:3])
    ann, bob = Tab(app), Tab(app)
    await system.is_heard_by(ann, bob)
    await system.sells(*sales[3:])
    system.is_sold_out()
    for tab in (ann, bob):
        await tab.request.finished()
        kind = tab.request.headers.get("content-type", "")
        assert kind.partition(";")[0] == "text/event-stream", (
            f"A browser asked for a stream of events and got {kind!r}. "
            "Expected: text/event-stream."
        )
        read = [(e.id, e.sale) for e in tab.events if e.name == "sale"]
        for sale in sales:
            event = (str(sale.number), {"seat": sale.seat, "greeting": sale.greeting})
            found = next((it for it in read if it[0] == event[0]), None)
            assert found == event, (
                f"Sale {sale.number} of seat {sale.seat}, greeting "
                f"{repr(sale.greeting)[:80]}, was sent to the board. The browser read "
                f"{found or tab.read!s:.400}. "
                f"Expected: an event 'sale' with id '{sale.number}' whose data is a "
                "JSON object with the seat and the greeting."
            )
        assert [it[0] for it in read] == [str(sale.number) for sale in sales], (
            f"The browser read: {tab.read}. "
            f"Expected: one event for each of the {len(sales)} sales, in order."
        )


# ---------------------------------------------------------------- step 3


@pytest.mark.step(3)
async def test_a_closed_tab_closes_its_subscription(
    app: RunningApp, system: TicketSystem, serve: Serve
) -> None:
    """An `await` in the clean-up is cancelled too, unless something protects it."""
    await system.stores(Sale(1, "A1"))
    watched = Watched(app)
    async with serve(watched) as server, server.client() as browser:
        async with browser.stream("GET", "/shows/1/board"):
            await until(lambda: any(it.is_awaited for it in system.subscriptions))
        await fail_after(
            watched.request_over.wait(),
            never="Ann closed her tab, but the server kept her board open. "
            "Expected: the request ends when the client disconnects.",
        )
        assert await system.all_closed(), (
            "Ann watched the board, then closed the tab. Nobody watches any more. "
            f"Subscriptions: {system.described}. "
            "Expected: closing the tab closes the subscription."
        )
    network = Gate("Bob's network")
    bob = Tab(app, network=network, full_at="A3")
    await system.is_heard_by(bob)
    await system.sells(*(Sale(n, f"A{n}") for n in range(2, 30)))
    await until(lambda: network.count > 0)
    bob.request.disconnect()
    network.open()
    await bob.request.finished()
    del bob
    app.errors.clear()  # they would keep the stream's generator alive
    assert await system.all_closed(), (
        "Seats were sold in a rush, and Bob's phone could not read as fast. In the "
        f"middle of it he closed the tab. Subscriptions: {system.described}. "
        "Expected: closing the tab closes the subscription."
    )


@pytest.mark.step(3)
async def test_a_closed_tab_leaves_other_boards_alone(
    app: RunningApp, system: TicketSystem
) -> None:
    """A shared subscription is closed by the last board, whichever was the first."""
    await system.stores(Sale(1, "A1"))
    seats = ["A1"]
    tabs = {"Ann": Tab(app), "Bob": Tab(app), "Cleo": Tab(app)}
    closed = []
    for number, name in ((2, "Bob"), (3, "Ann"), (4, "Cleo")):
        await system.is_heard_by(*tabs.values())
        leaving = tabs.pop(name)
        leaving.request.disconnect()
        await leaving.request.finished()
        closed.append(name)
        assert await system.all_closed(len(tabs)), (
            f"Ann, Bob and Cleo watched; {' and '.join(closed)} closed the tab. "
            f"Subscriptions: {system.described}. "
            f"Expected: at most {len(tabs)}, because closing a tab closes its own."
        )
        await system.sells(Sale(number, f"A{number}"))
        seats.append(f"A{number}")
        for other, tab in tabs.items():
            await tab.shows(
                *seats,
                story=f"{' and '.join(closed)} closed the tab, then A{number} was "
                f"sold. {other} still watches.",
                expected=f"{other}'s board shows {seats}; other tabs do not affect it.",
            )
    late = Tab(app)
    await late.shows(
        *seats,
        story="All tabs were closed. Then Dan opened a board.",
        expected=f"{seats}, as if he were the first.",
    )


@pytest.mark.step(3)
async def test_a_board_that_ends_closes_its_subscription(
    app: RunningApp, system: TicketSystem, database: Database
) -> None:
    """What a stream has acquired must be released, however the stream ends."""
    await database.execute("insert into shows (id, title) values (2, 'Medea')")
    for how, end in (
        ("The show was sold out", None),
        ("The connection to the ticket system broke", ConnectionError("hung up")),
        ("The ticket system sent nonsense (a RuntimeError)", RuntimeError("nonsense")),
    ):
        ann, bob = Tab(app), Tab(app, 2)
        await system.is_heard_by(ann, bob)
        heard = len(system.subscriptions)
        system.sends(end)
        if not await ann.ends():  # an error may leave it open
            ann.request.disconnect()
        assert heard, "A board was opened, but live_sales() was not called."
        assert await system.all_closed(1), (
            f"{how}, and Ann's board ended. Bob watches another show. "
            f"Subscriptions: {system.described}. "
            "Expected: only Bob's is open; a board that ends closes its own."
        )
        bob.request.disconnect()
        await bob.request.finished()
    nobody = Tab(app, 4711)
    await nobody.request.finished()
    assert await system.all_closed(), (
        f"A client asked for a show that does not exist and got status "
        f"{nobody.request.status}. Subscriptions: {system.described}. "
        "Expected: none is left open."
    )


# ---------------------------------------------------------------- step 4


@pytest.mark.step(4)
async def test_an_unknown_show_gets_a_404(
    app: RunningApp, system: TicketSystem, database: Database
) -> None:
    """A status can be chosen only before the stream has begun."""
    for show_id in (4711, 2):
        tab = Tab(app, show_id)
        await tab.request.finished()
        assert tab.request.status == 404, (
            f"Ann asked for the board of show {show_id}, which does not exist. She got "
            f"status {tab.request.status}. Expected: 404, before anything is streamed."
        )
    await database.execute("insert into shows (id, title) values (2, 'Medea')")
    system.is_sold_out(2)
    tab = Tab(app, 2)
    await tab.request.finished()
    assert tab.request.status == 200, (
        "Show 2 was added to the database, and Ann asked for its board again. She got "
        f"status {tab.request.status}. Expected: 200, because the show exists now."
    )


@pytest.mark.step(4)
async def test_a_broken_subscription_sends_an_event_trouble(
    app: RunningApp, system: TicketSystem, database: Database
) -> None:
    """After the first byte, only the stream itself can report an error."""
    await database.execute("insert into shows (id, title) values (2, 'Medea')")
    for broken, sold in (
        (ConnectionResetError("reset by peer"), 0),
        (ConnectionError("the connection is dead"), 3),
    ):
        if sold:
            await system.stores(Sale(1, "A1"))
        network = Gate("Ann's network")
        ann, cleo = Tab(app, network=network, full_at="A2"), Tab(app, 2)
        await system.is_heard_by(ann, cleo)
        if sold:
            # When the past sale is there, the others cannot be read from the table.
            await until(lambda ann=ann: ann.seats == ["A1"], ann)
            await system.sells(Sale(2, "A2"), Sale(3, "A3"))
        system.sends(broken)
        if sold:
            await until(lambda network=network: network.count > 0)
            await collected()
        network.open()
        await ann.request.finished()
        names = [e.name for e in ann.events if e.name in ("sale", "trouble")]
        whole = ann.request.complete  # and not broken off
        story = f"{sold} seats were sold, then the subscription raised {broken!r}."
        story += " Ann's network was slow." if sold else ""
        assert names == ["sale"] * sold + ["trouble"], (
            f"{story} Ann's browser read: {ann.read}.{_no_data(ann)} "
            "Expected: all sales, then an event 'trouble'."
        )
        assert whole, (
            f"{story} Ann's browser got an event 'trouble', and then the response was "
            "broken off. Expected: a regular end, so that the browser reconnects."
        )
        system.is_sold_out(2)
        await cleo.request.finished()
        names = [event.name for event in cleo.events]
        assert ("trouble" in names, cleo.request.complete) == (False, True), (
            "Cleo watched another show, which was then sold out. Her browser read: "
            f"{cleo.read}. Expected: a regular end without an event 'trouble'."
        )
    dan = Tab(app)
    await system.is_heard_by(dan)
    with logged() as log:
        system.sends(RuntimeError("nonsense"))
        if not await dan.ends():
            dan.request.disconnect()
            await dan.request.finished()
        del dan  # a task that is not awaited logs its error when it is freed
        await collected()
        is_logged = await until(lambda: "nonsense" in "".join(log))
    assert is_logged, (
        "Dan's subscription raised RuntimeError('nonsense'), and the log does not "
        "contain that message. Expected: only a ConnectionError is an event; any other "
        "exception is a bug and appears in the log."
    )


def _no_data(tab: Tab) -> str:
    """Say it if an event `trouble` was sent that a browser ignores."""
    if "\nevent: trouble\n" not in tab.request.body.decode().replace("\r\n", "\n"):
        return ""
    if any(event.name == "trouble" for event in tab.events):
        return ""
    return " It ignores an event that has no data."


# ---------------------------------------------------------------- step 5


@pytest.mark.step(5)
async def test_a_waiting_board_holds_no_connection(
    app: RunningApp, system: TicketSystem, database: Database
) -> None:
    """A stream may last for hours, and it holds for hours what it has acquired."""
    await system.stores(Sale(1, "A1"))

    with before_sales_are_read(database, lambda: begun(ann)) as in_use:
        ann = Tab(app)
        await until(lambda: bool(in_use), ann)
        await system.is_heard_by(ann)
    bob = Tab(app)
    await system.is_heard_by(ann, bob)
    expected = "Expected: a waiting board holds no connection."
    assert await until(lambda: database.out == 0), (
        "Ann's and Bob's boards showed all sales and waited for the next one. "
        f"Database connections in use meanwhile: {database.out}. {expected}"
    )
    assert 0 not in in_use, (
        "A board read the past sales on a connection that had already been returned "
        "to the pool, where another request may take it. "
        "Expected: the session is closed after the query, not before."
    )
    await system.sells(Sale(2, "A2"))
    await ann.shows("A1", "A2", story="A2 was sold.", expected="A1 and A2.")
    missing = Tab(app, 4711)
    await missing.request.finished()
    assert await until(lambda: database.out == 0), (
        "Then A2 was sold, and a client asked for a show that does not exist. "
        f"Database connections in use now: {database.out}. {expected}"
    )


@pytest.mark.step(5)
async def test_a_slow_reader_holds_no_connection(
    app: RunningApp, system: TicketSystem, database: Database
) -> None:
    """Between two parts of a stream, the network may take any time."""
    past = [Sale(n, f"A{n}") for n in range(1, 21)]
    await system.stores(*past)
    tunnel = Gate("the end of the tunnel")
    stops = {"the first past sale": "A1", "the last past sale": "A20", "a sale": "A21"}
    tabs = [Tab(app, network=tunnel, full_at=seat) for seat in stops.values()]
    await until(lambda: tunnel.count == 2)
    await system.is_heard_by(tabs[2])
    # So many that a generator which runs ahead of the network has to wait.
    await system.sells(*(Sale(n, f"A{n}") for n in range(21, 41)))
    await until(lambda: tunnel.count == 3)
    assert await when_idle(lambda: database.out) == 0, (
        "20 seats had been sold when three passengers opened the board, and then A21 "
        "to A40 were sold. Their train is in a tunnel, and their networks stopped at "
        f"A1, A20 and A21. Database connections in use meanwhile: {database.out}. "
        "Expected: no connection waits for a client's network."
    )


# ---------------------------------------------------------------- step 6


@pytest.mark.step(6)
async def test_a_reconnecting_browser_gets_what_it_missed(
    app: RunningApp, system: TicketSystem
) -> None:
    """A browser that reconnects sends the id of the last event that it has read."""
    past = {8: "A8", 9: "A3", 10: "A8", 1000: "A1"}
    await system.stores(*(Sale(n, seat) for n, seat in past.items()))
    await system.stores(Sale(11, "C2", show_id=2))
    for after in ("9", "", "1000", "8"):  # one after another, and at the same time
        tab = Tab(app, after=after)
        missed = [seat for n, seat in past.items() if n > int(after or 0)]
        story = f"Sales so far: {past}, and C2 of show 2 as sale 11. A browser opened "
        story += "the board of show 1, and "
        story += (
            f"sent 'Last-Event-ID: {after}'." if after else "it was its first time."
        )
        expected = "the sales with a higher number, then new ones, each of them once."
        wanted = f"{missed}: {expected}"
        await tab.shows(*missed, story=story, expected=wanted, aside=True)
        await system.is_heard_by(tab)
        number = max(past) + 7
        past[number] = f"B{number}"
        await system.sells(Sale(number, past[number]))
        await tab.shows(
            *missed,
            past[number],
            story=f"{story} Then {past[number]} was sold.",
            expected=f"{[*missed, past[number]]}: {expected}",
            aside=True,
        )
    system.sends(ConnectionError("the connection is dead"))
    await tab.request.finished()
    await system.stores(Sale(2000, "C1"))
    again = Tab(app, after=tab.last_event_id)
    await again.shows(
        "C1",
        story="Ann had read every sale when the subscription broke. Then C1 was sold, "
        f"and her browser came back with 'Last-Event-ID: {tab.last_event_id}'.",
        expected="C1 alone, because she has read the others. The browser sends the "
        "last id of the stream, whichever event had it.",
        aside=True,
    )


@pytest.mark.step(6)
async def test_sales_while_a_board_opens_are_sent_once(
    app: RunningApp, system: TicketSystem
) -> None:
    """Between two sources, a sale is in neither or in both, unless the order is right.

    The clean order is: subscribe, then read, then skip what has been sent.
    """
    await system.stores(Sale(10, "A10"), Sale(12, "A12"))
    network = Gate("Bob's network")
    moments = iter(
        [
            lambda: system.sells(Sale(13, "A13"), Sale(15, "A15")),
            lambda: system.sells(Sale(16, "A16"), Sale(18, "A15"), Sale(20, "A20")),
        ]
    )

    async def sell() -> None:
        if moment := next(moments, None):
            await moment()

    system.before = system.after = sell
    bob = Tab(app, after="10", network=network, full_at="A12")
    await until(lambda: network.count > 0)
    await system.sells(Sale(21, "A21"), Sale(30, "A30"))
    network.open()
    seats = ["A12", "A13", "A15", "A16", "A15", "A20", "A21", "A30"]
    await until(lambda: len(bob.seats) >= len(seats), bob)
    await collected()
    await bob.shows(
        *seats,
        story="While Bob's board was being opened, A13 and A15 were sold before the "
        "subscription was up, A16, A15 (a second time) and A20 after that, and A21 "
        "and A30 while his network was slow.",
        expected=f"{seats}, each of these sales once.",
        aside=True,
    )
