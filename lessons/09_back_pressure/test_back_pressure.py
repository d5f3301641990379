"""The tests of lesson 09, in the order of its steps.

Steps 1 to 3 (prices): each customer requests the price of a different show, so the
tests release one call at a time. Many wait for the Dome while others ask other venues.
Step 4 (seats and payments): the clock stands still until the test moves it, and the
stand-in of `random_pause()` gives each pause a length of its own.
Step 5 (floor plans): a client sends the next chunk when the server asks for it.
Step 6 (export): the database counts each order that is read from it. Clients read the
whole response, stop reading, or leave, and the database fails during an export.

The stand-ins are in world.py. No test measures time.
"""

import re
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from itertools import chain, pairwise, zip_longest

import anyio
import pytest

from workshop.testing import (
    Clock,
    Database,
    Exchange,
    Gate,
    RunningApp,
    cases,
    eventually,
    exchange,
    settle,
    time_follows_loop,
    when_idle,
)

from .world import (
    AHEAD,
    ALLOWED,
    BUFFER,
    LARGEST,
    LIMIT,
    MOMENT,
    ORDERS,
    PATIENCE,
    PLACES,
    SHOWS,
    SILENT,
    WAITING,
    Export,
    Orders,
    SeatMap,
    Storage,
    Upload,
    Venues,
    a_day_passes,
    are_over,
    chunks_of,
    counted,
    endless,
    errors,
    floor_plan,
    in_cancel_scope,
    price_of,
)


@pytest.fixture
async def clock(clock: Clock) -> AsyncIterator[Clock]:
    """The kit's clock, which the module `time` follows in the app."""
    with time_follows_loop():
        yield clock


async def expect_three_calls(venues: Venues, before: str) -> None:
    """Check that the Dome gets three calls at once, neither fewer nor more."""
    venues.forget()
    crowd = venues.request("Dome", *SHOWS[:6])
    calls = await when_idle(lambda: len(venues.in_flight("Dome")))
    assert calls == PLACES, (
        f"{before} Then six customers requested prices from the Dome, "
        f"and {counted(calls, 'call')} in flight at the same time. "
        f"Responses so far: {responses(crowd)}. "
        f"Expected: {PLACES} calls and no response yet, whatever happened before."
    )
    venues.answer("Dome")
    await are_over(crowd)
    assert venues.most["Dome"] == PLACES, (
        f"{before} Then six customers requested prices from the Dome, and up to "
        f"{venues.most['Dome']} calls were in flight. Expected: {PLACES} at most."
    )
    expect_prices("Dome", crowd, SHOWS, before)


def responses(requests: Iterable[Exchange]) -> str:
    """Return how many of these requests have which status, for a message."""
    counts = Counter(request.status or 500 for request in requests if request.done)
    return ", ".join(f"{n} with {status}" for status, n in counts.items()) or "none"


def expect_prices(
    venue: str, requests: list[Exchange], shows: list[str], before: str
) -> None:
    """Check that each customer got the price of their own show."""
    for request, show in zip(requests, shows, strict=False):
        euros = {"euros": price_of(venue, show)}
        assert (request.status, request.content) == (200, euros), (
            f"{before} {venue} answered {euros} for {show}. "
            f"That customer got {request.in_words}. Expected: 200 and that price."
        )


# ---------------------------------------------------------------- step 1


@pytest.mark.step(1)
@pytest.mark.timeline
async def test_a_slow_venue_occupies_only_its_own_places(
    clock: Clock, app: RunningApp
) -> None:
    """A limit shared by all partners lets the slowest one use all of it."""
    venues = Venues(app)
    venues.request("Dome", *SHOWS[:PLACES])
    await when_idle(lambda: None)
    for venue in ("Apollo", "Bijou", "Eden", "Corso"):
        (customer,) = venues.request(venue, "Hamlet")
        assert await venues.are_working(venue, 1), (
            "Three customers were waiting for the Dome, which did not answer. Another "
            f"customer requested a price from {venue}. {venue} was not called. "
            "Expected: a slow venue delays only its own customers."
        )
        venues.answer(venue, "Hamlet")
        await are_over([customer])
        expect_prices(venue, [customer], ["Hamlet"], "The Dome was silent.")


@pytest.mark.step(1)
async def test_each_venue_gets_three_calls_at_the_same_time(
    clock: Clock, app: RunningApp
) -> None:
    """A limit works only if all requests for a venue share it."""
    venues = Venues(app)
    crowds = {"Dome": venues.request("Dome", *SHOWS[:PLACES])}
    await when_idle(lambda: None)
    crowds["Dome"] += venues.request("Dome", *SHOWS[PLACES:6])
    for venue in ("Corso", "Apollo", "Bijou", "Eden"):
        crowds[venue] = venues.request(venue, *SHOWS[:6])
    await when_idle(lambda: None)
    await a_day_passes(clock)
    for venue in crowds:
        calls = await when_idle(lambda venue=venue: len(venues.in_flight(venue)))
        assert calls == PLACES, (
            f"Every venue was slow. Six customers of {venue} requested prices, each "
            f"for another show. {counted(calls, 'call')} in flight. "
            f"Expected: {PLACES} calls to each venue, counted over all requests."
        )
        over = [request for request in crowds[venue] if request.done]
        assert not over, (
            f"Every venue was slow. Six customers of {venue} requested prices. Three "
            f"calls were in flight, and a day passed. Responses: {responses(over)}. "
            "Expected: none yet, because the other three requests wait for a place."
        )
    for venue, crowd in crowds.items():
        venues.answer(venue, venues.in_flight(venue)[0])
        calls = await when_idle(lambda venue=venue: len(venues.in_flight(venue)))
        assert calls == PLACES, (
            f"{venue} answered one of three calls while three more requests waited. A "
            f"place became free, but then {counted(calls, 'call')} in flight. "
            f"Expected: {PLACES}, because a waiting request gets a free place at once, "
            "without looking for one from time to time."
        )
        for show in SHOWS[:6]:
            venues.answer(venue, show)
            await settle()
        await are_over(crowd)
        assert venues.most[venue] == PLACES, (
            f"{venue} answered one customer after another. Up to {venues.most[venue]} "
            f"calls were in flight at the same time. Expected: {PLACES} at most."
        )
        expect_prices(venue, crowd, SHOWS, "The venues answered after a day.")

    venues.forget()
    crowd = venues.request("Corso", *SHOWS[:PLACES])
    await when_idle(lambda: None)
    venues.answer("Corso", SHOWS[0])
    await are_over(crowd[:1])
    crowd += venues.request("Corso", *SHOWS[PLACES:7])
    calls = await when_idle(lambda: len(venues.in_flight("Corso")))
    assert calls == PLACES, (
        "Three calls to Corso were in flight, and no request waited. One call ended, "
        f"and four more requests came. Then {counted(calls, 'call')} in flight. "
        f"Expected: {PLACES}, even if no request was waiting when the place became "
        "free."
    )
    crowd += venues.request("Corso", SHOWS[0])
    venues.answer("Corso")
    await are_over(crowd)
    crowd += venues.request("Corso", SHOWS[0], SHOWS[0])
    await are_over(crowd)
    calls = venues.asked.count(("Corso", SHOWS[0]))
    assert calls == 4, (
        f"Four customers requested the price of {SHOWS[0]} from Corso, two of them at "
        f"the same time. Corso was called {calls} times. "
        "Expected: one call for each request, because prices change."
    )


# ---------------------------------------------------------------- step 2


@pytest.mark.step(2)
async def test_a_place_is_released_when_a_call_fails(
    clock: Clock, app: RunningApp
) -> None:
    """Code after a call does not run if the call raises an exception."""
    venues = Venues(app)
    for error in errors(app):
        venues.forget()
        for show in SHOWS[:PLACES]:
            venues.at("Dome", show).fail(error)
        failed = venues.request("Dome", *SHOWS[:PLACES])
        await are_over(failed)
        statuses = [request.status or 500 for request in failed]
        assert min(statuses) >= 500, (
            f"The calls to the Dome raised {error!r}, and the customers got "
            f"{[request.in_words for request in failed]}. Expected: 500 or above."
        )
        (later,) = venues.request("Dome", "Hamlet")
        asked = await venues.are_working("Dome", 1)
        assert asked, (
            f"Three calls to the Dome raised {error!r}. Then another customer "
            "requested a price from the Dome, but the Dome was not called. "
            "Expected: a failed call releases its place."
        )
        venues.answer("Dome", "Hamlet")
        await are_over([later])
    await expect_three_calls(venues, f"{3 * len(errors(app))} calls had failed.")

    venues.forget()
    crowd = venues.request("Dome", *SHOWS[:6])
    await when_idle(lambda: None)
    venues.at("Dome", SHOWS[0]).fail(ValueError("that is not a number"))
    calls = await when_idle(lambda: len(venues.in_flight("Dome")))
    assert calls == PLACES, (
        "Three calls to the Dome were in flight and three requests were waiting. One "
        f"call failed. Then {counted(calls, 'call')} in flight. "
        "Expected: one waiting request gets the place of the failed call."
    )
    venues.answer("Dome")
    await are_over(crowd)


@pytest.mark.step(2)
async def test_a_place_is_released_when_a_request_is_cancelled(
    clock: Clock, app: RunningApp
) -> None:
    """A cancelled request may hold a place, wait for one, or be about to get one."""
    venues = Venues(app)
    requests = venues.request("Dome", *SHOWS[:5])
    await when_idle(lambda: None)
    for request in reversed(requests):
        request.cancel()
    await are_over(requests)
    await expect_three_calls(
        venues,
        "Five requests were cancelled: three with calls to the Dome in flight and two "
        "that were waiting.",
    )

    scopes: list[anyio.CancelScope] = []
    for turns in (0, 1, 2, 4, 50):
        venues.forget()
        asgi = in_cancel_scope(app, scopes)
        path = "/venues/Dome/prices/{}"
        requests = [exchange(asgi, "GET", path.format(show)) for show in SHOWS[:5]]
        await settle(turns)
        for scope in reversed(scopes):
            scope.cancel()
        await are_over(requests)
    await expect_three_calls(venues, "Five requests were cancelled by their timeout.")

    for turn in range(12):
        venues.forget()
        requests = venues.request("Dome", *SHOWS[:5])
        await when_idle(lambda: None)
        venues.answer("Dome", SHOWS[0])
        await settle(turn)
        requests[3].cancel()
        await settle(turn % 3)
        requests[4].cancel()
        venues.answer("Dome")
        await are_over(requests)
    await expect_three_calls(
        venues, "Requests were cancelled at the moment when a place became free."
    )

    for turn in range(24):
        venues.forget()
        requests = venues.request("Dome", *SHOWS[:6])
        await when_idle(lambda: None)
        venues.answer("Dome", SHOWS[0])
        await settle(turn)
        requests[3].cancel()
        calls = await when_idle(lambda: len(venues.in_flight("Dome")))
        assert calls == PLACES, (
            "Three calls to the Dome were in flight and three requests were waiting. "
            "One call ended, and the first waiting request was cancelled just as it "
            f"got the place. Then {counted(calls, 'call')} in flight. "
            f"Expected: {PLACES}, because the next request gets that place."
        )
        venues.answer("Dome")
        await are_over(requests)


# ---------------------------------------------------------------- step 3


@pytest.mark.step(3)
async def test_a_full_line_is_refused_at_once(clock: Clock, app: RunningApp) -> None:
    """A queue without a limit accepts requests that it cannot serve in time."""
    venues = Venues(app)
    for before in cases(["It was noon.", "Errors and cancelled requests followed."]):
        venues.forget()
        crowd = dict(zip(SHOWS, venues.request("Dome", *SHOWS[:12]), strict=False))
        await when_idle(lambda: None)
        refused = [it for it in crowd.values() if it.complete]
        statuses = [request.status for request in refused]
        assert statuses == [503] * 4, (
            f"{before} Twelve customers requested prices from the Dome, which was "
            f"silent. {counted(len(venues.in_flight('Dome')), 'call')} in flight. "
            f"Responses: {responses(refused)}. Expected: "
            "three calls are in flight, five requests wait, and four get a 503 at once."
        )
        for customer in refused:
            seconds = customer.headers.get("retry-after", "")
            assert re.fullmatch("[1-9][0-9]*", seconds), (
                f"A customer got {customer.in_words}, with Retry-After {seconds!r}. "
                "Expected: a whole number of seconds above zero."
            )
        (ann,) = venues.request("Apollo", "Hamlet")
        assert await venues.are_working("Apollo", 1), (
            f"The Dome's line was full. Ann requested a price from Apollo and got "
            f"{ann.in_words}. Expected: each venue has a line of its own."
        )
        venues.answer("Apollo", "Hamlet")
        await a_day_passes(clock)
        asked = [show for venue, show in venues.asked if venue == "Dome"]
        assert len(asked) == PLACES, (
            f"The Dome was silent for a day, and {counted(len(asked), 'call')} made. "
            f"Expected: {PLACES}, because a refused request calls no venue."
        )
        accepted = {show: it for show, it in crowd.items() if it not in refused}
        cancelled, left, failed, *served = accepted
        accepted[cancelled].cancel()
        accepted[left].disconnect()
        venues.at("Dome", failed).fail(ValueError("that is not a number"))
        venues.answer("Dome", left, *served)
        await clock.advance(MOMENT)
        await are_over([*accepted.values(), ann])
        expect_prices("Dome", [accepted[show] for show in served], served, before)


@pytest.mark.step(3)
async def test_clients_that_have_left_are_not_served(
    clock: Clock, app: RunningApp
) -> None:
    """A server does not stop a waiting endpoint when its client disconnects."""
    venues = Venues(app)
    everybody = [0, 1, 2, 3, 4]
    for left, seconds in cases([
        ([1, 3], MOMENT), (everybody, MOMENT), ([4], 0), (everybody, 0),
    ]):  # fmt: skip
        venues.forget()
        shows = SHOWS[: PLACES + WAITING]
        crowd = dict(zip(shows, venues.request("Dome", *shows), strict=True))
        await when_idle(lambda: None)
        await a_day_passes(clock)
        waiting = [show for show in shows if show not in venues.in_flight("Dome")]
        assert len(waiting) == WAITING, (
            f"Eight customers requested prices from the Dome, which was silent for a "
            f"day. {counted(len(shows) - len(waiting), 'call')} in flight. "
            f"Expected: {PLACES}, while {WAITING} requests wait."
        )
        gone = [waiting[number] for number in left]
        for show in gone:
            crowd[show].disconnect()
        await when_idle(lambda: None)
        if seconds:  # otherwise a place becomes free before an app that polls looks
            await clock.advance(seconds)
        venues.answer("Dome")
        await clock.advance(MOMENT)
        await are_over(crowd.values())
        asked = [show for _, show in venues.asked]
        assert not (wrong := set(gone) & set(asked)), (
            f"Five requests were waiting for the Dome. {len(gone)} of their clients "
            f"disconnected. Later the Dome was called for {len(wrong)} of these. "
            "Expected: no call for a client that has disconnected."
        )
        stayed = [show for show in shows if show not in gone]
        before = f"{len(gone)} waiting clients had disconnected."
        expect_prices("Dome", [crowd[show] for show in stayed], stayed, before)
    await expect_three_calls(venues, "Waiting clients had disconnected.")


# ---------------------------------------------------------------- step 4


@pytest.mark.step(4)
async def test_a_payment_is_never_repeated(clock: Clock, app: RunningApp) -> None:
    """After a lost connection, the caller cannot know whether the call took effect."""
    SeatMap(app, clock, pauses=[])
    charged: list[tuple[int, int]] = []
    outcomes = dict(enumerate(errors(app)[:-1], 1))

    async def charge(number: int, euros: int) -> int:
        charged.append((number, euros))
        await anyio.sleep(60)
        if number in outcomes:
            raise outcomes[number]
        return number * euros

    app.replace("charge", charge)
    for number in cases(range(1, len(outcomes) + 2)):
        euros = 20 + number
        order = {"number": number, "euros": euros}
        payment = exchange(app, "POST", "/payments", json=order)
        await a_day_passes(clock)
        await are_over([payment])
        error = outcomes.get(number)
        result = f"raised {error!r}" if error else "succeeded"
        calls = charged.count((number, euros))
        assert calls == 1, (
            f"Ann's payment of {euros} euros took a minute and then {result}. "
            f"The bank was called {calls} times, so she may have been charged as "
            "often. Expected: one call, because a charge is not safe to repeat."
        )
        right = (
            (payment.status or 0) >= 500
            if error
            else (payment.status, payment.content) == (200, {"receipt": number * euros})
        )
        assert right, (
            f"A payment {result} after a minute. The customer got {payment.in_words}. "
            "Expected: "
            f"{'500 or above' if error else f'200 and receipt {number * euros}'}."
        )


@pytest.mark.step(4)
async def test_each_request_is_charged_once(clock: Clock, app: RunningApp) -> None:
    """Two identical requests may be two orders: only the client knows."""
    SeatMap(app, clock, pauses=[])
    charged: list[int] = []

    async def charge(number: int, euros: int) -> int:
        charged.append(number)
        await anyio.sleep(60)
        return 1000 * len(charged) + euros

    app.replace("charge", charge)

    def send(number: int) -> Exchange:
        return exchange(app, "POST", "/payments", json={"number": number, "euros": 5})

    payments = [send(number) for number in range(1, 25)]
    calls = await when_idle(lambda: len(charged))
    assert calls == len(payments), (
        f"{len(payments)} customers paid at the same time, and the bank took a minute. "
        f"{counted(calls, 'call')} made. Expected: one call for each payment at once."
    )
    payments += [send(24)]
    await a_day_passes(clock)
    payments += [send(24)]
    await a_day_passes(clock)
    await are_over(payments)
    assert charged.count(24) == 3, (
        "Order number 24 was paid three times: by two requests at the same time and "
        f"by a third one later. The bank was called {charged.count(24)} times. "
        "Expected: three calls, because each request is a payment."
    )
    for payment in payments:
        assert payment.status == 200, (
            f"The bank accepted all payments. A customer got {payment.in_words}. "
            "Expected: 200 and a receipt."
        )


@pytest.mark.step(4)
async def test_calls_are_repeated_after_random_pauses(
    clock: Clock, app: RunningApp
) -> None:
    """With equal pauses, the retries of all customers come at the same moment."""
    lost = app.module.Unavailable("connection lost")
    pauses = [0.0625, 0.25, 1.5, 1.0]
    seat_map = SeatMap(app, clock, [*pauses])
    ann = seat_map.request("Hamlet", (0, lost), (0, lost), (0, 7))
    bob = seat_map.request("Macbeth", (0, lost), (0, lost), (0, lost), (0, 9))
    for _ in range(40):
        await clock.advance(0.125)
    await are_over([ann, bob])
    times = dict(seat_map.calls)
    counts = {show: len(calls) for show, calls in times.items()}
    assert counts == {"Hamlet": 3, "Macbeth": 3}, (
        "The seat map was unavailable for each call but Ann's third. "
        f"It was called after these numbers of seconds: {times}. "
        "Expected: at most three calls for each customer."
    )
    first = [calls[0] for calls in times.values()]
    assert first == [0, 0], (
        f"Two customers requested free seats at second 0. Their first calls began at "
        f"{first}. Expected: no customer has to wait for another customer's retries."
    )
    gaps = sorted(b - a for t in times.values() for a, b in pairwise(t))
    assert gaps == sorted(pauses), (
        f"random_pause() returned {pauses}. The seat map was called after these "
        f"numbers of seconds: {times}. Expected: each new call begins one such pause "
        "after the previous call failed."
    )
    assert (ann.status, ann.content) == (200, {"free": 7}), (
        f"Ann's third call returned 7. She got {ann.in_words}. "
        "Expected: 200 and 7 free seats."
    )
    last = times["Macbeth"][-1]
    assert (bob.status, seat_map.ended["Macbeth"]) == (503, last), (
        f"Bob's third call failed after {last} seconds. He got {bob.in_words} after "
        f"{seat_map.ended['Macbeth']} seconds. "
        "Expected: a 503 at once, because no call follows."
    )


@pytest.mark.step(4)
async def test_retries_end_with_the_three_seconds(
    clock: Clock, app: RunningApp
) -> None:
    """A retry after the customer's deadline only adds load."""
    lost = app.module.Unavailable("connection lost")
    seat_map = SeatMap(app, clock, [])
    situations = {
        "one call took 2.75 s": ([(2.75, 5)], [], 200),
        "a call lost its connection after 0.5 s, and the next took 2 s": (
            [(0.5, lost), (2, 5)], [0.25], 200,
        ),
        "the first call got no response": ([(SILENT, 5)], [], 503),
        "a call lost its connection after 1 s, and the next got no response": (
            [(1, lost), (SILENT, 5)], [0.5], 503,
        ),
        "a call lost its connection after 2.5 s, and the pause was 1 s": (
            [(2.5, lost), (0, 5)], [1.0], 503,
        ),
        "two calls lost their connections after 1.25 s each, and the third took 1 s": (
            [(1.25, lost), (1.25, lost), (1, 5)], [0.25, 0.125], 503,
        ),
    }  # fmt: skip
    for what, (script, pauses, status) in cases([*situations.items()]):
        seat_map.pauses[:], start = pauses, clock.now
        request = seat_map.request(what, *script)
        for _ in range(8 * PATIENCE):
            await clock.advance(0.125)
        await clock.advance(0.01)  # clocks differ in their last digits
        done, calls = (
            await when_idle(lambda r=request: r.complete),
            seat_map.calls[what],
        )
        assert done, (
            f"Ann requested free seats, and {what}. Three seconds after her request "
            "she had no response. Expected: a response within three seconds."
        )
        assert request.status == status, (
            f"Ann requested free seats, and {what}. She got {request.in_words}. "
            f"Expected: {status}."
        )
        await a_day_passes(clock)
        late = [t for t in calls if t > start + PATIENCE + 0.01]
        assert (seat_map.running, late) == (0, []), (
            f"Ann requested free seats, and {what}. Later, "
            f"{counted(seat_map.running, 'call')} in flight; the calls began "
            f"{[t - start for t in calls]} seconds after her request. "
            "Expected: no call is in flight after her response."
        )


@pytest.mark.step(4)
async def test_each_customer_has_three_seconds(clock: Clock, app: RunningApp) -> None:
    """A wait for other customers takes time too, so the deadline has to cover it."""
    seat_map = SeatMap(app, clock, [])
    shows = ["Hamlet"] * 4 + [f"Show {number}" for number in range(12)]
    crowd = [seat_map.request(show, (SILENT, 5)) for show in shows]
    for _ in range(PATIENCE):
        await clock.advance(1)
    await clock.advance(0.01)  # clocks differ in their last digits
    await when_idle(lambda: None)
    statuses = [request.status for request in crowd if request.complete]
    assert statuses == [503] * len(crowd), (
        f"{len(crowd)} customers requested free seats at the same time, four of them "
        "for the same show. The seat map was silent. Three seconds later, "
        f"{len(statuses)} of them had a response: {statuses}. Expected: 503 for each."
    )
    for what in cases(["got a 503 at second 3", "was cancelled at second 2.25"]):
        ann = seat_map.request(what, (4, 5), (0.5, 5))
        await clock.advance(2)
        bob = seat_map.request(what)
        await clock.advance(0.25)
        if "cancelled" in what:
            ann.cancel()
        for _ in range(11):
            await clock.advance(0.25)
        await are_over([ann, bob])
        assert (bob.status, bob.content) == (200, {"free": 5}), (
            "Ann requested free seats, and Bob requested the free seats of the same "
            "show two seconds later. The seat map needed 4 seconds for the first call "
            f"and half a second for the next. Ann's request {what}. Bob got "
            f"{bob.in_words}. Expected: 200 and 5 free seats, "
            "because Bob has three seconds of his own."
        )


@pytest.mark.step(4)
async def test_only_lost_connections_are_repeated(
    clock: Clock, app: RunningApp
) -> None:
    """Repeating a call helps only if the cause of the failure was temporary."""
    seat_map = SeatMap(app, clock, [])
    unexpected = errors(app)[1:-1]
    for number, error in cases([*enumerate(unexpected)]):
        show = f"show {number}"
        request = seat_map.request(show, (0, error), (0, 5))
        await clock.advance(PATIENCE)
        await are_over([request])
        assert (request.status or 500) >= 500, (
            f"The seat map raised {error!r}. The customer got {request.in_words}. "
            "Expected: 500 or above."
        )
        assert len(seat_map.calls[show]) == 1, (
            f"The seat map raised {error!r}, and was called "
            f"{len(seat_map.calls[show])} times. "
            "Expected: one call, because only `Unavailable` is worth a retry."
        )
    lost = app.module.Unavailable("connection lost")
    seat_map.pauses[:] = [0.5]
    request = seat_map.request("Hamlet", (0, lost), (0, 5))
    await clock.advance(0.25)
    request.cancel()
    await a_day_passes(clock)
    assert len(seat_map.calls["Hamlet"]) == 1, (
        "A request was cancelled while it paused, and the seat map was called again. "
        "Expected: a cancelled request makes no more calls."
    )


# ---------------------------------------------------------------- step 5


def kib(size: int) -> str:
    """Return a number of bytes for a message."""
    return f"{size / 1024:.0f} KiB" if size % 1024 == 0 else f"{size / 1024:.1f} KiB"


def sizes(held: dict[str, int]) -> str:
    """Return how much there is of each plan, for a message."""
    return ", ".join(f"{kib(size)} ({venue})" for venue, size in held.items())


@pytest.mark.step(5)
async def test_a_plan_passes_through_a_small_buffer(
    clock: Clock, app: RunningApp
) -> None:
    """A body that is read in one piece is in memory in one piece, whatever its size."""
    storage = Storage(app)
    storage.gate = Gate("the storage")
    dome, eden = floor_plan(LIMIT, "d"), floor_plan(LIMIT // 2, "e")
    corso = floor_plan(LIMIT // 2, "c")
    plans = {"Dome": dome, "Eden": eden, "Corso": corso}
    uploads = {
        "Dome": Upload(app, "Dome", chunks_of(dome)),
        "Eden": Upload(app, "Eden", chunks_of(eden), length=len(eden)),
        "Corso": Upload(app, "Corso", chunks_of(corso, LARGEST)),
    }
    held = {v: await when_idle(lambda u=u: u.taken) for v, u in uploads.items()}
    await a_day_passes(clock)
    assert max(held.values()) <= BUFFER, (
        f"Three floor plans were uploaded while the storage was busy. Received of "
        f"each, and not yet written: {sizes(held)}. "
        f"Expected: at most {kib(BUFFER)} of a plan wait in memory."
    )
    assert min(held.values()) > 0, (
        f"Three floor plans were uploaded at once. Received of each: {sizes(held)}. "
        "Expected: no upload waits until another one has ended."
    )
    storage.speed = 4096
    storage.gate.open()
    most = 0

    def received() -> list[int]:
        nonlocal most
        gaps = (u.taken - storage.written[v] for v, u in uploads.items())
        most = max(most, *gaps)
        return [u.taken for u in uploads.values()]

    await when_idle(received)
    assert most <= BUFFER, (
        f"Three floor plans were uploaded, and {kib(most)} of one were received but "
        f"not yet written. Expected: at most {kib(BUFFER)} wait in memory."
    )
    for venue, plan in plans.items():
        request, size = uploads[venue].request, len(plan)
        assert (request.status, request.content) == (200, {"bytes": size}), (
            f"{venue} sent a plan of {size} bytes and got {request.in_words}. "
            f"Expected: 200 and {size} bytes, because {LIMIT} bytes are allowed."
        )
        kept = storage.kept.get(venue, b"")
        order = "in order" if kept == plan[: len(kept)] else "not in order"
        assert kept == plan, (
            f"{venue} sent a plan of {size} bytes. The storage has {len(kept)} bytes "
            f"of it, {order}. Expected: all bytes, in order."
        )


@pytest.mark.step(5)
async def test_a_plan_that_is_too_large_is_refused_early(
    clock: Clock, app: RunningApp
) -> None:
    """A chunked request has no Content-Length, and it may never end."""
    storage = Storage(app)
    storage.kept["Dome"] = b"yesterday's plan"
    for name, chunks, length in cases([
        ("chunks without end", endless(), None),
        ("one byte too much", chunks_of(floor_plan(LIMIT + 1)), None),
        ("a Content-Length that is too large", endless(), 50 * LIMIT),
        ("one large chunk", chain([b"x" * (LIMIT + 1)], endless()), None),
    ]):  # fmt: skip
        upload = Upload(app, "Dome", chunks, length=length)
        # Such a client would never stop, so only a few megabytes are allowed.
        responded = await eventually(
            lambda u=upload: u.request.complete or u.taken > 4 * LIMIT
        )
        status, taken = upload.request.status, upload.taken
        upload.request.cancel()
        assert (status, responded) == (413, True), (
            f"The Dome sent {name}. After {kib(taken)} it got "
            f"{upload.request.in_words}. Expected: 413, at the latest when "
            f"{kib(BUFFER)} more than LIMIT ({kib(LIMIT)}) have been received."
        )
        assert taken <= LIMIT + BUFFER, (
            f"The Dome sent {name} and got a 413 after {kib(taken)}. "
            f"Expected: a 413 at the latest after {kib(LIMIT + BUFFER)}."
        )
        await are_over([upload.request])
        expect_yesterdays_plan(storage, f"A plan was refused: {name}.")


def expect_yesterdays_plan(storage: Storage, before: str) -> None:
    """Check that a broken upload leaves nothing behind."""
    kept = storage.kept.get("Dome", b"")
    assert kept == b"yesterday's plan", (
        f"{before} The storage then kept {len(kept)} bytes of it as the Dome's plan. "
        "Expected: yesterday's plan is unchanged, because `open_plan()` keeps "
        "nothing if its block raises an exception."
    )
    assert storage.open == 0, (
        f"{before} Later, {counted(storage.open, 'plan')} still open. Expected: none."
    )


@pytest.mark.step(5)
async def test_an_incomplete_plan_is_not_kept(clock: Clock, app: RunningApp) -> None:
    """A client may disconnect during an upload, and a write may fail."""
    storage = Storage(app)
    storage.kept["Dome"] = b"yesterday's plan"
    half, whole = floor_plan(LIMIT // 2), floor_plan(LIMIT, "n")
    left = Upload(app, "Dome", chunks_of(half), then="leaves")
    await are_over([left.request])
    expect_yesterdays_plan(storage, "A client disconnected in the middle of a plan.")

    cancelled = Upload(app, "Dome", chunks_of(half), then="waits")
    await when_idle(lambda: None)
    cancelled.request.cancel()
    await are_over([cancelled.request])
    expect_yesterdays_plan(storage, "An upload was cancelled.")

    for write, plan, capacity in cases([
        ("first", half, 0), ("last", half, len(half) - 1), ("only", half[:1000], 999),
    ]):  # fmt: skip
        storage.capacity = capacity
        failed = Upload(app, "Dome", chunks_of(plan))
        await are_over([failed.request])
        assert (failed.request.status or 500) >= 500, (
            f"The disk was full when the {write} bytes of a plan were written, and "
            f"the client got {failed.request.in_words}. "
            "Expected: 500 or above, because the plan is not kept."
        )
        expect_yesterdays_plan(storage, f"The disk was full at the {write} write.")

    storage.capacity = LIMIT
    later = Upload(app, "Dome", chunks_of(whole))
    await are_over([later.request])
    assert (later.request.status, storage.kept["Dome"]) == (200, whole), (
        "Some uploads failed, and then the Dome sent a whole plan. It got "
        f"{later.request.in_words}. Expected: 200, and the new plan is kept."
    )


# ---------------------------------------------------------------- step 6


@pytest.fixture
async def orders(database: Database, monkeypatch: pytest.MonkeyPatch) -> Orders:
    """The orders in *database*, which count how many of them have been read."""
    orders = Orders(database)
    for module in (sqlite3, sqlite3.dbapi2):
        monkeypatch.setattr(module, "connect", orders.connect)
    await orders.create()
    return orders


def expect_all_orders(export: Export, orders: Orders, before: str) -> None:
    """Check that each order was sent once, in order, as a line of JSON."""
    lines, wrong = export.lines, "all lines are correct"
    for number, pair in enumerate(zip_longest(lines, orders.all), 1):
        if pair[0] != pair[1]:
            wrong = f"line {number} is {pair[0]!r} instead of {pair[1]!r}"
            break
    assert (export.looks_complete, lines) == (True, orders.all), (
        f"{before} {counted(len(orders.all), 'order')} stored. The client got "
        f"{words(export)}; {wrong}. Expected: 200 and a complete response with each "
        "order once, sorted by number, as a line of JSON."
    )


def words(export: Export) -> str:
    """Return what the client got, for a message."""
    if not export.request.started:
        return f"no response, because of {export.request.error!r}"
    lines = "1 line" if len(export.lines) == 1 else f"{len(export.lines)} lines"
    whole = "a complete" if export.request.complete else "an incomplete"
    return f"{whole} response with status {export.request.status} and {lines}"


@pytest.mark.step(6)
async def test_orders_are_sent_while_others_are_not_yet_read(
    orders: Orders, app: RunningApp
) -> None:
    """A generator sends piece by piece, but may have read everything beforehand."""
    for customer in cases(["Ann", "Bob"]):
        await orders.forget()
        export = await Export(app, orders).over()
        assert export.sent, (
            f"{customer} exported all orders and got {words(export)}. "
            "Expected: 200 and all orders."
        )
        assert export.ahead <= ALLOWED, (
            f"{customer} exported all {ORDERS} orders. Before order {export.worst} was "
            f"sent, {export.ahead} orders had been read from the database but not yet "
            f"sent. Expected: at most {AHEAD}, so that the first order is "
            "sent soon and few orders are in memory."
        )
        held = await orders.in_use()
        assert held == 0, (
            f"{customer}'s export is over. {counted(held, 'connection')} not returned "
            "to the pool. Expected: all connections are in the pool."
        )


@pytest.mark.step(6)
async def test_each_order_is_sent_once_and_in_order(
    orders: Orders, app: RunningApp, database: Database
) -> None:
    """The numbers of the orders have gaps, and customers may have any name."""
    exports = [Export(app, orders), Export(app, orders), Export(app, orders)]
    for export in exports:
        await export.over()
        expect_all_orders(export, orders, "Three clients exported at the same time.")
    await database.execute("insert into stored values (1000000, 'Eve', 7)")
    orders.all.append({"number": 1000000, "customer": "Eve", "euros": 7})
    later = await Export(app, orders).over()
    expect_all_orders(later, orders, "Eve bought a ticket, then a client exported.")
    for left in (2 * AHEAD, 1, 0):
        number = orders.all[left]["number"]
        await database.execute("delete from stored where number >= ?", number)
        del orders.all[left:]
        fewer = await Export(app, orders).over()
        expect_all_orders(fewer, orders, "All but a few orders were deleted.")


@pytest.mark.step(6)
async def test_a_client_that_does_not_read_stops_the_reading(
    orders: Orders, app: RunningApp
) -> None:
    """Reading from the database must wait for the client, however slow it is."""
    exports = {reads: Export(app, orders, reads=reads) for reads in (0, 150, 300)}
    sent = await when_idle(lambda: sum(export.sent for export in exports.values()))
    ahead = await orders.read() - sent
    allowed = len(exports) * ALLOWED
    assert ahead <= allowed, (
        "Three clients began to export all orders, and stopped reading after 0, 150 "
        f"and 300 of them. {ahead} orders had been read from the database but not "
        f"yet sent. Expected: at most {AHEAD} for each client, so that slow clients "
        "cannot fill the memory."
    )
    await orders.forget()
    fast = await Export(app, orders).over()
    expect_all_orders(fast, orders, "Three other clients did not read.")
    for reads, export in exports.items():
        export.network.open()
        await export.over()
        before = f"A client stopped reading after {reads} orders and then went on."
        expect_all_orders(export, orders, before)
    held = await orders.in_use()
    assert held == 0, (
        f"All exports are over. {counted(held, 'connection')} not returned to the "
        "pool. Expected: all connections are in the pool."
    )


@pytest.mark.step(6)
async def test_a_client_that_leaves_ends_the_reading(
    orders: Orders, app: RunningApp
) -> None:
    """A client may leave while the app sends an order, or while it reads some."""
    exports = [Export(app, orders, reads=reads) for reads in (0, 1, 150, 300)]
    sent = await when_idle(lambda: [export.sent for export in exports])
    before = await orders.read()
    for export in exports:
        export.request.disconnect()
    for some in (exports[1:3], exports):  # a send may return before it is cancelled
        for export in some:
            export.network.open()
        await when_idle(lambda: [export.request.done for export in exports])
    await orders.in_use()  # an export that still reads has a connection
    more = await orders.read() - before
    assert more <= len(exports) * ALLOWED, (
        f"Four clients got {sent} orders and left. Then {more} more orders were read "
        f"from the database for them. Expected: at most {AHEAD} for each, because an "
        "export ends when its client leaves."
    )
    for turns in (0, 1, 2, 4, 8, 20, 60, 200):
        exports.append(Export(app, orders))
        await settle(turns)
        exports[-1].request.disconnect()
        await exports[-1].over()
    held = await orders.in_use()
    assert held == 0, (
        f"{len(exports)} clients left before they had received all orders. "
        f"{counted(held, 'connection')} not returned to the pool. "
        "Expected: all connections are in the pool, because other customers need them."
    )
    later = await Export(app, orders).over()
    expect_all_orders(later, orders, "Other clients had left.")


@pytest.mark.step(6)
async def test_an_export_that_fails_does_not_look_complete(
    orders: Orders, app: RunningApp
) -> None:
    """The status is sent first, so only a missing end can show a later error."""
    for place in cases([0, 450, ORDERS - 1]):
        await orders.breaks_at(place)
        broken = await Export(app, orders).over()
        assert not broken.looks_complete, (
            f"The database failed when order {place + 1} of {ORDERS} was read. The "
            f"client got {words(broken)}. Expected: an error before the first order, "
            "or a response that is cut off, so that no client takes it for complete."
        )
        assert broken.request.done, (
            f"The database failed when order {place + 1} of {ORDERS} was read. The "
            f"client got {words(broken)}, and waits for the rest for ever. "
            "Expected: the export ends."
        )
        held = await orders.in_use()
        assert held == 0, (
            f"The database failed when order {place + 1} of {ORDERS} was read. "
            f"{counted(held, 'connection')} not returned to the pool. "
            "Expected: all connections are in the pool, even after an error."
        )
    await orders.breaks_at(None)
    later = await Export(app, orders).over()
    expect_all_orders(later, orders, "The database failed, and then worked again.")
