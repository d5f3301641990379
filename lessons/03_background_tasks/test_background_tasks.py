"""The facts of lesson 03, one test each.

The mail server, the venue, the card company and the printer in app.py are
replaced by stand-ins. A call that enters a gate waits there until the test
opens it, so the test decides how long a mail takes. The database is looked at
over a second connection. No test measures time.
"""

import asyncio
import contextlib
import gc
import io
import logging
import sys
import traceback
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

import pytest

from workshop.testing import (
    Exchange,
    Gate,
    Journal,
    Leaks,
    RunningApp,
    ShutdownError,
    StartupError,
    TimeLimitExceeded,
    exchange,
    fail_after,
    settle,
)
from workshop.testing.plugin import RunApp
from workshop.testing.services.database import Database
from workshop.testing.sync.idle import wait_until_idle

ANN, BOB, EVE = "ann@example.com", "bob@example.com", "eve@example.com"
CAROL = "carol@example.com"

TOLD = (
    "Expected: the log tells of each failure, as a warning or worse, with the "
    "error's own words."
)
WAITED = (
    "The manager had all tickets printed, and was not answered as long as the "
    "printer was at work. "
    "Expected: 202 at once, and the printing goes on behind it."
)


@pytest.mark.step(1)
@pytest.mark.timeline
async def test_others_buy_while_a_confirmation_is_on_its_way(
    app: RunningApp, database: Database
) -> None:
    """A background task runs on the event loop, like everything else that is async."""
    mail = Gate("the confirmation for Ann")
    put(app, outside_world(Journal(), send_mail=mail.blocking))

    async with closing_time(mail):
        ann = buys(app, ANN, "A1")
        await mail.entered()
        assert mail.held is None, (
            "Ann had bought seat A1, and her confirmation was handed to the mail "
            "server. Until the mail server was done, the whole box office stood "
            "still, and nobody else could buy. "
            "Expected: others can buy while a confirmation is on its way."
        )
        await answered(
            ann,
            otherwise="Ann bought seat A1. Her answer came only when her confirmation "
            "had been sent: buying takes as long as the mail server does. "
            "Expected: the answer does not wait for the mail.",
        )
        eve = buys(app, EVE, "A2")
        await answered(
            eve,
            otherwise="Ann's confirmation was on its way. Eve wanted to buy seat A2, "
            "and was not answered before the mail server was done with Ann. "
            "Expected: others can buy while a confirmation is on its way.",
        )
        assert (ann.status, eve.status, mail.waiting > 0) == (201, 201, True), (
            f"Ann was answered {ann.status} and Eve {eve.status}, but Eve only when "
            "Ann's confirmation was sent: the event loop had been waiting for it. "
            "Expected: others can buy while a confirmation is on its way."
        )


@pytest.mark.step(2)
async def test_the_database_says_which_orders_are_confirmed(
    app: RunningApp, database: Database, leaks: Leaks
) -> None:
    """A background task outlives the request's session, so it opens its own."""
    mail = Gate("the confirmation for Ann")
    put(app, outside_world(Journal(), send_mail=mail.blocking))

    async def confirmed() -> bool:
        return await database.count("orders", email=ANN, confirmed=True) == 1

    async def all_given_back() -> bool:
        return database.out == 0

    async with closing_time(mail):
        ann = buys(app, ANN, "A1")
        await mail.entered()
        orders = await database.count("orders", email=ANN)
        assert orders == 1, (
            "Ann's confirmation was on its way to her, and a second connection found "
            f"{orders} orders of hers in the database. "
            "Expected: her order is there before the mail says so."
        )
        assert not await confirmed(), (
            "Ann's confirmation was on its way to her, and in the database her order "
            "counted as confirmed already. If the mail fails, she is sent no other. "
            "Expected: an order is confirmed there once its mail is sent."
        )
        await eventually(all_given_back, leaks)
        assert database.out == 0, (
            "Ann's confirmation was on its way to her. As long as the mail server "
            "took, it kept a connection to the database. With fifteen mails on "
            "their way nobody can buy. "
            "Expected: no connection waits for the mail server."
        )
        mail.open()

        assert ANN in words_of(mail), (
            f"Ann bought seat A1, and the mail that was sent said: {words_of(mail)!r}. "
            "Expected: her confirmation goes to her address."
        )
        assert await eventually(confirmed, leaks, ann), (
            "Ann's confirmation has been sent. In the database her order still counts "
            "as not confirmed, and she will be sent another. "
            "Expected: an order is confirmed there once its mail is sent."
        )


@pytest.mark.step(3)
async def test_a_mail_that_fails_is_told_and_swallows_nothing(
    app: RunningApp, database: Database, leaks: Leaks
) -> None:
    """The first background task that fails ends the list, unless it is caught."""
    journal = Journal()

    def full_mailbox(email: str, text: str) -> None:
        raise OSError("mailbox is full")

    async def dead_line(seat: str) -> None:
        raise OSError("the line is dead")

    put(app, outside_world(journal, send_mail=full_mailbox))
    async with closing_time():
        with listening("mailbox is full", "the line is dead") as heard:
            ann = buys(app, ANN, "A1")
            assert await eventually(said(journal, "venue A1"), leaks, ann), (
                "The mail to Ann failed, because her mailbox is full. The venue never "
                "heard that seat A1 is sold, and sold it once more at the door. "
                "Expected: the venue hears of every seat, also when a mail fails."
            )
            assert await eventually(said(heard, "mailbox is full"), leaks, ann), (
                "The mail to Ann failed with OSError('mailbox is full'). The server's "
                f"log does not say so, and Ann will wait for ever. {TOLD}"
            )
            orders = await database.count("orders", email=ANN, confirmed=True)
            assert orders == 0, (
                "The mail to Ann failed. In the database her order counts as "
                "confirmed, so nobody will ever send it again. "
                "Expected: only what has been sent counts as confirmed."
            )
            put(app, outside_world(journal, tell_venue=dead_line))
            eve = buys(app, EVE, "A2")
            assert await eventually(said(journal, f"mail {EVE}"), leaks, eve), (
                "The line to the venue was dead. Eve bought seat A2, and was not sent "
                "her confirmation. "
                "Expected: her confirmation is sent, also when the venue is not "
                "reached."
            )
            assert await eventually(said(heard, "the line is dead"), leaks, eve), (
                "The venue was not told of seat A2: OSError('the line is dead'). The "
                f"server's log does not say so, and the seat will be sold twice. {TOLD}"
            )

        def bad_address(email: str, text: str) -> None:
            raise ValueError("no such address")

        async def hung_up(seat: str) -> None:
            raise RuntimeError("the venue hung up")

        put(app, outside_world(journal, send_mail=bad_address, tell_venue=hung_up))
        with listening("no such address", "the venue hung up") as heard:
            eve = buys(app, EVE, "A3")
            for words in ("the venue hung up", "no such address"):
                assert await eventually(said(heard, words), leaks, eve), (
                    "The mail to Eve failed with ValueError('no such address'), and "
                    "telling the venue with RuntimeError('the venue hung up'). The "
                    f"server's log says nothing of '{words}'. {TOLD}"
                )

        async def confirmed_as_sent() -> bool:
            sent = journal.events.count(f"mail {ANN}")
            orders = await database.count("orders", email=ANN, confirmed=True)
            return 0 < sent == orders

        put(app, outside_world(journal))
        ann = buys(app, ANN, "A4")
        assert await eventually(confirmed_as_sent, leaks, ann), (
            "The mail for Ann's first seat failed. She bought another seat. Mails "
            f"that were sent to her: {journal.events.count(f'mail {ANN}')}; orders of "
            "hers that count as confirmed: "
            f"{await database.count('orders', email=ANN, confirmed=True)}. "
            "Expected: an order is confirmed once its own mail is sent."
        )


@pytest.mark.step(4)
async def test_a_declined_card_is_answered_402_and_its_owner_warned(
    app: RunningApp, database: Database, leaks: Leaks
) -> None:
    """Tasks belong to the answer that a handler returns: an error has none of them."""
    journal = Journal()
    mail = Gate("the warning for Bob")
    put(app, outside_world(journal, send_mail=mail.blocking))

    async def warned() -> bool:
        return mail.count > 0

    async with closing_time(mail):
        bob = buys(app, BOB, "A1")
        assert await eventually(warned, leaks, bob), (
            "Somebody tried to pay with Bob's card, and the card was declined. "
            f"They were answered {bob.status}, and Bob was never sent the warning. "
            "Expected: Bob is warned by mail, although nothing was bought."
        )
        assert mail.held is None, (
            "Bob's card was declined. Until the mail server had taken the warning "
            "for him, the whole box office stood still. "
            "Expected: others can buy while a warning is on its way."
        )
        mail.open()
        await bob.finished()
        await settle()
        assert bob.status == 402, (
            f"Bob's card was declined, and he was answered {bob.status}. "
            "Expected: 402, whatever else has to be done."
        )
        assert BOB in words_of(mail), (
            f"Bob's card was declined, and the mail that was sent said: "
            f"{words_of(mail)!r}. "
            "Expected: the warning goes to Bob's address."
        )
        orders = await database.count("orders")
        assert (orders, journal.events, mail.count) == (0, [], 1), (
            f"Bob's card was declined. {orders} orders are stored, the venue was told "
            f"{journal}, and {mail.count} mails were sent. "
            "Expected: no order, nothing for the venue, one mail."
        )


@pytest.mark.step(5)
@pytest.mark.timeline
async def test_what_was_begun_is_finished_before_the_box_office_closes(
    run_app: RunApp, database: Database
) -> None:
    """A server that stops waits for requests and their tasks, and for nothing else."""
    journal = Journal()
    printer = Gate("the printer")

    async def print_ticket(order_id: int) -> None:
        await printer(order_id)
        journal.record(f"ticket {order_id}")

    fakes = outside_world(journal, print_ticket=print_ticket)
    async with run_app(replace=fakes) as app, closing_time(printer):
        ticket = f"ticket {await an_order(database)}"
        job = prints(app)
        await printer.entered()
        before = database.connections_open
        closing = tell_to_stop(app, job)
        assert not await closed_early(closing, database, before), (
            "A ticket was being printed when the server was told to stop. The "
            "database was closed, and perhaps all the rest, before it was done. "
            "Expected: what was begun is finished before the box office closes."
        )
        printer.open()
        await closed_well(closing)
        assert (job.status, ticket in journal) == (202, True), (
            f"The manager had a ticket printed, and was answered {job.status}. The "
            "server was told to stop, and waited; tickets printed: "
            f"{journal}. "
            "Expected: 202, and the ticket is printed before the box office closes."
        )

    for email, what in ((EVE, "confirmation for Eve"), (BOB, "warning for Bob")):
        mail = Gate(f"the {what}")
        fakes = outside_world(journal, send_mail=mail.blocking)
        async with run_app(replace=fakes) as app, closing_time(mail):
            request = buys(app, email, "A2")
            await mail.entered()
            before = database.connections_open
            closing = tell_to_stop(app, request)
            assert not await closed_early(closing, database, before), (
                f"The {what} was on its way when the server was told to stop. The "
                "database was closed, and perhaps all the rest, before it was sent. "
                "Expected: what was begun is finished before the box office closes."
            )
            mail.open()
            await closed_well(closing)
    confirmed = await database.count("orders", email=EVE, confirmed=True)
    assert confirmed == 1, (
        "Eve's confirmation was on its way when the server was told to stop. The "
        f"mail was sent, and in the database {confirmed} orders of hers count as "
        "confirmed. "
        "Expected: what was begun is finished before the box office closes."
    )

    line = Gate("the line to the venue")
    fakes = outside_world(journal, tell_venue=line)
    async with run_app(replace=fakes) as app, closing_time(line):
        request = buys(app, ANN, "A3")
        await line.entered()
        closing = tell_to_stop(app, request)
        await wait_until_idle(lambda: None, until=closing.done)
        assert not closing.done(), (
            "The venue was being told of seat A3 when the server was told to stop. "
            "The box office closed before the venue knew, and the seat will be sold "
            "twice. "
            "Expected: what was begun is finished before the box office closes."
        )
        line.open()
        await closed_well(closing)


@pytest.mark.step(5)
async def test_a_job_that_fails_is_told_and_lets_the_others_finish(
    run_app: RunApp, database: Database
) -> None:
    """Whoever waits for several tasks must not leave at the first that fails."""
    journal = Journal()
    jam, second = Gate("the printer"), Gate("the printer, for the second job")

    async def print_ticket(order_id: int) -> None:
        await (second(order_id) if jam.count else jam(order_id))
        journal.record(f"ticket {order_id}")

    fakes = outside_world(journal, print_ticket=print_ticket)
    with listening("paper jam") as heard:
        async with run_app(replace=fakes) as app, closing_time(jam, second):
            ticket = f"ticket {await an_order(database)}"
            jobs = [prints(app)]
            await jam.entered()
            before = database.connections_open
            jobs.append(prints(app))
            await answered(jobs[1], otherwise=WAITED)
            closing = tell_to_stop(app, *jobs)
            await settle()
            jam.fail(OSError("paper jam"))
            await first_of(second.entered(), closing)
            assert not await closed_early(closing, database, before), (
                "Two jobs were printing tickets when the server was told to stop. "
                "The first one failed, and the server closed before the second one "
                "was done. "
                "Expected: a job that fails keeps no other from being finished."
            )
            second.open()
            await closed_well(closing)
            assert ticket in journal, (
                "Two jobs were printing tickets when the server was told to stop. "
                "The first one failed, and the second printed nothing. "
                "Expected: a job that fails keeps no other from being finished."
            )
            await settle()
            assert "paper jam" in heard, (
                "A job failed with OSError('paper jam') while the server was "
                f"closing. The server's log does not say so. {TOLD}"
            )


@pytest.mark.step(5)
async def test_a_job_that_was_begun_is_kept_and_its_failure_is_told(
    app: RunningApp, database: Database
) -> None:
    """The event loop holds its tasks only weakly: somebody else has to keep them."""
    journal = Journal()
    papers: list[weakref.ref[asyncio.Future[None]]] = []

    async def print_ticket(order_id: int) -> None:
        # Only the job itself knows what it is waiting for.
        paper: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        papers.append(weakref.ref(paper))
        number = len(papers)
        journal.record(f"printing {number}")
        await paper
        journal.record(f"printed {number}")

    put(app, outside_world(journal, print_ticket=print_ticket))
    await an_order(database)
    async with closing_time():
        jobs = [prints(app)]
        await journal.reached("printing 1")
        jobs.append(prints(app))
        for job in jobs:
            await answered(job, otherwise=WAITED)
        for number in (1, 2):
            await journal.reached(f"printing {number}")
            await settle()
            gc.collect()
            paper = papers[number - 1]()
            assert paper is not None, (
                "The manager was told that the tickets are being printed. While the "
                "printer waited for paper, Python's garbage collector found the job, "
                "saw that nobody keeps it, and threw it away. "
                "Expected: a job that was begun is kept until it is done."
            )
            paper.set_result(None)
            await journal.reached(f"printed {number}")

        async def broken(order_id: int) -> None:
            raise OSError("out of ink")

        app.replace("print_ticket", broken)
        with listening("out of ink") as heard:
            jobs.append(prints(app))
            try:
                await heard.reached("out of ink")
            except TimeLimitExceeded:
                raise TimeLimitExceeded(
                    "The printer failed with OSError('out of ink'). As long as the "
                    "server runs, its log does not say so, and the manager waits for "
                    f"the tickets. {TOLD}"
                ) from None
            await closed_well(tell_to_stop(app, *jobs))


@pytest.mark.step(6)
async def test_a_crash_after_the_answer_loses_no_confirmation(
    run_app: RunApp, database: Database, leaks: Leaks
) -> None:
    """What has to survive the process must be in the database, with the order."""
    lost = Gate("mails of the process that crashes")
    crash = Gate("the crash")
    sent = Journal()

    async def die_when_the_answer_has_left() -> None:
        if ann.started:
            await crash()

    async def confirmed() -> bool:
        return await database.count("orders", email=ANN, confirmed=True) == 1

    def send_mail(email: str, text: str) -> None:
        if email == EVE:
            raise OSError("mailbox is full")
        sent.record(f"mail {email}")

    fakes = outside_world(Journal(), send_mail=lost.blocking)
    async with run_app(replace=fakes) as crashed, closing_time(crash, lost):
        await an_order(database, email=EVE, confirmed=False)
        await an_order(database, email=BOB, confirmed=True)
        ann = buys(crashed, ANN, "A1", probe=die_when_the_answer_has_left)
        # From here on, nothing happens any more in this process.
        await crash.entered()

        async with restarted(run_app, outside_world(sent, send_mail=send_mail)):
            assert await eventually(said(sent, f"mail {ANN}"), leaks), (
                "Ann was answered 201. In that moment the process crashed, and "
                "another one was started. Ann was never sent her confirmation. "
                "Expected: it is sent after the crash."
            )
            assert await eventually(confirmed, leaks), (
                "The process crashed, and another one was started. Ann was sent her "
                "confirmation, and in the database her order does not count as "
                "confirmed: after each restart she will be sent another. "
                "Expected: an order is confirmed there once its mail is sent."
            )
        mails = (sent.events.count(f"mail {ANN}"), sent.events.count(f"mail {BOB}"))
        assert mails == (1, 0), (
            "The process crashed, and another one was started. Ann, whose "
            f"confirmation was missing, was sent {mails[0]}; Bob, who had his "
            f"already, was sent {mails[1]}. "
            "Expected: one for Ann, and none for Bob."
        )
        confirmed_eve = await database.count("orders", email=EVE, confirmed=True)
        assert confirmed_eve == 0, (
            "The process crashed, and another one was started. Eve's mailbox was "
            "full, so her confirmation was not sent. In the database her order counts "
            "as confirmed, and nobody will ever send it again. "
            "Expected: only what has been sent counts as confirmed."
        )


@pytest.mark.step(6)
async def test_a_confirmation_sent_after_a_crash_is_like_any_other(
    run_app: RunApp, database: Database, leaks: Leaks
) -> None:
    """What is done again after a crash needs the same care as the first time."""
    lost = Gate("mails of the process that crashes")
    crash = Gate("the crash")
    mail = Gate("Ann's confirmation, after the crash")
    mails: list[str] = []

    async def die_when_the_answer_has_left() -> None:
        if ann.started:
            await crash()

    def send_mail(email: str, text: str) -> None:
        mails.append(email)
        if email == ANN:
            mail.blocking(email, text)

    async def asked() -> bool:
        return mail.count > 0

    fakes = outside_world(Journal(), send_mail=lost.blocking)
    async with (
        run_app(replace=fakes) as crashed,
        AsyncExitStack() as stack,
        closing_time(crash, lost, mail),
    ):
        ann = buys(crashed, ANN, "A1", probe=die_when_the_answer_has_left)
        # From here on, nothing happens any more in this process.
        await crash.entered()

        fakes = outside_world(Journal(), send_mail=send_mail)
        restart = stack.enter_async_context(run_app(replace=fakes))
        opening = asyncio.get_running_loop().create_task(restart)
        assert await eventually(asked, leaks), (
            "Ann was answered 201. In that moment the process crashed, and "
            "another one was started. Ann was never sent her confirmation. "
            "Expected: it is sent after the crash."
        )
        await wait_until_idle(lambda: None, until=opening.done)
        if not opening.done():
            mail.open()  # It may be sent before the box office opens.
        app = await opening
        assert mail.held is None, (
            "After the crash, Ann's confirmation was handed to the mail server. Until "
            "the mail server was done, the whole box office stood still. "
            "Expected: others can buy while a confirmation is on its way."
        )
        carol = buys(app, CAROL, "A2")
        await answered(
            carol,
            otherwise="After the crash, Ann's confirmation was on its way. Carol "
            "wanted to buy seat A2, and was not answered. "
            "Expected: others can buy while a confirmation is on its way.",
        )
        closing = tell_to_stop(app, carol)
        await wait_until_idle(lambda: None, until=closing.done)
        assert mail.is_open or not closing.done(), (
            "After the crash, Ann's confirmation was on its way when the server was "
            "told to stop. The box office closed before it was sent. "
            "Expected: what was begun is finished before the box office closes."
        )
        mail.open()
        await closed_well(closing)
        number = (mails.count(ANN), mails.count(CAROL))
        assert number == (1, 1), (
            "After the crash, Ann's confirmation was on its way when Carol bought a "
            f"seat. Ann was sent {number[0]} mails, and Carol {number[1]}. "
            "Expected: one for each."
        )
        orders = await database.count("orders", confirmed=True)
        assert orders == 2, (
            "Ann was sent her confirmation after a crash, and Carol hers for a seat "
            f"that she bought meanwhile. In the database {orders} orders count as "
            "confirmed. "
            "Expected: both, so that nobody is sent another mail."
        )


def outside_world(journal: Journal, **given: object) -> dict[str, object]:
    """Return stand-ins that write down what has reached the outside world."""

    def send_mail(email: str, text: str) -> None:
        journal.record(f"mail {email}")

    async def tell_venue(seat: str) -> None:
        journal.record(f"venue {seat}")

    async def charge_card(email: str) -> bool:
        return email != BOB

    async def print_ticket(order_id: int) -> None:
        journal.record(f"ticket {order_id}")

    fakes = (send_mail, tell_venue, charge_card, print_ticket)
    return {fake.__name__: fake for fake in fakes} | given


def put(app: RunningApp, fakes: dict[str, object]) -> None:
    """Put the stand-ins in their places."""
    for name, fake in fakes.items():
        app.replace(name, fake)


def buys(
    app: RunningApp,
    email: str,
    seat: str,
    probe: Callable[[], Awaitable[None]] | None = None,
) -> Exchange:
    """Let a customer buy a seat; return while the request is in flight."""
    wanted = {"seat": seat, "email": email}
    in_flight.append(exchange(app, "POST", "/orders", json=wanted, probe=probe))
    return in_flight[-1]


def prints(app: RunningApp) -> Exchange:
    """Let the manager print all tickets; return while the request is in flight."""
    in_flight.append(exchange(app, "POST", "/tickets"))
    return in_flight[-1]


in_flight: list[Exchange] = []
shutdowns: list[asyncio.Task[None]] = []


@asynccontextmanager
async def closing_time(*gates: Gate) -> AsyncIterator[None]:
    """Open the gates at the end, come what may, and let all requests end in peace."""
    in_flight.clear()
    shutdowns.clear()
    try:
        yield
    finally:
        for gate in gates:
            gate.open()
        with contextlib.suppress(TimeLimitExceeded):
            for request in in_flight:
                await request.finished()
            if shutdowns:
                await fail_after(asyncio.wait(shutdowns), never="")


async def an_order(
    database: Database, email: str = ANN, *, confirmed: bool = True
) -> int:
    """Store an order from another day; return its number."""
    rows = await database.fetch(
        "insert into orders (seat, email, confirmed) values ('Z9', ?, ?) returning id",
        *(email, confirmed),
    )
    return int(rows[0]["id"])


@asynccontextmanager
async def restarted(run_app: RunApp, fakes: dict[str, object]) -> AsyncIterator[None]:
    """Start the app once more, on the same database."""
    try:
        async with run_app(replace=fakes):
            yield
    except StartupError as error:
        raise AssertionError(
            "The process crashed, and another one was started. Eve's mailbox is "
            f"full, and the box office did not open: {error.__cause__!r}. "
            "Expected: it opens, whatever is wrong with one mail."
        ) from error
    except ShutdownError as error:
        raise AssertionError(
            "The process crashed, and another one was started. Eve's mailbox is "
            f"full, and the box office did not close well: {error.__cause__!r}. "
            "Expected: it closes in peace, whatever is wrong with one mail."
        ) from error


async def first_of(one: Awaitable[None], other: asyncio.Task[None]) -> None:
    """Wait until one of the two is over, and forget the first."""
    first = asyncio.ensure_future(one)
    await asyncio.wait({first, other}, return_when=asyncio.FIRST_COMPLETED)
    first.cancel()


def words_of(mail: Gate) -> str:
    """Return what the first mail was called with."""
    args, kwargs = mail.calls[0]
    return " ".join(str(value) for value in (*args, *kwargs.values()))


async def answered(request: Exchange, otherwise: str) -> None:
    """Wait for the end of the answer, background tasks not included."""
    try:
        await request.response_complete()
    except TimeLimitExceeded:
        raise TimeLimitExceeded(otherwise) from None


def said(journal: Journal, event: str) -> Callable[[], Awaitable[bool]]:
    """Return a question: is *event* in the journal?"""

    async def look() -> bool:
        return event in journal

    return look


async def eventually(
    true: Callable[[], Awaitable[bool]], leaks: Leaks, *requests: Exchange
) -> bool:
    """Wait until *true* holds. False: nobody is left who could make it so."""

    async def look() -> bool:
        while True:
            tasks = await leaks.tasks()
            over = not tasks and all(request.done for request in requests)
            if over and not await true():
                # A thread that no task waits for may still be at work.
                await wait_until_idle(lambda: None)
                over = not await leaks.tasks()
            if await true() or over:
                return await true()

    with contextlib.suppress(TimeLimitExceeded):
        return await fail_after(look(), never="")
    return False


def tell_to_stop(app: RunningApp, *requests: Exchange) -> asyncio.Task[None]:
    """Do what uvicorn does: wait for requests and their tasks, then shut down."""

    async def stop() -> None:
        for request in requests:
            await request.finished()
        await app.shutdown()

    shutdowns.append(asyncio.get_running_loop().create_task(stop()))
    return shutdowns[-1]


async def closed_early(
    closing: asyncio.Task[None], database: Database, before: int
) -> bool:
    """Tell whether the app has closed itself, or its database, without waiting.

    *before* is how many connections were open when nobody was using one. A pool
    tells that it closes a connection before it waits for that, so some turns of the
    loop are enough to know.
    """
    await settle(400)
    return closing.done() or database.connections_open < before


async def closed_well(closing: asyncio.Task[None]) -> None:
    """Wait for the end of the shutdown, which must be without an error."""
    await fail_after(asyncio.wait({closing}), never="The box office never closed.")
    error = closing.exception()
    assert error is None, (
        f"The box office was told to stop, and its shutdown failed: {error} "
        "Expected: it closes in peace, whatever its jobs came to."
    )


class Listener(logging.Handler, io.TextIOBase):
    """Hears what goes to the log as a warning or worse, and what is printed."""

    def __init__(self, words: tuple[str, ...]) -> None:
        """Listen for *words*."""
        super().__init__(logging.WARNING)
        self.words = words
        self.heard = Journal()

    def emit(self, record: logging.LogRecord) -> None:
        """Hear a record of the log, with all errors of its traceback."""
        error = record.exc_info[1] if record.exc_info else None
        told = traceback.format_exception(error) if error else []
        self.hear("\n".join([record.getMessage(), *told]))

    def write(self, text: str) -> int:
        """Hear a piece of what is printed, and pass it on."""
        self.hear(text)
        return sys.__stdout__.write(text) if sys.__stdout__ else len(text)

    def hear(self, text: str) -> None:
        """Write down which of the words are in *text*."""
        for words in self.words:
            if words in text:
                self.heard.record(words)


@contextmanager
def listening(*words: str) -> Iterator[Journal]:
    """Write down which of *words* the server's log, or its output, says."""
    listener = Listener(words)
    root = logging.getLogger()
    root.addHandler(listener)
    try:
        with (
            contextlib.redirect_stdout(listener),
            contextlib.redirect_stderr(listener),
        ):
            yield listener.heard
    finally:
        root.removeHandler(listener)
