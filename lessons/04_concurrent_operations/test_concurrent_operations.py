"""The facts of lesson 04, one test each.

The venues and the bank in app.py are replaced by stand-ins that answer when the
test says so. The clock stands still until the test moves it, and a second
connection looks into the database. No test measures time.
"""

import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager

import httpx2
import pytest
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from workshop.testing import (
    LIMIT_SECONDS,
    Clock,
    Database,
    Exchange,
    Gate,
    Rendezvous,
    RunningApp,
    cases,
    exchange,
    settle,
    until_stalled,
)

PRICES = {"Apollo": 31, "Bijou": 27, "Corso": 45, "Dome": 38, "Eden": 29}
# Bijou is sold out. That is an answer, too.
SEATS = {"Apollo": 120, "Bijou": 0, "Corso": 7, "Dome": 44, "Eden": 310}

Ask = Callable[[str, str], Coroutine[object, object, int]]


@pytest.mark.step(1)
@pytest.mark.timeline
async def test_five_venues_are_asked_at_the_same_time(
    app: RunningApp, client: httpx2.AsyncClient
) -> None:
    """Waits add up when each begins only after the one before it is over."""
    venues = Rendezvous(5, "venues")
    tell, served = meeting_at(venues, PRICES), asyncio.get_running_loop()
    stood_still: list[str] = []

    async def ask_price(venue: str, show: str) -> int:
        if asyncio.get_running_loop() is served:
            return await tell(venue, show)
        if not await is_free(served):
            stood_still.append(venue)
            return PRICES[venue]
        told = asyncio.run_coroutine_threadsafe(tell(venue, show), served)
        return await asyncio.wrap_future(told)

    app.replace("ask_price", ask_price)

    answer = await client.get("/shows/Hamlet/prices")

    assert answer.status_code == 200, (
        "Ann asked for the prices in five venues, and every venue has one. She was "
        f"answered {answer.status_code}: {answer.text}. "
        "Expected: 200 and five prices."
    )
    assert not stood_still, (
        "Ann asked for the prices in five venues. Until the last of them had "
        "answered, the whole box office stood still, and nobody else was served. "
        "Expected: all five are asked, and other customers do not notice."
    )
    assert venues.most == 5, (
        f"Ann asked for the prices in five venues. At most {venues.most} of them "
        "was working on an answer at any time, so she waited for one after another. "
        "Expected: all five are asked before the first has answered."
    )
    assert said(answer) == PRICES, (
        f"The prices are {in_words(PRICES)}, and Eden said so first. Ann was "
        f"answered: {answer.text}. "
        "Expected: each venue with its own price."
    )


@pytest.mark.step(2)
async def test_a_broken_venue_is_named_and_the_others_are_shown(
    app: RunningApp, client: httpx2.AsyncClient
) -> None:
    """An exception that is handed out as a value looks like an answer."""
    venues = Rendezvous(5, "venues")
    errors = {"Dome": ConnectionError("the line is dead")}
    app.replace("ask_seats", meeting_at(venues, SEATS, errors))

    answer = await client.get("/shows/Hamlet/seats")

    expected = {"seats": without(SEATS, "Dome"), "failed": ["Dome"]}
    assert (answer.status_code, said(answer)) == (200, expected), (
        "Dome could not be reached, the other four venues told their free seats. "
        f"Ann was answered {answer.status_code}: {answer.text}. "
        'Expected: 200, four venues under "seats", and Dome under "failed".'
    )
    assert venues.most == 5, (
        f"Dome could not be reached. At most {venues.most} of five venues was "
        "working on an answer at any time. "
        "Expected: all five are still asked at the same time."
    )


@pytest.mark.step(2)
async def test_every_broken_venue_is_named(
    app: RunningApp, client: httpx2.AsyncClient
) -> None:
    """One failure says nothing about the others, neither good nor bad."""
    venues = Rendezvous(5, "venues")
    errors = {
        "Apollo": ConnectionError("the line is dead"),
        "Corso": ValueError("that is not a number"),
        "Eden": TimeoutError("the venue's own computer was too slow"),
    }
    app.replace("ask_seats", meeting_at(venues, SEATS, errors))

    answer = await client.get("/shows/Hamlet/seats")

    expected = {"seats": without(SEATS, *errors), "failed": [*errors]}
    assert (answer.status_code, said(answer)) == (200, expected), (
        "Apollo, Corso and Eden failed, each in its own way. Bijou is sold out and "
        f"Dome has 44 seats. Ann was answered {answer.status_code}: {answer.text}. "
        'Expected: 200, Bijou and Dome under "seats", the others under "failed".'
    )


@pytest.mark.step(3)
@pytest.mark.timeline
async def test_after_three_seconds_the_customer_is_told_what_is_known(
    app: RunningApp, clock: Clock
) -> None:
    """One budget is for all waits together, and ends them all."""
    venues = gates(PRICES)
    app.replace("ask_price", asking(venues))

    ann = exchange(app, "GET", "/shows/Hamlet/quotes")
    venues["Dome"].open()
    await clock.advance(2.9)
    assert not ann.complete, (
        "Dome had answered, four venues were silent. Ann was not left to wait for "
        f"three seconds. She was answered {ann.status}: {ann.body.decode()}. "
        "Expected: a venue has three seconds to answer."
    )
    venues["Corso"].open()
    await clock.advance(0.2)
    assert ann.complete, (
        "Apollo, Bijou and Eden were silent, the others had answered. Three "
        f"seconds had passed, and Ann was still waiting.{which_clock(app)} "
        "Expected: after three seconds she has an answer, however many are silent."
    )
    expected = quotes("Corso", "Dome", late=["Apollo", "Bijou", "Eden"])
    assert (ann.status, told(ann)) == (504, expected), (
        "Corso and Dome had answered within three seconds, the others had not. "
        f"Ann was answered {ann.status}: {ann.body.decode()}. "
        'Expected: 504, two prices, and the three silent venues under "late".'
    )
    await ann.finished()
    await settle()
    working = [name for name, venue in venues.items() if venue.waiting]
    assert not working, (
        "Ann has been told which venues were late. After that, these were still "
        f"being asked for her: {', '.join(working)}. "
        "Expected: what we give up on is stopped."
    )

    for venue in venues.values():
        venue.open()
    bob = exchange(app, "GET", "/shows/Hamlet/quotes")
    await settle(100)
    assert (bob.status, told(bob)) == (200, quotes(*PRICES)), (
        "All five venues answered Bob at once. No time had passed, and by then he "
        f"was answered {so_far(bob)}. "
        "Expected: 200 and five prices, as soon as the last venue has answered."
    )


@pytest.mark.step(4)
async def test_a_venue_that_gave_up_by_itself_is_not_called_late(
    app: RunningApp, clock: Clock
) -> None:
    """A timeout is the message of whoever set it, and it need not be yours."""
    venues = gates(PRICES)
    app.replace("ask_price", asking(venues))
    venues["Apollo"].fail(TimeoutError("Apollo waited for its own database"))
    for name in without(PRICES, "Apollo"):
        venues[name].open()

    ann = exchange(app, "GET", "/shows/Hamlet/quotes")
    await settle(100)

    expected = quotes("Bijou", "Corso", "Dome", "Eden", failed=["Apollo"])
    assert (ann.status, told(ann)) == (200, expected), (
        "Apollo gave up by itself at once, because its own database had timed out. "
        f"The other venues answered. Ann was answered {ann.status}: {summary(ann)}. "
        'Expected: 200, four prices, and Apollo under "failed". Nobody is late.'
    )


@pytest.mark.step(4)
async def test_silent_and_broken_venues_are_told_apart(
    app: RunningApp, clock: Clock
) -> None:
    """Whether your own time is up is something that you can ask."""
    venues = gates(PRICES)
    app.replace("ask_price", asking(venues))
    for name in ("Apollo", "Eden"):
        gave_up = TimeoutError()  # as asyncio.timeout() raises it: no text, but a cause
        gave_up.__cause__ = asyncio.CancelledError()
        venues[name].fail(gave_up)
    for name in ("Corso", "Dome"):
        venues[name].open()

    ann = exchange(app, "GET", "/shows/Hamlet/quotes")
    await clock.advance(2.9)
    assert not ann.complete, (
        "Apollo and Eden gave up by themselves at once, and Bijou was silent. Ann was "
        f"answered {ann.status} before three seconds had passed. "
        "Expected: Bijou has three seconds, whatever happens to the others."
    )
    await clock.advance(0.2)
    expected = quotes("Corso", "Dome", late=["Bijou"], failed=["Apollo", "Eden"])
    assert (ann.status, told(ann)) == (504, expected), (
        "Apollo and Eden gave up by themselves at once, and Bijou was silent. After "
        f"three seconds Ann was answered {ann.status}: {summary(ann)}. "
        'Expected: 504, two prices, Apollo and Eden under "failed" and Bijou under '
        '"late".'
    )


@pytest.mark.step(5)
@pytest.mark.timeline
async def test_a_declined_part_stops_the_others(app: RunningApp) -> None:
    """An error that reaches you does not stop those who work beside it."""
    bank = Bank(app)

    ann = exchange(app, "POST", "/payments", json=parts("card", "bonus", "voucher"))
    await bank.is_charging("card", "bonus", "voucher")
    bank.parts["voucher"].open(result=False)
    await answered(ann, "Ann's voucher was declined")
    assert ann.status == 402, (
        "Ann's voucher was declined while her card and her bonus were being "
        f"charged. She was answered {ann.status}. "
        "Expected: 402, as for any payment that is declined."
    )
    assert bank.charging() == [], (
        "Ann was told that her payment is declined, because her voucher was. After "
        f"that her {' and '.join(bank.charging())} were still being charged. "
        "Expected: when one part is declined, the charging of the others is stopped."
    )

    bank = Bank(app)
    eve = exchange(app, "POST", "/payments", json=parts("card", "bonus", "voucher"))
    await bank.is_charging("card", "bonus", "voucher")
    bank.parts["card"].open(result=True)
    await settle()
    bank.parts["voucher"].open(result=False)
    await answered(eve, "Eve's card was charged, and then her voucher was declined")
    assert (eve.status, bank.charging()) == (402, []), (
        "Eve's card was charged, and then her voucher was declined. She was answered "
        f"{eve.status}, and still being charged after that: {bank.charging()}. "
        "Expected: 402, and the charging of the others is stopped."
    )

    bank = Bank(app)
    bob = exchange(app, "POST", "/payments", json=parts("card", "bonus"))
    await bank.is_charging("card", "bonus")
    bank.parts["card"].open(result=True)
    await settle()
    early = bob.complete
    bank.parts["bonus"].open(result=True)
    await answered(bob, "Bob's card and bonus were charged")
    assert (bob.status, told(bob), early) == (200, {"paid": 40}, False), (
        "Bob paid 20 euros with his card and 20 with his bonus, and nothing was "
        f"declined. He was answered {bob.status}: {bob.body.decode()}. "
        'Expected: 200 and {"paid": 40}, when both have been charged.'
    )


@pytest.mark.step(5)
@pytest.mark.timeline
async def test_two_parts_declined_at_once_are_one_refusal(app: RunningApp) -> None:
    """Tasks that run side by side can fail side by side."""
    bank = Bank(app)

    ann = exchange(app, "POST", "/payments", json=parts("card", "bonus", "voucher"))
    await bank.is_charging("card", "bonus", "voucher")
    bank.parts["bonus"].open(result=False)
    bank.parts["voucher"].open(result=False)
    await answered(ann, "Ann's bonus and voucher were declined")
    assert ann.status == 402, (
        "Ann's bonus and her voucher were declined at the same moment. She was "
        f"answered {ann.status}. "
        "Expected: 402, one refusal for the whole payment."
    )
    assert bank.charging() == [], (
        "Ann's bonus and her voucher were declined at the same moment. When she had "
        "been told so, her card was still being charged. "
        "Expected: when one part is declined, the charging of the others is stopped."
    )


@pytest.mark.step(5)
@pytest.mark.timeline
async def test_a_broken_bank_stops_the_others_and_declines_nobody(
    app: RunningApp,
) -> None:
    """Only what you know the meaning of may become an answer to the customer."""
    ways = [
        ("The bank hung up", ConnectionError("the bank has hung up")),
        ("The bank answered in a way that nobody can read", ValueError("no JSON")),
    ]
    for what, error in cases(ways):
        bank = Bank(app)

        ann = exchange(app, "POST", "/payments", json=parts("card", "bonus"))
        await bank.is_charging("card", "bonus")
        bank.parts["bonus"].fail(error)
        await answered(ann, f"{what} when it was asked about Ann's bonus")
        assert (ann.status or 0) >= 500, (
            f"{what} when it was asked about Ann's bonus. She was answered "
            f"{ann.status}. "
            "Expected: an error of the server, 500 or above. Nobody declined her bonus."
        )
        assert bank.charging() == [], (
            f"{what} when it was asked about Ann's bonus, and her payment failed with "
            f"{ann.status}. After that her card was still being charged. "
            "Expected: when one part fails, the charging of the others is stopped."
        )


@pytest.mark.step(6)
async def test_every_price_that_is_told_is_in_the_price_book(
    app: RunningApp, database: Database
) -> None:
    """A session is one conversation: what two tasks say at once is lost."""
    venues = Rendezvous(5, "venues")
    app.replace("ask_price", meeting_at(venues, PRICES, together=True))

    manager = exchange(
        app, "POST", "/shows/Hamlet/prices", probe=lambda: price_book(database)
    )
    await manager.finished()

    _, stored = manager.probed[0]
    assert (manager.status, told(manager)) == (200, PRICES), (
        "All five venues told their prices at the same moment. The manager was "
        f"answered {manager.status}, and {len(stored)} prices are in the price book. "
        "Expected: 200 and the five prices."
    )
    assert stored == sorted(PRICES.items()), (
        f"The manager was told five prices, {PRICES}. When that answer left, a second "
        f"connection found in the price book: {stored}. "
        "Expected: the same five prices, each once."
    )
    assert venues.most == 5, (
        f"At most {venues.most} of five venues was working on a price at any time. "
        "Expected: all five are still asked at the same time."
    )


@pytest.mark.step(6)
async def test_one_conversation_is_about_one_thing_at_a_time(
    app: RunningApp, database: Database
) -> None:
    """Whether a shared session fails is luck: it depends on what the pool has idle."""
    venues = Rendezvous(5, "venues")
    app.replace("ask_price", meeting_at(venues, PRICES, together=True))

    with watched_conversations() as interruptions:
        manager = exchange(app, "POST", "/shows/Hamlet/prices")
        await manager.finished()

    assert not interruptions, (
        "All five venues told their prices at the same moment. A conversation with "
        "the database was still busy with one price when another task began to talk "
        "about the next. Sometimes that works. At other times prices are lost. "
        "Expected: each conversation with the database is about one thing at a time."
    )
    assert manager.status == 200, (
        "All five venues told their prices at the same moment. The manager was "
        f"answered {manager.status}. "
        "Expected: 200 and the five prices."
    )


def said(answer: httpx2.Response) -> object:
    """Return what an answer says: its JSON if it is one, else its text."""
    return readable(answer.content)


def told(request: Exchange) -> object:
    """Return what has been answered so far, with names in alphabetical order."""
    return readable(request.body)


def readable(body: bytes) -> object:
    """Return *body* as JSON, or as text if it is none."""
    try:
        return in_order(json.loads(body))
    except ValueError:
        return body.decode(errors="replace")


def in_order(value: object) -> object:
    """Sort the lists of names in *value*: in which order they come is free."""
    if isinstance(value, dict):
        return {key: in_order(each) for key, each in value.items()}
    return sorted(value, key=str) if isinstance(value, list) else value


def summary(request: Exchange) -> str:
    """Return whom a list of quotes calls late and failed, for a message."""
    body = told(request)
    if not isinstance(body, dict):
        return str(body) or "nothing yet"
    return f"late {body.get('late')}, failed {body.get('failed')}"


def so_far(request: Exchange) -> str:
    """Return status and body of what has been answered, for a message."""
    if request.status is None:
        return "nothing"
    return f"{request.status}: {request.body.decode()}"


def in_words(prices: dict[str, int]) -> str:
    """Return *prices* for a message: "Apollo 31, Bijou 27"."""
    return ", ".join(f"{venue} {euros}" for venue, euros in prices.items())


def which_clock(app: RunningApp) -> str:
    """Return a warning for those who reckon with a clock that stands still here."""
    clocks = (time, time.time, time.monotonic, time.perf_counter)
    if not any(value in clocks for value in vars(app.module).values()):
        return ""
    return " (The tests move the event loop's clock, and the module time has others.)"


def without(values: dict[str, int], *names: str) -> dict[str, int]:
    """Return *values* but for *names*."""
    return {name: value for name, value in values.items() if name not in names}


def quotes(
    *venues: str, late: Sequence[str] = (), failed: Sequence[str] = ()
) -> object:
    """Return the quotes of *venues*, as the app should tell them."""
    prices = {venue: PRICES[venue] for venue in venues}
    return {"prices": prices, "late": [*late], "failed": [*failed]}


def meeting_at(
    venues: Rendezvous,
    answers: dict[str, int],
    errors: Mapping[str, Exception] | None = None,
    *,
    together: bool = False,
) -> Ask:
    """Return a stand-in whose venues wait for each other.

    Then the last venue answers first, or all of them at the same moment.
    """

    async def ask(venue: str, show: str) -> int:
        await venues()
        if not together:
            await settle(10 * (5 - sorted(answers).index(venue)))
        if errors and venue in errors:
            raise errors[venue]
        return answers[venue]

    return ask


async def is_free(loop: asyncio.AbstractEventLoop) -> bool:
    """Tell whether *loop* takes work; ask this from a loop in another thread."""
    turn = threading.Event()
    loop.call_soon_threadsafe(turn.set)
    return await asyncio.to_thread(turn.wait, LIMIT_SECONDS / 3)


def gates(answers: dict[str, int]) -> dict[str, Gate]:
    """Return a gate for each venue, which the test opens when it answers."""
    return {name: Gate(name, result=answer) for name, answer in answers.items()}


def asking(venues: dict[str, Gate]) -> Ask:
    """Return a stand-in that waits at the gate of the venue."""

    async def ask(venue: str, show: str) -> int:
        answer: int = await venues[venue](venue, show)
        return answer

    return ask


def parts(*means: str) -> list[dict[str, object]]:
    """Return what a customer sends to POST /payments: 20 euros by each of *means*."""
    return [{"means": each, "euros": 20} for each in means]


class Bank:
    """Holds every charge until the test says how it ends."""

    def __init__(self, app: RunningApp) -> None:
        self.parts = {each: Gate(each) for each in ("card", "bonus", "voucher")}

        async def charge(means: str, euros: int) -> bool:
            return bool(await self.parts[means](means, euros))

        app.replace("charge", charge)

    def charging(self) -> list[str]:
        """Return what is being charged now."""
        return [means for means, part in self.parts.items() if part.waiting]

    async def is_charging(self, *means: str) -> None:
        """Wait until all of *means* are being charged, at the same time."""
        await until_stalled(
            asyncio.gather(*(self.parts[each].entered() for each in means)),
            otherwise=f"Ann pays with {', '.join(means)}. Not all of them were ever "
            "being charged at the same time. "
            "Expected: no part has to wait for another, as before.",
        )


async def answered(customer: Exchange, what: str) -> None:
    """Wait for the answer to *customer*, and for what it sets in motion."""
    await until_stalled(
        customer.finished(),
        otherwise=f"{what}, and there was no answer as long as another part was "
        "still being charged. "
        "Expected: the customer is answered at once.",
    )
    await settle()


async def price_book(database: Database) -> list[tuple[str, int]]:
    """Return the committed prices, in the order of the venues."""
    rows = await database.fetch("select venue, euros from prices order by venue")
    return [(row["venue"], row["euros"]) for row in rows]


@contextmanager
def watched_conversations() -> Iterator[list[str]]:
    """Note each time a session or connection is used while another task uses it."""
    busy: dict[object, asyncio.Task[object] | None] = {}
    interruptions: list[str] = []

    def watched(name: str, real: Callable[..., Awaitable[object]]) -> object:
        async def method(self: object, *args: object, **options: object) -> object:
            before, now = busy.get(id(self)), asyncio.current_task()
            if before not in (None, now):
                interruptions.append(name)
            busy[id(self)] = now
            try:
                return await real(self, *args, **options)
            finally:
                busy[id(self)] = before

        return method

    verbs = ("execute", "scalar", "scalars", "get", "flush", "commit", "rollback")
    more = ("refresh", "merge", "delete", "stream", "connection", "run_sync")
    with pytest.MonkeyPatch.context() as patch:
        for kind in (AsyncSession, AsyncConnection):
            for name in (*verbs, *more):
                if real := vars(kind).get(name):
                    patch.setattr(kind, name, watched(name, real))
        yield interruptions
