"""The tests of lesson 04, in the order of its steps.

Step 1 (prices): one test proves that the calls overlap, for two customers at once, and
that each of them gets the prices of her own show.
Step 2 (seats): the first test is about one broken venue, today and the day after, the
second about every way in which a venue can fail.
Step 3 (quotes): two customers, of whom one comes later, have three seconds each.
Step 4 (quotes): failed and late are told apart, whenever and however venues fail.
Step 5 (payments): one declined part stops the others of that payment, two declined
parts are one refusal, equal parts are charged separately, errors stop the others too,
and 200 means that all is charged.
Step 6 (price book): the committed rows when the response starts, overlapping use of a
session, and writes or venues that fail.

The stand-ins are in world.py: a venue answers, and a charge ends, when the test says
so. No test measures time; the clock stands still until the test moves it.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from workshop.testing import (
    Clock,
    Database,
    RunningApp,
    cases,
    exchange,
    settle,
    time_follows_loop,
)

from .world import (
    CROWD,
    DAY,
    LONG,
    MOMENT,
    PRICES,
    SEATS,
    Bank,
    Venues,
    becomes,
    errors,
    got,
    is_over,
    notes_prices,
    overlaps,
    parts,
    price_book,
    responds,
    seen,
    timeout_of_its_own,
    told,
    without,
)


@pytest.fixture
async def clock(clock: Clock) -> AsyncIterator[Clock]:
    """The kit's clock, which the module `time` follows in the app."""
    with time_follows_loop():
        yield clock


# ---------------------------------------------------------------- step 1


@pytest.mark.step(1)
@pytest.mark.timeline
async def test_five_venues_are_asked_at_the_same_time(
    clock: Clock, app: RunningApp
) -> None:
    """A coroutine runs only while it is awaited; a task runs by itself."""
    venues = Venues(app, "ask_price", PRICES)

    ann = exchange(app, "GET", "/shows/Hamlet/prices")
    if not (asked := await venues.are_asked("Hamlet")):
        await venues.answer()  # the recording shows the calls that follow
        await is_over(ann, clock)
    assert asked or venues.most["Hamlet"] == 5 or venues.blocked, (
        f"Ann requested the prices of five venues. {venues.calls('Hamlet', ann)} "
        "Expected: all five are asked before the first has answered."
    )
    assert not venues.blocked, (
        "Ann requested the prices of five venues. Until the last one had answered, the "
        "event loop was blocked and no other customer was served. "
        "Expected: other requests are served while the venues work."
    )
    bob = exchange(app, "GET", "/shows/Macbeth/prices")
    assert await venues.serve("Macbeth"), (
        "The venues were working for Ann when Bob requested the prices of another "
        "show. No venue was asked for him. "
        "Expected: Bob's venues are asked while Ann's are still working."
    )
    expect_no_wait(await venues.serve_crowd("/shows/{}/prices"))
    await venues.answer_crowd()
    await clock.advance(LONG)
    clock.jump(DAY)
    await venues.answer("Eden", "Dome", "Bijou", "Apollo", show="Macbeth")
    await venues.answer("Dome", "Bijou", "Eden", "Apollo", "Corso")
    await venues.answer("Corso", show="Macbeth")
    for name, customer, show in (("Bob", bob, "Macbeth"), ("Ann", ann, "Hamlet")):
        await is_over(customer, clock)
        assert (customer.status, customer.content) == (200, PRICES[show]), (
            "Two customers requested prices, and the venues took a day. "
            f"The prices of {show} are {PRICES[show]}. {name} got {told(customer)}. "
            "Expected: 200, and each venue with its own price for that show."
        )

    venues.at("Corso").fail(ConnectionError("connection refused"))
    await is_over(exchange(app, "GET", "/shows/Hamlet/prices"), clock)
    venues.close()
    venues.numbers = {**PRICES, "Hamlet": {**PRICES["Hamlet"], "Corso": 12}}
    for show in PRICES:
        await venues.answer(show=show)
    both = {show: exchange(app, "GET", f"/shows/{show}/prices") for show in PRICES}
    for show, customer in both.items():
        await is_over(customer, clock)
        assert customer.content == venues.numbers[show], (
            "Corso failed once. Then it worked again, and two customers requested "
            f"prices at the same moment. Those of {show} are {venues.numbers[show]}. "
            f"That customer got {told(customer)}. "
            "Expected: the prices that the venues say now, for the customer's own show."
        )


def expect_no_wait(shows: list[str], connections: int = 0) -> None:
    """Check that no customer in a crowd waits for the customers before them."""
    held = f"Meanwhile {connections} database connections were in use. "
    assert not shows, (
        "Two customers were still waiting for their venues when 14 others came, each "
        f"for a different show. No venue was asked for {', '.join(shows)}. "
        f"{held if connections else ''}"
        "Expected: no customer waits for the venues of another one."
    )


# ---------------------------------------------------------------- step 2


@pytest.mark.step(2)
async def test_a_broken_venue_is_named_and_the_others_are_shown(
    clock: Clock, app: RunningApp
) -> None:
    """With `return_exceptions=True`, an exception is one of the results."""
    venues = Venues(app, "ask_seats", SEATS)

    ann = exchange(app, "GET", "/shows/Hamlet/seats")
    assert await venues.are_asked("Hamlet"), (
        f"Ann requested the seats of five venues. {venues.calls('Hamlet', ann)} "
        "Expected: all five are still asked at the same time."
    )
    bob = exchange(app, "GET", "/shows/Macbeth/seats")
    assert await venues.serve("Macbeth"), (
        "The venues were working for Ann when Bob requested the seats of another show. "
        "No venue was asked for him. "
        "Expected: Bob's venues are asked while Ann's are still working."
    )
    expect_no_wait(await venues.serve_crowd("/shows/{}/seats"))
    await venues.answer_crowd()
    venues.at("Dome").fail(ConnectionError("connection refused"))
    await settle()
    await clock.advance(LONG)
    clock.jump(DAY)
    await settle()
    await venues.answer("Eden", "Bijou", "Corso", "Apollo", show="Macbeth")
    await venues.answer("Eden", "Bijou", "Corso", "Apollo")
    await venues.answer("Dome", show="Macbeth")
    await is_over(ann, clock)
    seats = without(SEATS["Hamlet"], "Dome")
    assert got(ann, "seats", "failed") == (200, seats, ["Dome"]), (
        "Dome could not be reached, and a day later the other venues "
        f"answered {seats}. Ann got {told(ann)}. "
        'Expected: 200, these four under "seats", and Dome under "failed".'
    )
    await is_over(bob, clock)
    assert got(bob, "seats", "failed") == (200, SEATS["Macbeth"], []), (
        "Dome could not be reached when it was asked for Ann's show. For Bob's show "
        f"all five venues answered {SEATS['Macbeth']}. Bob got {told(bob)}. "
        'Expected: five venues under "seats", and none under "failed".'
    )

    for _ in range(12):  # more often than an app may choose to count failures
        await is_over(exchange(app, "GET", "/shows/Hamlet/seats"), clock)
    for day, broken in cases([("next day", []), ("day after", ["Dome"])]):
        venues.close()
        for venue in broken:
            venues.at(venue).fail(ConnectionError("connection refused"))
        await venues.answer(*without(SEATS["Hamlet"], *broken))
        await venues.answer(show="Macbeth")
        eve, _ = (exchange(app, "GET", f"/shows/{show}/seats") for show in SEATS)
        await is_over(eve, clock)
        seats = without(SEATS["Hamlet"], *broken)
        assert got(eve, "seats", "failed") == (200, seats, broken), (
            "Dome failed for 13 customers and was repaired. On the "
            f"{day}, broken venues: {broken or 'none'}. The others answered {seats}. "
            f"A customer got {told(eve)}. "
            "Expected: each response depends only on what the venues do then."
        )


@pytest.mark.step(2)
async def test_every_broken_venue_is_named(clock: Clock, app: RunningApp) -> None:
    """Code outside your own can raise exceptions of any class."""
    venues = Venues(app, "ask_seats", SEATS)
    names = [*SEATS["Hamlet"]]
    first = dict(zip(names, errors(), strict=False))
    second = dict(zip(["Apollo", "Corso", "Eden"], reversed(errors()), strict=False))
    for broken in cases([first, second]):
        venues.close()
        for venue, error in broken.items():
            venues.at(venue).fail(error)
        await venues.answer(*without(SEATS["Hamlet"], *broken))
        ann = exchange(app, "GET", "/shows/Hamlet/seats")
        await is_over(ann, clock)
        expected = (200, without(SEATS["Hamlet"], *broken), [*broken])
        assert got(ann, "seats", "failed") == expected, (
            f"These venues failed: {broken}. The others answered {expected[1]}. "
            f'Ann got {told(ann)}. Expected: 200, every broken venue under "failed", '
            'and the others under "seats".'
        )

    venues.close()
    call_that_was_cancelled = venues.at("Dome")
    eve = exchange(app, "GET", "/shows/Hamlet/seats")
    await venues.are_asked()
    call_that_was_cancelled.fail(asyncio.CancelledError())
    await venues.answer(*without(SEATS["Hamlet"], "Dome"))
    await is_over(eve, clock)
    seats = without(SEATS["Hamlet"], "Dome")
    assert got(eve, "seats") == (200, seats), (
        "The call of Dome was cancelled on Dome's side, so ask_seats() raised "
        f"CancelledError. The others answered {seats}. Eve got {told(eve)}. "
        'Expected: 200, and under "seats" the four venues that have answered.'
    )


# ---------------------------------------------------------------- step 3


@pytest.mark.step(3)
@pytest.mark.timeline
async def test_every_customer_gets_a_response_within_three_seconds(
    clock: Clock, app: RunningApp
) -> None:
    """Timeouts that start one after another add up; give all waits one deadline."""
    venues = Venues(app, "ask_price", PRICES)

    ann = exchange(app, "GET", "/shows/Hamlet/quotes")
    assert await venues.are_asked("Hamlet"), (
        f"Ann requested quotes. {venues.calls('Hamlet', ann)} "
        "Expected: all five are still asked at the same time."
    )
    await venues.answer("Dome")
    await clock.advance(1.5)
    bob = exchange(app, "GET", "/shows/Macbeth/quotes")
    assert await venues.are_asked("Macbeth"), (
        "The venues were working for Ann when Bob requested quotes for another show. "
        f"{venues.calls('Macbeth', bob)} "
        "Expected: all five are asked at once, because his three seconds have begun."
    )
    expect_no_wait(await venues.serve_crowd("/shows/{}/quotes"))
    await venues.answer_crowd()
    await clock.advance(1.4)
    assert not ann.complete, (
        "Dome had answered, and four venues had not. After 2.9 seconds Ann already had "
        f"a response, {told(ann)}. Expected: a venue has three seconds to answer."
    )
    await venues.answer("Corso")
    await clock.advance(0.2)
    assert await responds(ann), (
        "Apollo, Bijou and Eden were silent. Three seconds had passed, and Ann still "
        "had no response. "
        "Expected: three seconds after her request, however many venues are silent."
    )
    known = {"Corso": 45, "Dome": 38}
    late = ["Apollo", "Bijou", "Eden"]
    assert got(ann, "prices", "late") == (504, known, late), (
        "Corso and Dome had answered within three seconds, the other three had not. "
        f"Ann got {told(ann)}. "
        f'Expected: 504, {known} under "prices", and the silent venues under "late".'
    )
    assert await becomes(lambda: ann.done and not venues.in_flight("Hamlet")), (
        "Ann has her response. These venues were still being asked for her: "
        f"{', '.join(venues.in_flight('Hamlet'))}. "
        "Expected: calls that are given up are cancelled."
    )

    await venues.answer("Eden", "Apollo", "Dome", "Corso", show="Macbeth")
    await clock.advance(1.3)
    assert venues.in_flight("Macbeth") == ["Bijou"], (
        "Ann's three seconds were over. Bob had come 1.5 seconds after her, and 2.9 "
        "seconds after his request Bijou was no longer being asked for him. "
        "Expected: every customer has three seconds."
    )
    await clock.advance(0.2)
    await responds(bob)
    known = without(PRICES["Macbeth"], "Bijou")
    assert got(bob, "prices", "late") == (504, known, ["Bijou"]), (
        "Four venues answered Bob within three seconds, and only Bijou was silent. Bob "
        f'got {told(bob)}. Expected: 504, {known} under "prices", Bijou under "late".'
    )

    venues.close()
    for show in PRICES:
        await venues.answer(show=show)
    cleo, _ = (exchange(app, "GET", f"/shows/{show}/quotes") for show in PRICES)
    await clock.advance(MOMENT)
    await responds(cleo)
    assert got(cleo, "prices", "late") == (200, PRICES["Hamlet"], []), (
        f"All five venues answered Cleo at once. After {MOMENT} seconds she had "
        f"{told(cleo)}. Expected: 200 and five prices, as soon as all have answered."
    )

    venues.close()
    await venues.answer(*without(PRICES["Hamlet"], "Eden"))
    eve = exchange(app, "GET", "/shows/Hamlet/quotes")
    await becomes(lambda: venues.in_flight() == ["Eden"])
    await clock.advance(3.1)
    await responds(eve)
    known = without(PRICES["Hamlet"], "Eden")
    assert got(eve, "prices", "late") == (504, known, ["Eden"]), (
        "All five venues had answered Cleo. Then Eve requested quotes for the same "
        f"show, and Eden was silent. Eve got {told(eve)}. "
        f'Expected: 504, {known} under "prices", Eden under "late".'
    )


# ---------------------------------------------------------------- step 4


@pytest.mark.step(4)
async def test_a_timeout_of_a_venue_is_not_yours(clock: Clock, app: RunningApp) -> None:
    """Other code raises `TimeoutError` too; ask your own timeout if it has expired."""
    venues = Venues(app, "ask_price", PRICES)

    ann = exchange(app, "GET", "/shows/Hamlet/quotes")
    await venues.are_asked("Hamlet")
    bob = exchange(app, "GET", "/shows/Macbeth/quotes")
    await venues.are_asked("Macbeth")
    venues.at("Apollo").fail(timeout_of_its_own())
    await venues.answer(show="Macbeth")
    await clock.advance(2.2)
    venues.at("Eden").fail(timeout_of_its_own())
    await venues.answer("Corso")
    await clock.advance(0.7)
    venues.at("Dome").fail(TimeoutError("Dome waited for its own database"))
    await settle()
    assert not ann.complete, (
        "Apollo, Dome and Eden failed, and Bijou was silent. After 2.9 seconds Ann "
        f"already had a response, {told(ann)}. "
        "Expected: Bijou has three seconds, whatever the other venues do."
    )
    await clock.advance(0.2)
    await responds(ann)
    failed = ["Apollo", "Dome", "Eden"]
    assert got(ann, "late", "failed") == (504, ["Bijou"], failed), (
        "Apollo, Eden and Dome raised TimeoutError after 0, 2.2 and 2.9 seconds, "
        f"because of time limits of their own. Bijou was silent. Ann got {told(ann)}. "
        f'Expected: 504, Bijou under "late", and {failed} under "failed".'
    )
    assert got(ann, "prices") == (504, {"Corso": 45}), (
        f"Three venues failed, one was silent, and Corso answered 45. Ann got "
        f'{told(ann)}. Expected: the price of Corso under "prices".'
    )
    assert got(bob, "prices") == (200, PRICES["Macbeth"]), (
        "Venues failed when they were asked for Ann's show. For Bob's show all five "
        f"answered. He got {told(bob)}. Expected: 200 and five prices."
    )


@pytest.mark.step(4)
async def test_a_venue_that_failed_is_not_reported_as_late(
    clock: Clock, app: RunningApp
) -> None:
    """A call that has raised an exception of any class has failed and is not late."""
    venues = Venues(app, "ask_price", PRICES)
    await venues.answer()
    await is_over(exchange(app, "GET", "/shows/Hamlet/quotes"), clock)
    for error in cases([timeout_of_its_own(), *errors()]):
        venues.close()
        venues.at("Apollo").fail(error)
        await venues.answer("Eden", "Corso", "Bijou", "Dome")
        ann = exchange(app, "GET", "/shows/Hamlet/quotes")
        await clock.advance(MOMENT)
        await responds(ann)
        expected = (200, without(PRICES["Hamlet"], "Apollo"), [], ["Apollo"])
        assert got(ann, "prices", "late", "failed") == expected, (
            f"Apollo raised {error!r} at once, and the other venues answered. After "
            f"{MOMENT} seconds Ann had {told(ann)}. "
            'Expected: 200, four prices, and Apollo under "failed". No venue is late.'
        )

    venues.close()
    for venue in PRICES["Hamlet"]:
        venues.at(venue).fail(ConnectionError("connection refused"))
    cleo = exchange(app, "GET", "/shows/Hamlet/quotes")
    await clock.advance(MOMENT)
    await responds(cleo)
    nothing = (200, {}, [], sorted(PRICES["Hamlet"]))
    assert got(cleo, "prices", "late", "failed") == nothing, (
        f"All five venues refused the connection. Cleo got {told(cleo)}. "
        'Expected: 200, with no prices and the five venues under "failed". No venue is '
        "late."
    )

    venues.close()
    await venues.answer("Bijou", "Corso", "Dome", "Eden")
    eve = exchange(app, "GET", "/shows/Hamlet/quotes")
    await becomes(lambda: venues.in_flight() == ["Apollo"])
    await clock.advance(3.1)
    await responds(eve)
    assert got(eve, "late", "failed") == (504, ["Apollo"], []), (
        "Apollo had failed for other customers. Now it was silent for three seconds. "
        f'Eve got {told(eve)}. Expected: 504, Apollo under "late", none "failed".'
    )


# ---------------------------------------------------------------- step 5


@pytest.mark.step(5)
@pytest.mark.timeline
async def test_a_declined_part_stops_the_others(app: RunningApp) -> None:
    """`gather()` raises the first exception and leaves the other tasks running."""
    bank = Bank(app)
    bob = exchange(app, "POST", "/payments", json=parts("Bob's card", "Bob's bonus"))
    await bank.is_charging("Bob's card", "Bob's bonus")

    crowd = [f"{name}'s gift card" for name in CROWD]
    others = [exchange(app, "POST", "/payments", json=parts(each)) for each in crowd]
    assert await bank.is_charging(*crowd), (
        "Bob's two parts were being charged when 14 others paid. Of their parts, "
        f"only these were being charged: {bank.charging(*crowd)}. "
        "Expected: no customer waits for the charges of another one."
    )
    for each in crowd:
        bank.of(each).open(result=True)
    for other in others:
        await is_over(other)

    names = [("Ann", 2, ""), ("Eve", 0, ""), ("Cleo", 1, ""), ("Dan", 1, "card")]
    for name, position, charged in cases(names):
        means = [f"{name}'s {what}" for what in ("card", "bonus", "voucher")]
        customer = exchange(app, "POST", "/payments", json=parts(*means))
        assert await bank.is_charging(*means), (
            f"{name} pays with {', '.join(means)}. Of these, only "
            f"{bank.charging(*means)} were being charged at the same time. "
            "Expected: no part waits for another, as before."
        )
        if charged:
            bank.of(f"{name}'s {charged}").open(result=True)
            await settle()
        story = f"{name}'s card was charged, then " if charged else ""
        story += f"{means[position]} was declined while other parts were being charged"
        bank.of(means[position]).open(result=False)
        assert await responds(customer) or customer.done, (
            f"{story}. There was no response as long as they were. "
            "Expected: a declined part is answered without waiting for the others."
        )
        assert customer.status == 402, (
            f"{story}. {name} got {told(customer)}. "
            "Expected: 402, as for any payment that is declined."
        )
        assert await bank.has_stopped(*means), (
            f"{story}. {name} got a 402. Still being charged after that: "
            f"{', '.join(bank.charging(*means))}. "
            "Expected: the other charges are cancelled."
        )
    assert set(bank.charges.values()) == {1}, (
        f"Calls of charge(), by part: {dict(bank.charges)}. "
        "Expected: each part is charged at most once."
    )
    bank.of("Bob's card").open(result=True)
    bank.of("Bob's bonus").open(result=True)
    await is_over(bob)
    assert (bob.status, bob.content) == (200, {"paid": 40}), (
        "Parts of other payments were declined while Bob's two parts were being "
        f"charged. His were accepted. Bob got {told(bob)}. "
        'Expected: 200 and {"paid": 40}.'
    )


@pytest.mark.step(5)
@pytest.mark.timeline
async def test_two_parts_declined_at_once_are_one_refusal(app: RunningApp) -> None:
    """Tasks that run at the same time can fail at the same time."""
    bank = Bank(app)

    ann = exchange(app, "POST", "/payments", json=parts("card", "bonus", "voucher"))
    await bank.is_charging("card", "bonus", "voucher")
    bank.of("bonus").open(result=False)
    bank.of("voucher").open(result=False)
    await responds(ann)
    assert ann.status == 402, (
        "Ann's bonus and her voucher were declined at the same moment. She got "
        f"{told(ann)}. Expected: 402, one refusal for the whole payment."
    )
    assert await bank.has_stopped("card"), (
        "Ann's bonus and her voucher were declined at the same moment. She got a 402, "
        "and her card was still being charged. "
        "Expected: the other charges are cancelled."
    )

    for customer, declined in cases([("Bob", 0), ("Cleo", 39), ("Dan", 20)]):
        vouchers = [f"{customer}'s voucher {number}" for number in range(40)]
        means = [f"{customer}'s card", *vouchers]
        payment = exchange(app, "POST", "/payments", json=parts(*means))
        await bank.is_charging(*means)
        for number, voucher in enumerate(vouchers):
            bank.of(voucher).open(result=number != declined)
        await responds(payment)
        assert payment.status == 402, (
            f"{customer} paid with a card and 40 vouchers. At the same moment one "
            "voucher was declined and 39 were charged, while the card was still being "
            f"charged. The response was {told(payment)}. "
            "Expected: 402, because one part was declined."
        )


@pytest.mark.step(5)
async def test_parts_that_are_alike_are_separate_charges(app: RunningApp) -> None:
    """A dict has one entry for each key, so equal parts overwrite each other."""
    for answers in cases([[False, True], [True, False]]):
        bank = Bank(app)
        ann = exchange(app, "POST", "/payments", json=parts("gift", "gift", "card"))
        await bank.is_charging("gift", "card")
        order = iter(answers)
        bank.of("gift").results(lambda *_, order=order: next(order)).open()
        await responds(ann)
        first, second = ("charged" if each else "declined" for each in answers)
        assert ann.status == 402, (
            "Ann paid with two gift cards of 20 euros and her card. The first gift "
            f"card was {first}, the second was {second}, and her card was still being "
            f"charged. She got {told(ann)}. Expected: 402, as one part was declined."
        )

    bank = Bank(app)
    bob = exchange(app, "POST", "/payments", json=parts("gift", "gift", "card"))
    await bank.is_charging("gift", "card")
    bank.of("card").open(result=False)
    await responds(bob)
    assert await bank.has_stopped("gift"), (
        "Bob paid with two gift cards of 20 euros and his card, and the card was "
        f"declined. He got {told(bob)}, and a gift card was still being charged. "
        "Expected: the other charges are cancelled."
    )


@pytest.mark.step(5)
@pytest.mark.timeline
async def test_a_broken_bank_stops_the_others_and_declines_nobody(
    app: RunningApp,
) -> None:
    """An error whose meaning you do not know is an error of the server."""
    for error in cases(errors()):
        bank = Bank(app)
        ann = exchange(app, "POST", "/payments", json=parts("card", "bonus"))
        await bank.is_charging("card", "bonus")
        bank.of("bonus").fail(error)
        answered = await is_over(ann)
        assert answered, (
            f"charge() raised {error!r} for Ann's bonus. There was no response as long "
            "as her card was being charged. "
            "Expected: an error is answered without waiting for the other parts."
        )
        assert (ann.status or 500) >= 500, (
            f"charge() raised {error!r} for Ann's bonus. She got {told(ann)}. "
            "Expected: an error of the server, 500 or above. Her bonus is not declined."
        )
        assert await bank.has_stopped("card"), (
            f"charge() raised {error!r} for Ann's bonus. She got {told(ann)}, and her "
            "card was still being charged. Expected: the other charges are cancelled."
        )
        assert bank.charges["bonus", 20] == 1, (
            f"charge() raised {error!r} for Ann's bonus. For this part it was called "
            f"{bank.charges['bonus', 20]} times. "
            "Expected: once, because the bank may have charged the bonus before that."
        )


@pytest.mark.step(5)
async def test_a_payment_is_confirmed_when_every_part_is_charged(
    clock: Clock, app: RunningApp
) -> None:
    """A payment may have no parts, several alike, and take as long as the bank does."""
    bank = Bank(app)
    body = [*parts("card", euros=45), *parts("voucher", "voucher")]

    ann = exchange(app, "POST", "/payments", json=body)
    await bank.is_charging("card", "voucher")
    bank.of("voucher").open(result=True)
    await clock.advance(LONG)
    assert ann.status != 200, (
        f"Ann's card was still being charged after {LONG} seconds. She got "
        f"{told(ann)}. Expected: a payment is confirmed when all parts are charged."
    )
    bank.of("card").open(result=True)
    await is_over(ann, clock)
    charged = {("card", 45): 1, ("voucher", 20): 2}
    assert bank.charges == charged, (
        "Ann paid 45 euros by card and 20 by each of two vouchers. Calls of charge(): "
        f"{dict(bank.charges)}. Expected: every part is charged once."
    )
    assert (ann.status or 500) >= 500 or ann.content == {"paid": 85}, (
        "Ann paid 45 euros by card and 20 by each of two vouchers, and all were "
        f'charged. She got {told(ann)}. Expected: 200 and {{"paid": 85}}.'
    )
    bob = exchange(app, "POST", "/payments", json=[])
    await is_over(bob, clock)
    assert (bob.status, bob.content) == (200, {"paid": 0}), (
        f"Bob's order was free, so his payment had no parts. He got {told(bob)}. "
        'Expected: 200 and {"paid": 0}, as before.'
    )


# ---------------------------------------------------------------- step 6


@pytest.mark.step(6)
async def test_every_price_in_the_response_is_in_the_price_book(
    app: RunningApp, database: Database
) -> None:
    """A session that two tasks use at the same moment may lose what one has added."""
    venues = Venues(app, "ask_price", PRICES)

    managers = {show: notes_prices(app, show, database) for show in PRICES}
    assert await venues.are_asked("Hamlet"), (
        "A manager wanted to write the prices of five venues into the price book. At "
        f"most {venues.most['Hamlet']} of five calls was in flight. "
        "Expected: all five are still asked at the same time."
    )
    assert await venues.serve("Macbeth"), (
        "The venues were working for one manager when another wanted to write the "
        "prices of Macbeth. No venue was asked for the second one. "
        "Expected: no manager waits for another."
    )
    for show in PRICES:
        for venue in PRICES[show]:  # all ten at the same moment
            venues.at(venue, show).open()
    for show, manager in managers.items():
        await is_over(manager)
        prices, stored = PRICES[show], seen(manager)
        assert (manager.status, manager.content) == (200, prices), (
            f"All venues answered at the same moment. The manager of {show} got "
            f"{told(manager)}. Expected: 200 and {prices}."
        )
        rows = sorted((show, *price) for price in prices.items())
        assert [row for row in stored if row[0] == show] == rows, (
            f"The manager of {show} was sent {prices}. When that response started, a "
            f"second connection found these rows: {stored}. "
            "Expected: these five prices are committed before the response starts."
        )

    venues.numbers = {"Hamlet": {**PRICES["Hamlet"], "Corso": 12}}
    later = notes_prices(app, "Hamlet", database)
    await is_over(later)
    stored = await price_book(database)
    for numbers in (venues.numbers, PRICES):
        missing = {
            (show, *price) for show in numbers for price in numbers[show].items()
        } - {*stored}
        assert not missing, (
            "The prices of Hamlet were written again, and the second manager got "
            f"{told(later)}. Missing in the price book after that: {missing}. "
            "Expected: every price of the response, and all earlier ones as before."
        )

    venues.close()
    for show in PRICES:
        notes_prices(app, show, database)
    await venues.are_asked("Hamlet")
    expect_no_wait(await venues.serve_crowd("/shows/{}/prices", "POST"), database.out)
    await venues.answer_crowd()


@pytest.mark.step(6)
async def test_a_session_is_used_by_one_task_at_a_time(
    app: RunningApp, database: Database
) -> None:
    """Whether a shared session fails is luck: it depends on what the pool has idle."""
    venues = Venues(app, "ask_price", PRICES)

    with overlaps() as found:
        managers = [notes_prices(app, show, database) for show in PRICES]
        await venues.are_asked("Hamlet")
        await venues.serve("Macbeth")
        for show in PRICES:
            for venue in PRICES[show]:
                venues.at(venue, show).open()
        for manager in managers:
            await is_over(manager)

    assert not found, (
        "All venues answered at the same moment. One task called "
        f"{found[0]} while another task was still using the same object. "
        "Sometimes that works, and at other times prices are lost. "
        "Expected: each session is used by one task at a time."
    )
    assert {manager.status for manager in managers} == {200}, (
        "All venues answered at the same moment. The managers got "
        f"{' and '.join(map(told, managers))}. Expected: 200 and five prices."
    )


@pytest.mark.step(6)
async def test_a_price_that_was_not_written_is_not_in_the_response(
    app: RunningApp, database: Database
) -> None:
    """Until a commit has succeeded, nothing is written."""
    venues = Venues(app, "ask_price", PRICES)
    await venues.answer()
    first = notes_prices(app, "Hamlet", database)
    await is_over(first)
    assert first.status == 200, (
        f"Venues and database worked. The manager got {told(first)}. Expected: 200."
    )
    with suppress(sqlite3.OperationalError):  # the app has not released its lock
        async with database.failing_writes("prices"):
            refused = notes_prices(app, "Hamlet", database)
            await is_over(refused)
    assert (refused.status or 500) >= 400, (
        f"The database could not write, and the manager got {told(refused)}. "
        "Expected: an error status, because these prices are not in the price book."
    )

    venues.close()
    new_prices = {venue: euros + 3 for venue, euros in PRICES["Hamlet"].items()}
    venues.numbers = {**PRICES, "Hamlet": new_prices}
    venues.at("Dome").fail(ConnectionError("connection refused"))
    await venues.answer("Eden", "Apollo", "Bijou", "Corso")
    partial = notes_prices(app, "Hamlet", database)
    await is_over(partial)
    rows = set(seen(partial))
    claimed = partial.content if partial.status == 200 else {}
    assert all(("Hamlet", *price) in rows for price in claimed.items()), (
        f"Dome could not be reached. The manager got {told(partial)}. When that "
        f"response started, the price book had these rows: {rows}. "
        "Expected: every price in the response is in the price book."
    )

    venues.close()
    await venues.answer(show="Macbeth")
    later = notes_prices(app, "Macbeth", database)
    await is_over(later)
    rows = {(venue, euros) for show, venue, euros in seen(later) if show == "Macbeth"}
    assert (later.status, rows) == (200, {*PRICES["Macbeth"].items()}), (
        "The database failed, then a venue, and then both worked again. The next "
        f"manager got {told(later)}, with {seen(later)} in the price book. "
        "Expected: 200 and five prices, whatever happened before."
    )
    assert await becomes(lambda: database.out == 0), (
        f"All requests are over, and {database.out} connections were never given back. "
        "Expected: every session is closed."
    )
