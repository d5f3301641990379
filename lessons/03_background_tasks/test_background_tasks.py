"""The tests of lesson 03. Each one tells what a customer or the manager notices.

Step 1  test_other_customers_can_buy_while_a_confirmation_is_sent
Step 2  test_an_order_is_confirmed_once_its_mail_is_sent
        test_nothing_is_sent_for_an_order_whose_commit_failed
Step 3  test_a_failure_is_logged_and_stops_nothing_else
Step 4  test_a_declined_card_gets_a_402_and_its_owner_a_warning
        test_a_402_does_not_depend_on_the_warning
Step 5  test_shutdown_waits_for_everything_that_was_begun
        test_a_failed_job_does_not_end_the_wait_for_the_others
        test_a_running_job_is_kept_and_its_failure_is_logged
        test_every_ticket_that_was_begun_is_finished
        test_one_request_prints_the_tickets_of_all_orders
Step 6  test_a_crash_loses_no_confirmation
        test_a_confirmation_after_a_crash_is_sent_like_any_other
        test_an_order_of_this_process_is_not_taken_for_a_missing_one

`database` reads over a connection of its own, so it sees only committed rows. The
stand-ins are in world.py. No test measures time.
"""

import asyncio
import gc
import weakref
from contextlib import AsyncExitStack

import pytest

from workshop.testing import (
    Clock,
    Database,
    Gate,
    Journal,
    RunApp,
    RunningApp,
    ShutdownError,
    StartupError,
    cases,
    exchange,
)

from .world import (
    ANN,
    BOB,
    CAROL,
    DAN,
    EVE,
    FULL,
    LOGGED,
    MANY,
    OLDER,
    MailError,
    PrinterError,
    VenueError,
    arrives,
    becomes,
    buys,
    closed_well,
    closes_early,
    collected_output,
    crashed,
    days_pass,
    failing,
    failing_commits,
    happens,
    held_up,
    idle,
    opened,
    outside_world,
    prints,
    put,
    recorded,
    released,
    responded,
    slow_first_read,
    store_older_orders,
    store_order,
    tell_to_stop,
)


@pytest.mark.step(1)
@pytest.mark.timeline
async def test_other_customers_can_buy_while_a_confirmation_is_sent(
    app: RunningApp, database: Database
) -> None:
    """A background task that is an `async def` runs on the event loop."""
    mail = Gate("the confirmation for Ann")
    put(app, outside_world(Journal(), send_mail=mail.blocking))

    async with released(mail):
        ann = buys(app, ANN, "A1")
        assert await arrives(mail), (
            f"Ann bought seat A1 and got a {ann.status}. send_mail() was never called. "
            "Expected: a 201, and her confirmation is sent right after it."
        )
        assert mail.held is None, (
            "Ann had bought seat A1, and her confirmation was passed to the mail "
            "server. Until the mail server was done, the event loop was blocked and "
            "no other customer could buy. "
            "Expected: other customers can buy while a confirmation is being sent."
        )
        await responded(
            ann,
            otherwise="Ann bought seat A1. Her response had to wait until the mail "
            "server had taken her confirmation. "
            "Expected: the response does not wait for the mail.",
        )
        eve = buys(app, EVE, "A2")
        await responded(
            eve,
            otherwise="Ann's confirmation was being sent. Eve wanted to buy seat A2 "
            "and got no response until the mail server was done. "
            "Expected: other customers can buy while a confirmation is being sent.",
        )
        assert (ann.status, eve.status, mail.waiting > 0) == (201, 201, True), (
            f"Ann got a {ann.status} and Eve a {eve.status}, but Eve's came only when "
            "Ann's confirmation had been sent: the event loop was blocked. "
            "Expected: other customers can buy while a confirmation is being sent."
        )


@pytest.mark.step(2)
async def test_an_order_is_confirmed_once_its_mail_is_sent(
    app: RunningApp, database: Database, clock: Clock
) -> None:
    """A task runs after the request's session is closed, so it opens its own."""
    first, second = Gate("Ann's first confirmation"), Gate("her second one")
    mails: list[str] = []

    def send_mail(email: str, text: str) -> None:
        mails.append(email)
        (second if first.count else first).blocking(email, text)

    put(app, outside_world(Journal(), send_mail=send_mail))
    async with released(first, second):
        ann = buys(app, ANN, "A1")
        await arrives(first, clock)
        stored = await database.count("orders", email=ANN)
        assert (stored, mails) == (1, [ANN]), (
            f"Ann bought seat A1, and send_mail() was called for: {mails}. At that "
            f"moment a second connection found {stored} orders of hers. "
            "Expected: one call with her address, and her order is committed first."
        )
        again = buys(app, ANN, "A1")
        await responded(
            again,
            otherwise="Ann's confirmation was being sent. She clicked once more and "
            "got no response. Expected: a response that does not wait for the mail.",
        )
        ann.disconnect()  # she closes the tab
        await days_pass(clock)  # the mail server takes its time
        await idle()
        assert database.out == 0, (
            "Ann's confirmation was being sent, and the task held a database "
            "connection meanwhile. With fifteen mails under way the pool is exhausted, "
            "and no customer can buy. "
            "Expected: no connection is in use while the mail server is busy."
        )
        confirmed = await database.count("orders", confirmed=True)
        assert confirmed == 0, (
            "Ann's confirmation was being sent, and her order already counted as "
            "confirmed. If the mail fails, she never gets another one. "
            "Expected: an order counts as confirmed once its mail is sent."
        )
        first.open()
        await becomes(1, database, clock, confirmed=True)
        await idle()
        confirmed = await database.count("orders", confirmed=True)
        assert confirmed == 1, (
            "Ann clicked twice and has two orders. After two days her "
            "first mail was sent, and the second one was not. In the database "
            f"{confirmed} orders count as confirmed. "
            "Expected: one, the order whose mail is sent."
        )
        second.open()
        confirmed = await becomes(2, database, clock, confirmed=True)
        assert (confirmed, mails) == (2, [ANN, ANN]), (
            "Ann clicked twice and has two orders. send_mail() was called for: "
            f"{mails}. {confirmed} orders count as confirmed. "
            "Expected: one mail for each order, and both orders are confirmed."
        )


@pytest.mark.step(2)
async def test_nothing_is_sent_for_an_order_whose_commit_failed(
    app: RunningApp, database: Database
) -> None:
    """Until the commit, an order exists only in its own transaction."""
    journal = Journal()
    put(app, outside_world(journal))
    async with released():
        with failing_commits() as refused:
            ann = buys(app, ANN, "A1")
            await ann.finished()
            await idle()
        if refused:
            assert (journal.events, (ann.status or 0) >= 500) == ([], True), (
                "The database refused to commit Ann's order. She got a "
                f"{ann.status}, and these calls were made for it: {journal}. "
                "Expected: a server error, no mail, and the venue is not told."
            )
        slow = Gate("Eve's slow connection")
        eve = buys(app, EVE, "A2", probe=slow)
        await arrives(slow)
        carol = buys(app, CAROL, "A3")
        await happens(lambda: carol.done)
        slow.open()
        wanted = [f"mail {CAROL}", f"mail {EVE}", "venue A2", "venue A3"]
        await happens(lambda: len(journal.events) >= len(wanted))
        await idle()
        assert sorted(journal.events) == wanted, (
            "Eve bought seat A2. While her response was being sent, Carol bought seat "
            f"A3. They got a {eve.status} and a {carol.status}. These calls were made: "
            f"{journal}. "
            "Expected: a mail to each of them, and the venue is told of both seats."
        )


@pytest.mark.step(3)
async def test_a_failure_is_logged_and_stops_nothing_else(
    run_app: RunApp, database: Database
) -> None:
    """The first background task that raises an exception ends the list of tasks."""
    journal = Journal()
    fakes = outside_world(journal)
    with collected_output() as output:
        async with run_app(replace=fakes) as app, released():
            for email, seat, no_mail, no_venue in cases(
                (
                    (ANN, "A1", OSError("mailbox is full"), None),
                    (EVE, "A2", None, OSError("the line is dead")),
                    (CAROL, "A3", MailError("no such address"), VenueError("busy!")),
                    (ANN, "A2", None, None),
                )
            ):
                put(app, outside_world(journal, **failing(journal, no_mail, no_venue)))
                request = buys(app, email, seat)
                story = (
                    f"A customer bought seat {seat}. send_mail() "
                    f"{_outcome(no_mail)}, and tell_venue() {_outcome(no_venue)}."
                )
                assert no_venue or await recorded(journal, f"venue {seat}"), (
                    f"{story} The venue was never told, so it sells the seat again. "
                    "Expected: the venue is told of every seat, even if a mail fails."
                )
                assert no_mail or await recorded(journal, f"mail {email}"), (
                    f"{story} The customer never got a confirmation. "
                    "Expected: it is sent, even if the venue cannot be told."
                )
                for error in filter(None, (no_mail, no_venue)):
                    assert await output.contains(str(error)), (
                        f"{story} The output does not contain '{error}'. {LOGGED}"
                    )
                await happens(lambda request=request: request.complete)
                assert request.status == 201, (
                    f"{story} The order is stored, and the response was a "
                    f"{request.status}. The customer will buy again. "
                    "Expected: a 201, whatever fails after the purchase."
                )
                sent = journal.events.count(f"mail {email}")
                found = await becomes(sent, database, email=email, confirmed=True)
                assert found == sent, (
                    f"{story} So far, {sent} confirmations have been sent to this "
                    f"customer, and {found} of their orders count as confirmed. "
                    "Expected: an order counts as confirmed if its own mail was sent."
                )


def _outcome(error: Exception | None) -> str:
    return f"raised {error!r}" if error else "succeeded"


@pytest.mark.step(4)
async def test_a_declined_card_gets_a_402_and_its_owner_a_warning(
    app: RunningApp, database: Database
) -> None:
    """Tasks belong to the response that a handler returns; an exception drops them."""
    journal = Journal()
    warning = Gate("the warning for Bob")
    mails: list[str] = []

    def send_mail(email: str, text: str) -> None:
        mails.append(email)
        if email == BOB:
            warning.blocking(email, text)

    put(app, outside_world(journal, send_mail=send_mail))
    async with released(warning):
        bob = buys(app, BOB, "A1")
        assert await happens(lambda: bool(mails)), (
            "Somebody tried to pay with Bob's card, which was declined, and got a "
            f"{bob.status}. Bob was never warned. "
            "Expected: Bob gets a warning by mail, although nothing was bought."
        )
        assert mails == [BOB], (
            f"Bob's card was declined. send_mail() was called with: {mails}. "
            "Expected: the first argument of the call is Bob's address."
        )
        eve = buys(app, EVE, "A2")
        await happens(lambda: eve.complete)
        assert (warning.held, eve.status) == (None, 201), (
            "Bob's card was declined. Until the mail server had taken the warning for "
            "him, no other customer could buy. "
            "Expected: other customers can buy while a warning is being sent."
        )
        warning.open()
        requests = [bob, buys(app, BOB, "A1"), buys(app, DAN, "A1")]
        for request in requests:
            await request.finished()
        await happens(lambda: len(mails) >= 4)
        await idle()
        statuses = [request.status for request in requests]
        assert statuses == [402] * 3, (
            "Bob's card was declined twice, and Dan's once. The responses were: "
            f"{statuses}. Expected: each declined card gets a 402."
        )
        assert sorted(mails) == [BOB, BOB, DAN, EVE], (
            "Bob's card was declined twice, and Dan's once; Eve bought a seat. "
            f"send_mail() was called for: {sorted(mails)}. "
            "Expected: a warning for each declined card, and Eve's confirmation."
        )
        orders = await database.count("orders")
        assert (orders, journal.events) == (1, ["venue A2"]), (
            "Three times a card was declined, and Eve bought seat A2. "
            f"{orders} orders are stored, and these calls were made: {journal}. "
            "Expected: one order, and the venue is told only of seat A2."
        )


@pytest.mark.step(4)
async def test_a_402_does_not_depend_on_the_warning(
    run_app: RunApp, database: Database
) -> None:
    """A failed mail must not change a response that has been decided already."""
    journal = Journal()

    warned: list[str] = []

    def no_mail(email: str, text: str) -> None:
        warned.append(email)
        raise MailError(f"no mail for {email}")

    async def no_charge(email: str) -> bool:
        raise OSError("the card company is closed")

    fakes = outside_world(journal, send_mail=no_mail)
    with collected_output() as output:
        async with run_app(replace=fakes) as app, released():
            bob = buys(app, BOB)
            await bob.finished()
            logged = await output.contains(f"no mail for {BOB}")
            assert (bob.status, logged) == (402, True), (
                f"Bob's card was declined, and he got a {bob.status}. The warning for "
                f"him failed with MailError('no mail for {BOB}'), and the output "
                f"{'contains' if logged else 'does not contain'} these words. "
                "Expected: a 402 in any case. The log, as a warning or above, or the "
                "output contains the message of the exception."
            )
            await idle()
            assert warned == [BOB], (
                "Bob's card was declined, and the warning for him failed. send_mail() "
                f"was called for: {warned}. A mail that failed may still be delivered, "
                "so a second call can send it twice. "
                "Expected: one call for each declined card."
            )
            put(app, outside_world(journal, charge_card=no_charge))
            ann = buys(app, ANN)
            nowhere = exchange(app, "GET", "/nowhere")
            for request in (ann, nowhere):
                await request.finished()
            await idle()
            orders = await database.count("orders")
            assert ((ann.status or 0) >= 500, orders, journal.events) == (
                True,
                0,
                [],
            ), (
                "charge_card() raised OSError('the card company is closed'). Ann got a "
                f"{ann.status}, {orders} orders are stored, and these calls were "
                f"made: {journal}. "
                "Expected: a server error, no order, no mail, and the venue not told."
            )
            assert nowhere.status == 404, (
                f"A client asked for a page that does not exist and got a "
                f"{nowhere.status}. Expected: 404. Only a declined card gets a 402."
            )


@pytest.mark.step(5)
@pytest.mark.timeline
async def test_shutdown_waits_for_everything_that_was_begun(
    run_app: RunApp, database: Database, clock: Clock
) -> None:
    """A server that stops waits for requests and their tasks, and for nothing else."""
    for job in cases(("ticket", "warning", "confirmation", "call to the venue")):
        journal, busy = Journal(), Gate(f"the {job}")
        number = 0
        async with run_app(replace=held_up(job, busy, journal)) as app, released(busy):
            if job == "ticket":
                number = await store_order(database)
                request = prints(app)
            else:
                request = buys(app, BOB if job == "warning" else EVE, "A2")
            await arrives(busy, clock)
            closing = tell_to_stop(app, request)
            assert not await closes_early(closing, database, clock), (
                f"The server began to shut down, and the {job} took two days. "
                "The app closed itself, or its database, before that. "
                "Expected: shutdown waits for everything that was begun."
            )
            busy.open()
            await closed_well(closing, clock)
        assert request.status in (201, 202, 402), (
            f"The request for the {job} got a {request.status}. Expected: a 202 for "
            "tickets, a 201 for an order, a 402 for a declined card."
        )
        if job == "ticket":
            assert f"ticket {number}" in journal, (
                "The server began to shut down while a ticket was being printed. "
                f"Printed by the end of the shutdown: {journal}. "
                f"Expected: ticket {number}."
            )
        if job == "confirmation":
            confirmed = await database.count("orders", email=EVE, confirmed=True)
            assert confirmed == 1, (
                "Eve's confirmation was being sent when the server began to shut down. "
                f"After the shutdown, {confirmed} orders of hers count as confirmed. "
                "Expected: one, because her mail was sent."
            )


@pytest.mark.step(5)
async def test_a_failed_job_does_not_end_the_wait_for_the_others(
    run_app: RunApp, database: Database, clock: Clock
) -> None:
    """By default, `gather()` raises the first exception and stops waiting."""
    journal = Journal()
    jam, second = Gate("the printer"), Gate("the printer, for the second job")

    async def print_ticket(order_id: int) -> None:
        await (second(order_id) if jam.count else jam(order_id))
        journal.record(f"ticket {order_id}")

    fakes = outside_world(journal, print_ticket=print_ticket)
    with collected_output() as output:
        async with run_app(replace=fakes) as app, released(jam, second):
            ticket = f"ticket {await store_order(database)}"
            jobs = [prints(app)]
            await arrives(jam, clock)
            jobs.append(prints(app))
            await responded(
                jobs[1],
                otherwise="The manager asked for all tickets and got no response while "
                "the printer was busy. "
                "Expected: a 202 at once. The printing goes on after it.",
            )
            closing = tell_to_stop(app, *jobs)
            await happens(closing.done)
            jam.fail(PrinterError("paper jam"))
            await happens(lambda: second.count > 0 or closing.done())
            early = await closes_early(closing, database)
            second.open()
            await closed_well(closing, clock)
            assert not early, (
                "Two jobs were printing tickets when the server began to shut down. "
                "The first one failed, and the app closed before the second one was "
                "done. Expected: a failed job does not end the wait for the others."
            )
            assert ticket in journal, (
                "Two jobs were printing tickets when the server began to shut down, "
                f"and the first one failed. Printed by the second one: {journal}. "
                f"Expected: {ticket}. A failed job does not stop the others."
            )
            assert await output.contains("paper jam"), (
                "A job raised PrinterError('paper jam') while the server was stopping. "
                f"The output does not contain 'paper jam'. {LOGGED}"
            )


@pytest.mark.step(5)
async def test_a_running_job_is_kept_and_its_failure_is_logged(
    run_app: RunApp, database: Database
) -> None:
    """The event loop holds only weak references to its tasks."""
    journal = Journal()
    papers: list[weakref.ref[asyncio.Future[None]]] = []

    async def print_ticket(order_id: int) -> None:
        # Only the job itself has a reference to what it waits for.
        paper: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        papers.append(weakref.ref(paper))
        number = len(papers)
        await paper
        journal.record(f"printed {number}")

    async def broken(order_id: int) -> None:
        raise PrinterError("out of ink")

    fakes = outside_world(journal, print_ticket=print_ticket)
    with collected_output() as output:
        async with run_app(replace=fakes) as app, released():
            await store_order(database)
            jobs = [prints(app)]
            await happens(lambda: len(papers) == 1)
            jobs.append(prints(app))
            await happens(lambda: len(papers) == 2)
            for number in (1, 2):  # a single worker begins the second one later
                assert await happens(lambda number=number: len(papers) >= number), (
                    "The manager asked for all tickets twice, with one ticket sold. "
                    f"print_ticket() was called {len(papers)} times. "
                    "Expected: each request prints the ticket."
                )
                gc.collect()
                paper = papers[number - 1]()
                assert paper is not None, (
                    "The manager got a 202 for the tickets. While the printer was "
                    "waiting for paper, Python's garbage collector removed the job, "
                    "because nothing had a reference to it. "
                    "Expected: the app keeps each job until it is done."
                )
                paper.set_result(None)
                await recorded(journal, f"printed {number}")
            app.replace("print_ticket", broken)
            jobs.append(prints(app))
            assert await output.contains("out of ink"), (
                "A job raised PrinterError('out of ink'). While the server runs, the "
                f"output does not contain 'out of ink'. {LOGGED}"
            )
            await closed_well(tell_to_stop(app, *jobs))


@pytest.mark.step(5)
async def test_every_ticket_that_was_begun_is_finished(
    run_app: RunApp, database: Database, clock: Clock
) -> None:
    """When `gather()` raises an exception, its other calls keep running."""
    begun: list[int] = []
    running: set[int] = set()
    busy = Gate("the printer")

    async def print_ticket(order_id: int) -> None:
        begun.append(order_id)
        if len(begun) == 1:
            raise PrinterError("paper jam")
        running.add(order_id)
        try:
            await busy(order_id)
        finally:
            running.discard(order_id)

    fakes = outside_world(Journal(), print_ticket=print_ticket)
    async with run_app(replace=fakes) as app, released(busy):
        await store_order(database)
        await store_order(database, EVE)
        request = prints(app)
        await happens(lambda: len(begun) > 1, clock)
        closing = tell_to_stop(app, request)
        early = await closes_early(closing, database, clock)
        left = len(running)
        busy.open()
        await closed_well(closing, clock)
        assert not (early and left), (
            "Two tickets were being printed when one of them failed. The server began "
            "to shut down, and the app closed while the other one was being printed. "
            "Expected: the job may end at a failed ticket, but shutdown waits for "
            "every ticket that was begun."
        )


@pytest.mark.step(5)
async def test_one_request_prints_the_tickets_of_all_orders(
    app: RunningApp, database: Database
) -> None:
    """If a query limits its rows, some tickets are never printed."""
    journal = Journal()
    put(app, outside_world(journal))
    async with released():
        await store_older_orders(database, MANY, confirmed=True)
        request = prints(app)
        for _ in range(5):  # they may be printed one by one
            await happens(lambda: len(journal.events) >= MANY)
        assert (request.status, len(set(journal.events))) == (202, MANY), (
            f"There were {MANY} orders. The manager asked for all tickets and got a "
            f"{request.status}, and {len(set(journal.events))} tickets were printed. "
            f"Expected: a 202, and {MANY} tickets."
        )


@pytest.mark.step(6)
async def test_a_crash_loses_no_confirmation(
    run_app: RunApp, database: Database, clock: Clock
) -> None:
    """What must survive the process is stored with the order, in one transaction."""
    sent = Journal()

    def send_mail(email: str, text: str) -> None:
        if email in (EVE, FULL):
            raise MailError("mailbox is full")
        sent.record(f"mail {email}")

    async with crashed(run_app, clock, EVE, ANN, ANN):
        await store_older_orders(database, 111)
        await store_older_orders(database, 15, FULL)
        await store_order(database, CAROL)
        try:
            fakes = outside_world(Journal(), send_mail=send_mail)
            async with AsyncExitStack() as stack:
                start = stack.enter_async_context(run_app(replace=fakes))
                app = await opened(start, clock)
                for _ in range(5):  # they may be sent one by one
                    await happens(lambda: len(sent.events) >= 2 + 111, clock)
                await becomes(2, database, clock, email=ANN, confirmed=True)
                await becomes(111, database, clock, email=OLDER, confirmed=True)
                # While the app runs: what it sends at shutdown, a crash would lose.
                mails = [sent.events.count(f"mail {each}") for each in (ANN, CAROL)]
                older = sent.events.count(f"mail {OLDER}")
                await closed_well(tell_to_stop(app), clock)
        except (StartupError, ShutdownError) as error:
            raise AssertionError(
                "The process crashed and was started again. The mail to Eve fails, and "
                f"so did the app: {error.__cause__!r}. "
                "Expected: a mail that fails stops neither the start nor the shutdown."
            ) from error
        confirmed = await database.count("orders", email=ANN, confirmed=True)
        marked = await database.count("orders", email=OLDER, confirmed=True)
        # None at all if the app keeps its unsent mails in a table of its own.
        assert (older, marked) in ((111, 111), (0, 0)), (
            "Another customer had 111 orders without a confirmation, all for the same "
            "seat, and 15 older mails failed like Eve's. "
            f"Mails to that customer after the next start: {older}. Orders "
            f"of that customer that count as confirmed: {marked}. "
            "Expected: one mail for each order, and all of them are confirmed."
        )
        assert mails == [2, 0], (
            "Ann had got a 201 for each of two orders when the process crashed. While "
            f"the app ran again she got {mails[0]} confirmations; Carol, who had hers "
            f"already, got {mails[1]}. "
            "Expected: one for each of Ann's orders, and none for Carol."
        )
        assert confirmed == 2, (
            "After a crash and a new start, Ann got the confirmations for both of her "
            f"orders, but in the database {confirmed} of them count as confirmed. "
            "After each restart she would get more. "
            "Expected: an order counts as confirmed once its mail is sent."
        )
        confirmed = await database.count("orders", email=EVE, confirmed=True)
        assert confirmed == 0, (
            "After a crash and a new start, the mail to Eve failed. In the database "
            "her order counts as confirmed, so it is never sent again. "
            "Expected: only an order whose mail was sent counts as confirmed."
        )
        async with run_app(replace=outside_world(sent)) as app:
            await happens(lambda: f"mail {EVE}" in sent, clock)
            await idle()
            mails = [sent.events.count(f"mail {each}") for each in (EVE, ANN)]
            await closed_well(tell_to_stop(app), clock)
        assert mails == [1, 2], (
            "The app was started once more, and Eve's mailbox has room again. So far "
            f"Eve got {mails[0]} confirmations, and Ann, with two orders, {mails[1]}. "
            "Expected: each order gets one."
        )


@pytest.mark.step(6)
async def test_a_confirmation_after_a_crash_is_sent_like_any_other(
    run_app: RunApp, database: Database, clock: Clock
) -> None:
    """Code that runs at startup needs the same care as code that serves requests."""
    mail = Gate("Ann's confirmation, after the crash")
    mails: list[str] = []

    def send_mail(email: str, text: str) -> None:
        mails.append(email)
        if email == ANN:
            mail.blocking(email, text)

    async with crashed(run_app, clock, ANN), AsyncExitStack() as stack, released(mail):
        await store_older_orders(database, 3)
        fakes = outside_world(Journal(), send_mail=send_mail)
        start = stack.enter_async_context(run_app(replace=fakes))
        opening = asyncio.get_running_loop().create_task(start)
        assert await arrives(mail, clock), (
            "Ann had just got her 201 when the process crashed. After the next start "
            "her confirmation was never sent. "
            "Expected: it is sent after the crash."
        )
        await happens(opening.done)
        await happens(lambda: database.out == 0)  # an app may look for work just now
        in_use = database.out
        sent = mails.count(OLDER)
        marked = await becomes(sent, database, clock, email=OLDER, confirmed=True)
        opened = opening.done()
        if not opened:
            mail.open()  # it may be sent before the app opens
        app = await opening
        assert mail.held is None, (
            "After the crash, Ann's confirmation was passed to the mail server. Until "
            "the mail server was done, the event loop was blocked. "
            "Expected: other customers can buy while a confirmation is being sent."
        )
        assert in_use == 0, (
            "After the crash, Ann's confirmation was being sent, and the app held a "
            "database connection meanwhile. "
            "Expected: no connection is in use while the mail server is busy."
        )
        # None at all if the app keeps its unsent mails in a table of its own.
        assert marked == sent, (
            f"After the crash, {sent} of three older confirmations had been sent, and "
            f"Ann's was being sent. {marked} of the older orders counted as confirmed. "
            "After another crash the same customer gets the same mails again. "
            "Expected: an order counts as confirmed as soon as its mail is sent."
        )
        carol = buys(app, CAROL, "A2")
        await responded(
            carol,
            otherwise="After the crash, Ann's confirmation was being sent. Carol "
            "wanted to buy seat A2 and got no response. "
            "Expected: other customers can buy while a confirmation is being sent.",
        )
        closing = tell_to_stop(app, carol)
        await happens(closing.done)
        assert mail.is_open or not closing.done(), (
            "After the crash, Ann's confirmation was being sent when the server began "
            "to shut down. The shutdown was over before the mail was sent. "
            "Expected: shutdown waits for everything that was begun."
        )
        mail.open()
        await closed_well(closing, clock)
        confirmed = 0
        for email in (ANN, CAROL):
            confirmed += await database.count("orders", email=email, confirmed=True)
        assert (mails.count(ANN), mails.count(CAROL), confirmed) == (1, 1, 2), (
            "After the crash, Ann's confirmation was being sent when Carol bought a "
            f"seat. Ann got {mails.count(ANN)} mails, and Carol {mails.count(CAROL)}; "
            f"{confirmed} orders count as confirmed. "
            "Expected: one mail for each of them, and both orders are confirmed."
        )


@pytest.mark.step(6)
async def test_an_order_of_this_process_is_not_taken_for_a_missing_one(
    run_app: RunApp, database: Database, clock: Clock
) -> None:
    """A job that is started at startup may read the table after the first purchase."""
    mail = Gate("Carol's confirmation")
    mails: list[str] = []

    def send_mail(email: str, text: str) -> None:
        mails.append(email)
        if email == CAROL:
            mail.blocking(email, text)

    fakes = outside_world(Journal(), send_mail=send_mail)
    async with crashed(run_app, clock, ANN), AsyncExitStack() as stack:
        with slow_first_read() as read:
            await stack.enter_async_context(released(mail, read))
            start = stack.enter_async_context(run_app(replace=fakes))
            opening = asyncio.get_running_loop().create_task(start)
            await happens(lambda: opening.done() or read.count > 0)
            await happens(opening.done)
            if not opening.done():
                read.open()  # it reads before the app opens
            app = await opening
            carol = buys(app, CAROL, "A2")
            await happens(lambda: carol.complete)
            await arrives(mail, clock)
            read.open()
            await happens(lambda: mails.count(CAROL) > 1, clock)
            mail.open()
            await closed_well(tell_to_stop(app, carol), clock)
    assert (mails.count(ANN), mails.count(CAROL)) == (1, 1), (
        "The app started after a crash, and the database was slow. Before the app had "
        "read which confirmations are missing, Carol bought a seat and got a "
        f"{carol.status}. Ann got {mails.count(ANN)} mails, and Carol "
        f"{mails.count(CAROL)}. Expected: one mail for each order."
    )
