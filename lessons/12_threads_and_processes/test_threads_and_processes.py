"""The tests of lesson 12, in the order of its steps.

Step 1 (flyers): the agency's client fails in every event loop but its own.
Step 2 (board): a thread reports tickets while the loop has nothing to do.
Step 3 (seats): all customers look for a free seat before any of them takes one.
Step 4 (ledger): the session fails in every thread but the one that opened it.
Step 5 (plans): a stand-in for the pool breaks as a real one does when a process dies.
Step 6 (slow plans): a real process says whether it is still drawing.

The stand-ins are in world.py. Only the last two tests start processes.
"""

import asyncio
import multiprocessing
from collections.abc import AsyncIterator

import pytest

from workshop.testing import (
    Clock,
    Gate,
    Rendezvous,
    RunApp,
    cases,
    eventually,
    when_idle,
)

from .world import (
    KILLS,
    LIMIT,
    SLOW,
    BoxOffice,
    box_office,
    busy_threads,
    errors,
    finish,
    finish_in_time,
    price_of,
)

SHOWS = ("Hamlet", "Lear", "Othello")
NOT_SAFE = "Non-thread-safe"  # in what asyncio raises in debug mode


@pytest.fixture
async def office(run_app: RunApp) -> AsyncIterator[BoxOffice]:
    """The app with all stand-ins."""
    async with box_office(run_app) as office:
        yield office


@pytest.mark.step(1)
async def test_a_flyer_uses_the_apps_client(office: BoxOffice) -> None:
    """An async client works only in the event loop in which it was opened."""
    requests = [office.send("GET", f"/shows/{show}/flyer") for show in SHOWS]
    await when_idle(lambda: office.agency.gate.count)
    office.agency.gate.open()
    await finish(*requests)
    for show, request in zip(SHOWS, requests, strict=True):
        flyer = {"flyer": f"{show}: {price_of(show)}"}
        assert (request.status, request.content) == (200, flyer), (
            f"Three customers requested flyers at the same time. The one for {show} "
            f"got {request.in_words}. Expected: 200, with the price that the app's "
            "client has fetched in the event loop in which it was opened."
        )
    again = office.send("GET", "/shows/Hamlet/flyer")
    await finish(again)
    waited = await office.waits_for(office.agency.closing)
    assert waited, (
        "The shutdown was over before the agency's client was closed, so its "
        "connection may be left open. Expected: the shutdown awaits close()."
    )
    opened, closed = office.agency.opened, office.agency.closing.count
    assert (again.status, opened, closed) == (200, 1, 1), (
        f"After three flyers, a customer requested another one and got "
        f"{again.in_words}. At shutdown the app had opened {opened} "
        f"clients of the agency and closed {closed}. "
        "Expected: 200, and one client for all requests."
    )


@pytest.mark.step(1)
async def test_typesetting_blocks_nobody(office: BoxOffice) -> None:
    """A route that calls a blocking library runs it in a thread."""
    office.agency.gate.open()
    with Gate("the typesetter") as slow:
        office.app.replace("typeset", slow.blocking)
        ann = office.send("GET", "/shows/Hamlet/flyer")
        await eventually(lambda: slow.count == 1 or ann.done)
        seen = f"Ann requested a flyer and got {ann.in_words}. "
        assert slow.count == 1, f"{seen}Expected: her flyer is typeset."
        bob = office.send("GET", "/ping")
        await finish(bob)
        assert (slow.held, bob.status) == (None, 200), (
            "While a flyer was typeset, the event loop was blocked, so Bob got no "
            "response to GET /ping. Expected: other requests go on."
        )
        cleo = office.send("GET", "/shows/Lear/flyer")
        dan = office.send("POST", "/refunds/1")
        await eventually(lambda: slow.count == 2 and dan.done)
        assert (slow.count, cleo.done, dan.done) == (2, False, True), (
            f"While Ann's flyer was typeset, Cleo requested another one and got "
            f"{cleo.in_words}, and Dan asked for a refund and got {dan.in_words}. "
            "Expected: Cleo's flyer is typeset at the same time, and Dan's refund "
            "does not wait for the typesetting."
        )


@pytest.mark.step(1)
async def test_an_error_of_the_agency_reaches_the_route(office: BoxOffice) -> None:
    """An exception that is raised in the loop is raised again in the thread."""
    office.agency.gate.open()
    unavailable = office.app.module.Unavailable("no price")
    for error, status in cases([(unavailable, 503), *((it, 500) for it in errors())]):
        office.agency.error = error
        ann = office.send("GET", "/shows/Hamlet/flyer")
        await finish(ann)
        office.agency.error = None
        bob = office.send("GET", "/shows/Hamlet/flyer")
        await finish(bob)
        assert (ann.status, bob.status) == (status, 200), (
            f"The agency raised {error!r}, and Ann got {ann.in_words}. Then it worked "
            f"again, and Bob got {bob.in_words}. "
            f"Expected: {status} for Ann, and 200 for Bob."
        )


@pytest.mark.step(2)
async def test_the_board_shows_a_ticket_at_once(
    clock: Clock, office: BoxOffice
) -> None:
    """The event loop has to be woken when another thread has something for it."""
    loop = asyncio.get_running_loop()
    loop.slow_callback_duration = 60
    office.board.fails_for = {"A1": errors()[-1]}
    for number, ticket in cases(enumerate(("A1", "A2", "A3"), 1)):
        # In debug mode, asyncio refuses calls from another thread. Without it, they
        # are noticed only when something else wakes the loop.
        await when_idle(lambda: office.board.gate.count)
        loop.set_debug(True)
        report = office.printer.report(ticket)
        await eventually(lambda report=report: report.done())
        loop.set_debug(False)
        error = report.exception() if report.done() else None
        late = "Without debug mode, it fails silently, and the loop is not woken. "
        assert error is None, (
            f"The printer reported ticket {ticket} in its own thread, while the event "
            "loop was idle and in debug mode. on_printed() raised "
            f"{type(error).__name__}: {error}. {late if NOT_SAFE in str(error) else ''}"
            "Expected: the board shows the ticket at once."
        )
        await eventually(lambda number=number: office.board.gate.count == number)
        shown, elsewhere = office.board.tickets, office.board.elsewhere
        assert (shown, elsewhere) == (["A1", "A2", "A3"][:number], []), (
            f"The printer reported ticket {ticket} in its own thread. The app's event "
            f"loop has shown {shown} on the board, and other event loops {elsewhere}. "
            f"Expected: ticket {ticket} is shown at once, in the app's event loop."
        )


@pytest.mark.step(2)
async def test_the_printer_does_not_wait_for_the_board(
    clock: Clock, office: BoxOffice
) -> None:
    """A library's thread has its own work to do."""
    await when_idle(lambda: office.board.gate.count)
    tickets = [f"A{number}" for number in range(1, 151)]
    board = office.board
    board.gate = Gate("the board")
    board.fails_for = {"A1": errors()[-1]}
    report = office.printer.report(*tickets)
    await eventually(report.done)
    assert report.done(), (
        "The board was slow when the printer reported 150 tickets in its own thread. "
        "on_printed() did not return before the board was done, so the printer stood "
        "still. Expected: on_printed() returns at once."
    )
    await when_idle(lambda: board.gate.count)
    await clock.advance(600)
    await when_idle(lambda: board.gate.count)
    assert (board.tickets, board.gate.cancelled) == (["A1"], 0), (
        "The board needed ten minutes for ticket A1. Meanwhile, the app called "
        f"show_on_board() for {board.tickets[:5]}, and {board.gate.cancelled} of these "
        "calls were cancelled. Expected: A2 is not shown before the board has finished "
        "with A1, however long that takes."
    )
    board.gate.open()
    await board.has_shown(len(tickets))
    lost = [ticket for ticket in tickets if ticket not in board.tickets]
    assert (board.tickets, board.most) == (tickets, 1), (
        "The printer reported 150 tickets while the board was slow. Then it was fast "
        f"again, and the app showed {', '.join(board.tickets[:5])} and so on, at most "
        f"{board.most} at the same time. {len(lost)} tickets were never shown. "
        "Expected: each ticket once, one after another, in the order of printing."
    )


@pytest.mark.step(3)
@pytest.mark.timeline
async def test_a_seat_is_sold_once(office: BoxOffice) -> None:
    """Two `def` routes run at the same time, in two threads."""
    seats, count, customers = office.seats, 2, 4
    seats.free["Hamlet"] = [1, 2]
    seats.meeting = meeting = Rendezvous(customers, "looks at the seat map")
    requests = [office.send("POST", "/shows/Hamlet/orders") for _ in range(customers)]
    await eventually(lambda: meeting.most == customers)
    meeting.release()  # if the app lets them look one after another
    await finish(*requests)
    sold = sorted(it.json()["seat"] for it in requests if it.status == 201)
    statuses = sorted(str(request.status) for request in requests)
    assert statuses == ["201"] * count + ["409"] * (customers - count), (
        "Four customers ordered at the same time, and the seats 1 and 2 were free. The "
        f"statuses were {', '.join(statuses)}, and the customers got the seats {sold}. "
        "Expected: 201 for two of them, and 409 for the others."
    )
    charged = sorted(seat for _, seat in seats.charged)
    assert (sold, charged) == ([1, 2], [1, 2]), (
        "Four customers ordered at the same time, and the seats 1 and 2 were free. The "
        f"customers got the seats {sold}, and the bank charged the seats {charged}. "
        "Expected: each of them once."
    )


@pytest.mark.step(3)
async def test_no_customer_comes_between_the_look_and_the_take(
    office: BoxOffice,
) -> None:
    """A lock that is released between them protects neither."""
    seats = office.seats
    seats.free["Hamlet"], seats.steps = [1], []
    requests = [office.send("POST", "/shows/Hamlet/orders") for _ in range(2)]
    # Whenever nothing else can happen, each request goes on by one line.
    while not await eventually(lambda: all(it.done for it in requests)) and seats.steps:
        for step in [seats.steps.pop(0) for _ in range(len(seats.steps))]:
            step.open()
    statuses = sorted(str(request.status) for request in requests)
    assert (statuses, len(seats.charged)) == (["201", "409"], 1), (
        "Ann and Bob ordered the last seat, and Bob's request ran between two lines "
        f"of Ann's. The statuses were {', '.join(statuses)}, and the bank charged "
        f"{len(seats.charged)} cards. Expected: 201 for one of them and 409 for the "
        "other. Between first_free() and take(), no other request may call "
        "first_free()."
    )


@pytest.mark.step(3)
async def test_a_slow_charge_holds_up_nobody(office: BoxOffice) -> None:
    """A lock is released before a slow call."""
    seats = office.seats
    seats.free = {"Slow": [1], "Lear": [1]}
    ann = office.send("POST", "/shows/Slow/orders")
    await eventually(lambda: seats.bank.count == 1 or ann.done)
    bob = office.send("POST", "/shows/Lear/orders")
    cleo = office.send("GET", "/ping")
    await finish(bob, cleo)
    assert (seats.bank.held, cleo.status) == (None, 200), (
        "While Ann's card was charged, the event loop was blocked, so Cleo got no "
        "response to GET /ping. Expected: other requests go on."
    )
    assert bob.status == 201, (
        "Ann's card was being charged when Bob ordered a seat of another show. He got "
        f"{bob.in_words}. Expected: 201, because he need not wait for Ann's bank."
    )
    seats.bank.open()
    await finish(ann)
    assert ann.status == 201, f"Ann got {ann.in_words}. Expected: 201."


@pytest.mark.step(3)
async def test_a_seat_that_was_not_paid_is_free(office: BoxOffice) -> None:
    """However the charge fails, the next customer can buy the seat."""
    seats = office.seats
    declined = office.app.module.Declined()
    for number, (error, status) in cases(
        enumerate([(declined, 402), *((it, 500) for it in errors())])
    ):
        show = f"Show {number}"
        seats.free[show] = [7]
        seats.unreadable = True
        seats.results = [error, error, None]
        got = []
        for _ in range(5):
            request = office.send("POST", f"/shows/{show}/orders")
            await finish(request)
            got.append(request.status)
        assert got == [500, status, status, 201, 409], (
            "One seat was free, and five customers ordered one after another. For the "
            "first one, first_free() raised an exception. For the next two, charge() "
            f"raised {error!r}. The statuses were {', '.join(map(str, got))}. "
            f"Expected: 500, {status}, {status}, 201, 409."
        )
    assert not seats.on_the_loop, (
        f"{', '.join(dict.fromkeys(seats.on_the_loop))} ran in the thread of the event "
        "loop. While the function blocks, no other request is served. "
        "Expected: the app calls blocking functions in other threads."
    )


@pytest.mark.step(4)
async def test_a_slow_ledger_blocks_nobody(office: BoxOffice) -> None:
    """A blocking library is used in a thread."""
    ledger = office.ledger
    assert ledger.opened == 1, (
        f"After startup, the app had opened the ledger {ledger.opened} times, so the "
        "first customers would have to wait for it. Expected: once."
    )
    assert not ledger.thread_is_the_loops, (
        "The app opened the ledger in the thread of its event loop, so it can be used "
        "only there, where each call blocks all requests. "
        "Expected: the app opens it in another thread."
    )
    with Gate("the ledger") as slow:
        ledger.gate = slow
        ann = office.send("POST", "/refunds/1")
        await eventually(lambda: slow.count == 1 or ann.done)
        bob = office.send("GET", "/ping")
        await finish(bob)
        assert (slow.count, slow.held, bob.status) == (1, None, 200), (
            f"Ann's refund was written into the ledger {slow.count} times. While it "
            f"was, Bob sent GET /ping and got {bob.in_words}. "
            "Expected: her refund is written once, and does not block the event loop."
        )
        slow.open()
        await finish(ann)
    assert (ann.status, ledger.committed) == (201, [1]), (
        f"Ann's refund was written slowly. She got {ann.in_words}, and the ledger has "
        f"{ledger.committed}. Expected: 201, and refund 1 is in the ledger."
    )


@pytest.mark.step(4)
async def test_the_ledger_stays_in_one_thread(office: BoxOffice) -> None:
    """The session is opened, used and closed in the same thread."""
    ledger = office.ledger
    async with busy_threads():
        with Gate("the ledger") as slow:
            ledger.gate = slow
            requests = [office.send("POST", f"/refunds/{it}") for it in range(1, 6)]
            await when_idle(lambda: slow.count)
        await finish(*requests)
    statuses = [request.status for request in requests]
    waited = await office.waits_for(ledger.closing)
    assert not ledger.thread_is_the_loops, (
        "The app opened the ledger in the thread of its event loop. "
        "Expected: the app opens, uses and closes it in another thread."
    )
    assert not ledger.strangers, (
        f"Five customers asked for refunds at the same time and got {statuses}. "
        f"{', '.join(dict.fromkeys(ledger.strangers))} ran in another thread than the "
        "one that opened the ledger. "
        "Expected: all calls are in the thread that opened it."
    )
    assert waited, (
        "The shutdown was over before the ledger was closed, so the server may end "
        "first. Expected: the shutdown waits until close() returns."
    )
    closed = ledger.closing.count
    found = (statuses, sorted(ledger.committed), ledger.opened, closed)
    assert found == ([201] * 5, [1, 2, 3, 4, 5], 1, 1), (
        f"Five customers asked for refunds at the same time and got {statuses}. After "
        f"shutdown the ledger has {ledger.committed}, and the app had opened it "
        f"{ledger.opened} times and closed it {closed} times. "
        "Expected: 201 for each, all refunds in the ledger, opened and closed once."
    )


@pytest.mark.step(4)
async def test_refunds_do_not_mix(office: BoxOffice) -> None:
    """Calls that belong together are one job of the thread."""
    ledger = office.ledger
    kinds = [(call, error) for call in ("add", "commit") for error in errors()]
    for number, (call, error) in cases(enumerate(kinds)):
        first = 10 * number
        ledger.failing[call, first] = error
        slow = Gate("the ledger")
        ledger.gate = slow
        with slow:
            requests = [
                office.send("POST", f"/refunds/{each}")
                for each in (first, first + 1, first + 2)
            ]
            await when_idle(lambda slow=slow: slow.count)
        await finish(*requests)
        statuses = [request.status for request in requests]
        found = sorted(it for it in ledger.committed if first <= it < first + 10)
        assert (statuses, found) == ([500, 201, 201], [first + 1, first + 2]), (
            f"Ann, Bob and Cleo asked for refunds at the same time, and {call}() of "
            f"Ann's refund {first} raised {error!r}. They got {statuses}, and the "
            f"ledger has {found}. Expected: 500 for Ann and 201 for the others, and "
            f"only their refunds {first + 1} and {first + 2} are in the ledger."
        )


@pytest.mark.step(5)
async def test_a_dead_process_costs_one_drawing(office: BoxOffice) -> None:
    """A broken pool stays broken, so the app needs a new one."""
    for show, status in (
        ("Hamlet", 200),
        (KILLS, 503),
        ("Hamlet", 200),
        (KILLS, 503),
        (KILLS, 503),
        ("Lear", 200),
        ("Othello", 200),
    ):
        request = office.send("GET", f"/shows/{show}/plan")
        await finish(request)
        assert request.status == status, (
            f"Customers requested plans one after another. Drawing {KILLS} kills the "
            f"process. The customer who requested {show} got {request.in_words}. "
            f"Expected: {status}."
        )
    assert (len(office.pools) <= 7, office.running) == (True, 1), (
        f"A process died three times. The app started {len(office.pools)} pools, and "
        f"{office.running} of them are running. Expected: a new pool for each that was "
        "broken, and one is running."
    )


@pytest.mark.step(5)
async def test_a_broken_pool_is_replaced_once(office: BoxOffice) -> None:
    """All drawings of a pool break at the same time."""
    for number in cases(range(1, 4)):
        hello = office.send("GET", "/shows/Lear/plan")
        await finish(hello)
        assert hello.status == 200, (
            f"A customer requested a plan and got {hello.in_words}, after the pool "
            f"broke {number - 1} times. Expected: 200."
        )
        pool = office.pools[-1]
        pool.holds = True
        requests = [office.send("GET", f"/shows/{show}/plan") for show in SHOWS]
        await eventually(lambda pool=pool: len(pool.waiting) == 3)
        pool.die()
        await finish(*requests)
        statuses = [request.status for request in requests]
        assert set(statuses) <= {200, 503}, (
            "Three plans were being drawn when a process died. Their customers got "
            f"{statuses}. Expected: 503, or 200 if the app draws a plan again."
        )
        assert (len(office.pools), office.running) in ((number, 0), (number + 1, 1)), (
            f"A process died for the {number}. time, while three plans were being "
            f"drawn. The app has started {len(office.pools)} pools in all, and "
            f"{office.running} of them are running. "
            "Expected: one new pool for each broken one, not one for each drawing."
        )
    await finish(office.send("GET", "/shows/Lear/plan"))
    office.pools[-1].die()
    for number, allowed in ((1, (200, 503)), (2, (200,))):
        request = office.send("GET", "/shows/Lear/plan")
        await finish(request)
        assert request.status in allowed, (
            "A process died while no plan was being drawn. Then two customers asked "
            f"for plans, and number {number} got {request.in_words}. "
            "Expected: 503 or 200 for number 1, and 200 for number 2."
        )


@pytest.mark.step(5)
async def test_other_errors_keep_the_processes(office: BoxOffice) -> None:
    """Only a broken pool has to be replaced."""
    for error in cases(errors()):
        office.drawing_error = error
        ann = office.send("GET", "/shows/Hamlet/plan")
        await finish(ann)
        office.drawing_error = None
        bob = office.send("GET", "/shows/Hamlet/plan")
        await finish(bob)
        assert (ann.status, bob.status, len(office.pools)) == (500, 200, 1), (
            f"draw_plan() raised {error!r}, and Ann got {ann.in_words}. Then Bob got "
            f"{bob.in_words}. The app has started {len(office.pools)} pools. "
            "Expected: 500, then 200, and the pool is still the first one."
        )


@pytest.mark.step(5)
async def test_no_process_is_left(run_app: RunApp) -> None:
    """Shutdown waits until the processes have ended."""
    for dies in cases((False, True)):
        async with box_office(run_app) as office:
            for show in ("Hamlet", *([KILLS, "Lear"] if dies else [])):
                request = office.send("GET", f"/shows/{show}/plan")
                await finish(request)
            waited = await office.waits_for(office.pools[-1].closing)
            assert (office.running, waited) == (0, True), (
                f"The app {'replaced a broken pool and then ' if dies else ''}shut "
                f"down. Afterwards, the processes of {office.running or 1} of its "
                f"{len(office.pools)} pools were still running. "
                "Expected: none is left when the shutdown is over."
            )


@pytest.mark.step(5)
async def test_real_processes_are_replaced_and_end(run_app: RunApp) -> None:
    """The same as above, with processes."""
    got = []
    try:
        async with box_office(run_app, processes=True) as office:
            for dies in (False, True, False):
                if dies:
                    for process in multiprocessing.active_children():
                        process.kill()
                request = office.send("GET", "/shows/Hamlet/plan")
                await request.finished()
                got.append(request.status)
            await office.app.shutdown()
            left = len(multiprocessing.active_children())
    finally:
        for process in multiprocessing.active_children():
            process.kill()
    assert got in ([200, 503, 200], [200, 200, 200]), (
        "A customer requested a plan. Then the processes of the pool were killed, and "
        f"he requested it twice more. The statuses were {got}. "
        "Expected: 200, then 503 or 200, then 200."
    )
    assert left == 0, (
        f"{left} processes were running when the shutdown was over. Expected: none."
    )


@pytest.mark.step(6)
async def test_a_drawing_that_is_given_up_ends(clock: Clock, run_app: RunApp) -> None:
    """A process finishes its job, even if no request waits for the result."""
    try:
        async with box_office(run_app, processes=True) as office:
            await next_plan_is_drawn(office, "The app has started", most=2)
            most = len(multiprocessing.active_children())
            await give_up_late(office, clock)
            await next_plan_is_drawn(office, "Ann's plan was given up", most)
            await give_up_cancelled(office, clock)
            await next_plan_is_drawn(office, "Ann's request was cancelled", most)
            await office.app.shutdown()
            left = len(multiprocessing.active_children())
    finally:
        for process in multiprocessing.active_children():
            process.kill()
    assert left == 0, (
        f"After two drawings were given up, the app shut down. {left} processes were "
        "still running. Expected: none."
    )


async def give_up_late(office: BoxOffice, clock: Clock) -> None:
    """Let Ann's plan take too long, while three others wait for theirs."""
    ann = office.send("GET", f"/shows/{SLOW}/plan")
    await office.drawings.begin()
    await clock.advance(LIMIT / 2)
    early = ann.in_words
    others = [office.send("GET", f"/shows/{show}/plan") for show in SHOWS]
    await clock.advance(LIMIT / 2)
    await finish_in_time(ann)
    assert (early, ann.status) == ("no response", 504), (
        "Ann requested a plan that takes a minute to draw. LIMIT was "
        f"{LIMIT} seconds. After {LIMIT / 2} seconds she had got {early}, and after "
        f"{LIMIT} seconds {ann.in_words}. Expected: no response, and then 504."
    )
    ended = await office.drawings.end()
    assert ended, (
        "Ann requested a plan that takes a minute to draw, and got a 504 when LIMIT "
        "was over. Five seconds later, the process was still drawing her plan, so it "
        "could draw no other. Expected: the drawing ends when it is given up."
    )
    for other in others:
        await finish_in_time(other)
    assert {other.status for other in others} <= {200, 503}, (
        "Three customers requested plans while Ann's was being drawn. Ann's plan took "
        "too long and was given up. The others got "
        f"{'; '.join(other.in_words for other in others)}. "
        "Expected: 200 or 503 for each of them."
    )


async def give_up_cancelled(office: BoxOffice, clock: Clock) -> None:
    """Cancel Ann's request while her plan is being drawn."""
    ann = office.send("GET", f"/shows/{SLOW}/plan")
    await office.drawings.begin()
    ann.cancel()
    await clock.advance(LIMIT)
    await finish_in_time(ann)
    ended = await office.drawings.end()
    assert ended, (
        "Ann requested a plan that takes a minute to draw. Her request was cancelled. "
        "Five seconds after LIMIT was over, the process was still drawing her plan. "
        "Expected: the drawing ends, as it does after a 504."
    )


async def next_plan_is_drawn(office: BoxOffice, story: str, most: int) -> None:
    """Request plans that take no time, and count the processes."""
    got: list[int | None] = []
    while not got or got == [503]:  # if the app notices a broken pool only now
        bob = office.send("GET", "/shows/Hamlet/plan")
        await finish_in_time(bob)
        got.append(bob.status)
    count = len(multiprocessing.active_children())
    assert (got[-1], count <= most) == (200, True), (
        f"{story}. Then Bob requested a plan, and once more after a 503. The last "
        f"response was {bob.in_words}. The number of processes was then {count}. "
        f"Expected: 200, and not more than {most}."
    )
