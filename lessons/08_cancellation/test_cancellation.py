"""The tests of lesson 08, in the order of its steps.

Step 1 (reports): a client disconnects while its report is drawn, while it waits for a
desk, and before anything has begun; once over a real connection. Reports of others go
on, and a desk is free however a report ends. Responses of each kind have their header.
Step 2 (prices): three seconds, also with a library that swallows cancellations, and no
task that continues when a client has disconnected or a request is cancelled.
Step 3 (orders): the ledger has what the bank has charged when a request is over,
wherever and however that request was cancelled.
Step 4 (seats): no call and no task is left when a request is over.

The stand-ins are in world.py. No test measures time; the clock stands still until the
test moves it.
"""

import asyncio
from collections.abc import Callable, Iterable

import pytest

from workshop.testing import (
    Clock,
    Gate,
    RunningApp,
    Serve,
    cases,
    eventually,
    exchange,
    settle,
)

from .world import (
    DAY,
    DISCONNECT,
    MINUTE,
    NATIVE,
    SCOPE,
    TWICE,
    Bank,
    Dome,
    Drawings,
    Venues,
    at_rest,
    errors,
    send,
)


def listed(names: Iterable[str] | None) -> str:
    """Return *names* for a message."""
    return ", ".join(names or ()) or "none"


# ---------------------------------------------------------------- step 1


@pytest.mark.step(1)
async def test_a_report_stops_when_its_client_disconnects(
    clock: Clock, app: RunningApp
) -> None:
    """A disconnect cancels no handler; it is a message that the app has to receive."""
    drawings = Drawings(app)
    ann = exchange(app, "GET", "/shows/Hamlet/report")
    await drawings.are("Hamlet")
    bob = exchange(app, "GET", "/shows/Hamlet/report")
    assert await drawings.are("Hamlet", "Hamlet"), (
        "Two desks were free, and two clients requested a report. Reports being "
        f"drawn: {listed(drawings.under_way)}. "
        "Expected: both reports are drawn at the same time."
    )
    cleo = exchange(app, "GET", "/shows/Othello/report")
    await at_rest()
    dan = exchange(app, "GET", "/shows/Macbeth/report")
    await at_rest()

    ann.disconnect()
    await eventually(lambda: drawings.all[0].over)
    await clock.advance(2)
    assert await eventually(lambda: drawings.all[0].over), (
        "Ann closed her browser. Two seconds later her report was still being drawn, "
        "and it occupied a desk. Expected: her report stops when she disconnects."
    )
    assert not drawings.all[1].over, (
        "Ann and Bob were waiting for a report on the same show. Ann disconnected, and "
        "Bob's report was stopped. Expected: his report continues."
    )
    assert await drawings.are("Hamlet", "Othello"), (
        "Both desks were in use, and Cleo was waiting for one. Ann disconnected. "
        f"Reports being drawn after that: {listed(drawings.under_way)}. "
        "Expected: Cleo's report gets the free desk."
    )

    eve = exchange(app, "GET", "/shows/Lear/report")
    await at_rest()
    eve.disconnect()
    await at_rest()
    await clock.advance(2)
    cleo.disconnect()
    await eventually(lambda: drawings.all[2].over)
    await clock.advance(2)
    await drawings.are("Hamlet", "Macbeth")
    await clock.advance(MINUTE)
    clock.jump(DAY)
    await at_rest()
    drawings.finish()
    for name, request, show in (("Bob", bob, "Hamlet"), ("Dan", dan, "Macbeth")):
        await eventually(lambda request=request: request.complete)
        await clock.advance(1)
        await eventually(lambda request=request: request.complete)
        assert (request.status, request.content) == (200, {"seats": 100 + len(show)}), (
            f"Other clients disconnected. {name}'s report took a day. He got "
            f"{request.in_words}. "
            f"Expected: 200 and the report on {show}; a report has no time limit."
        )
        assert request.headers.get("x-box-office") == "Main Street", (
            f"{name} got {request.in_words} with these headers: "
            f"{dict(request.headers)}. "
            "Expected: every response still has the header X-Box-Office."
        )
    drawn = [drawing.name for drawing in drawings.all]
    assert "Lear" not in drawn, (
        "Eve disconnected while she was waiting for a desk. Later a desk was free, and "
        "her report was drawn. Expected: no report is drawn for a client that has left."
    )


@pytest.mark.step(1)
async def test_a_desk_is_free_however_a_report_ends(
    app: RunningApp, serve: Serve
) -> None:
    """Release a resource however its block is left."""
    drawings = Drawings(app)
    for error in cases(errors()):
        drawings.error = error
        ann = send(app, "GET", "/shows/Hamlet/report")
        await ann.over()
        as_if_drawn = ann.request.content == {"seats": 106}
        assert (ann.request.done, as_if_drawn) == (True, False), (
            f"draw_report() raised {error!r}. Ann got {ann.request.in_words}. "
            "Expected: the request ends with an error."
        )
    drawings.error = None
    for how in cases([NATIVE, SCOPE]):
        ann, bob = (send(app, "GET", "/shows/Hamlet/report") for _ in "ab")
        await drawings.are("Hamlet", "Hamlet")
        cleo = send(app, "GET", "/shows/Othello/report")
        await at_rest()
        await cleo.cancel(how)
        await ann.cancel(how)
        await ann.over()
        assert await drawings.are("Hamlet"), (
            "Ann's and Bob's reports on Hamlet were being drawn. Ann's request was "
            f"cancelled by {how}, and so was Cleo's, which was waiting for a desk. "
            "Reports being drawn after that: "
            f"{listed(drawings.under_way)}. "
            "Expected: one, Bob's."
        )
        drawings.finish()
        await bob.over()
    await closes_a_real_connection(app, serve, drawings)
    before = len(drawings.all)
    for _ in "ab":
        exchange(app, "GET", "/shows/Lear/report")
    await drawings.are("Lear", "Lear")
    assert len(drawings.all) == before + 2, (
        "Earlier reports failed or were cancelled. Then two clients requested reports, "
        f"and {len(drawings.all) - before} of them had a desk. Expected: both have one."
    )


@pytest.mark.step(1)
async def test_a_desk_is_in_use_until_the_drawing_has_ended(
    clock: Clock, app: RunningApp
) -> None:
    """A cancelled task may still be running until it has been awaited."""
    drawings = Drawings(app)
    for how in cases([DISCONNECT, NATIVE, TWICE, SCOPE]):
        drawings.ending = Gate("the pens")
        ann = send(app, "GET", "/shows/Hamlet/report")
        await drawings.are("Hamlet")
        bob = send(app, "GET", "/shows/Lear/report")
        await drawings.are("Hamlet", "Lear")
        cleo = send(app, "GET", "/shows/Othello/report")
        await at_rest()
        if how == DISCONNECT:
            ann.request.disconnect()
            await at_rest()
            await clock.advance(2)
        else:
            await ann.cancel(how)
        await at_rest()
        at_once = drawings.under_way
        assert at_once == ["Hamlet", "Lear"], (
            f"Ann's report on Hamlet was ended by {how}. Her drawing took a "
            "moment to end. Reports being drawn in that moment, at two desks: "
            f"{listed(at_once)}. "
            "Expected: her desk is in use until her drawing has ended."
        )
        drawings.ending.open()
        free = await drawings.are("Lear", "Othello")
        ended = "did not end" if "Hamlet" in drawings.under_way else "ended"
        assert free, (
            f"Ann's report on Hamlet was ended by {how}, and her drawing {ended}. "
            f"Reports being drawn after that: {listed(drawings.under_way)}. "
            "Expected: her drawing ends, and Cleo's report gets the free desk."
        )
        drawings.finish()
        for request in (ann, bob, cleo):
            await request.over()


@pytest.mark.step(1)
async def test_every_response_has_its_header(app: RunningApp) -> None:
    """Middleware sees every response; a dependency sees those of its routes."""
    bank = Bank(app)
    bank.declines = {"Dan"}
    for name in ("Ann", "Dan"):
        bank.open(name)

    async def find_seat(venue: str, show: str) -> str:
        raise ConnectionError("connection refused")

    app.replace("find_seat", find_seat)
    requests = {
        "Ann's order": exchange(app, "POST", "/orders", json={"customer": "Ann"}),
        "Dan's order": exchange(app, "POST", "/orders", json={"customer": "Dan"}),
        "an order without a number": exchange(
            app, "POST", "/orders", json={"euros": "many"}
        ),
        "a page that does not exist": exchange(app, "GET", "/nowhere"),
        "a seat": exchange(app, "GET", "/shows/Hamlet/seat"),
    }
    for what, request in requests.items():
        await eventually(lambda request=request: request.complete)
        assert request.headers.get("x-box-office") == "Main Street", (
            f"A client requested {what}. It got {request.in_words} with these headers: "
            f"{dict(request.headers)}. "
            "Expected: every response still has the header X-Box-Office."
        )


async def closes_a_real_connection(
    app: RunningApp, serve: Serve, drawings: Drawings
) -> None:
    """Check that a report stops when a client of a real server disconnects."""
    async with serve(app) as server:
        _, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(b"GET /shows/Lear/report HTTP/1.1\r\nhost: box-office\r\n\r\n")
        assert await drawings.are("Lear"), (
            "Eve requested a report from a real server. Reports being drawn: "
            f"{drawings.under_way}. Expected: her report."
        )
        writer.close()
        await writer.wait_closed()
        assert await drawings.are(), (
            "Eve closed her connection to a real server, but her report was still "
            "being drawn. Expected: her report stops when she disconnects."
        )


# ---------------------------------------------------------------- step 2


@pytest.mark.step(2)
async def test_a_price_takes_at_most_three_seconds(
    clock: Clock, app: RunningApp
) -> None:
    """A cancellation is only a request: code that receives it may swallow it."""
    for library in cases(Dome.LIBRARIES):
        dome = Dome(app)
        dome.client_library = library
        story = {
            "quotes": "The Dome was silent.",
            "retries": "The Dome was silent. Its library mistook cancellations for "
            "failures and made three attempts in all.",
            "wraps": "The Dome was silent. Its library mistook cancellations for "
            "failures, tried again, and gave up after the third attempt.",
        }[library]
        ann = send(app, "GET", "/shows/Hamlet/price", look=lambda d=dome: +d.in_flight)
        await dome.is_asked("Hamlet")
        await clock.advance(1.5)
        bob = exchange(app, "GET", "/shows/Macbeth/price")
        await dome.is_asked("Macbeth")
        await clock.advance(1.4)
        assert (ann.request.complete, dome.in_flight["Hamlet"]) == (False, 1), (
            f"{story} After 2.9 seconds Ann had {ann.request.in_words}. "
            f"Calls for her in flight: {dome.in_flight['Hamlet']}. "
            "Expected: no response yet, because the Dome has three seconds to answer."
        )
        await clock.advance(0.6)
        assert await eventually(lambda r=ann.request: r.complete), (
            f"{story} After 3.5 seconds, Ann still had no response. "
            "Expected: a response three seconds after her request."
        )
        assert ann.request.status == 504, (
            f"{story} Ann got {ann.request.in_words}. Expected: 504."
        )
        assert ann.request.headers.get("x-box-office") == "Main Street", (
            f"Ann got a 504 with these headers: {dict(ann.request.headers)}. "
            "Expected: every response still has the header X-Box-Office."
        )
        over = await ann.over(clock)
        assert (over, (ann.saw or dome.in_flight)["Hamlet"]) == (True, 0), (
            f"{story} Ann got a 504, but a call for her was still in flight. "
            "Expected: that call has ended when her request is over."
        )
        await clock.advance(0.9)
        dome.at("Macbeth").open()
        await eventually(lambda r=bob: r.complete)
        assert (bob.status, bob.content) == (200, {"euros": 27}), (
            "Bob's request came 1.5 seconds after Ann's. The Dome answered him after "
            f"2.9 seconds. He got {bob.in_words}. Expected: 200 and his price."
        )


@pytest.mark.step(2)
async def test_a_failed_call_is_made_again(clock: Clock, app: RunningApp) -> None:
    """An error is a reason to try again; a cancellation is a reason to stop."""
    dome = Dome(app)
    ann = exchange(app, "GET", "/shows/Hamlet/price")
    for error in cases(errors()):
        await dome.is_asked("Hamlet")
        gate = dome.at("Hamlet")
        dome.close()
        gate.fail(error)
        await at_rest()
        await clock.advance(0.3)
    dome.at("Hamlet").open()
    await clock.advance(0.3)
    await eventually(lambda: ann.complete)
    assert (ann.status, ann.content) == (200, {"euros": 26}), (
        f"The Dome raised {len(errors())} different errors within two seconds, and "
        f"then it answered. Ann got {ann.in_words}. "
        "Expected: 200 and her price, as before."
    )
    dome.at("Macbeth").fail(ConnectionError("connection refused"))
    bob = exchange(app, "GET", "/shows/Macbeth/price")
    await eventually(lambda: dome.asked["Macbeth"] > 0)
    await at_rest()
    await clock.advance(2.9)
    early = bob.complete
    await clock.advance(0.6)
    await eventually(lambda: bob.complete)
    asked = dome.asked["Macbeth"]
    await clock.advance(10)
    assert (early, bob.status, dome.asked["Macbeth"]) == (False, 504, asked), (
        f"The Dome refused every connection. Bob got {bob.in_words}. The Dome was "
        f"called for him {asked} times within 3.5 seconds, and "
        f"{dome.asked['Macbeth']} times within 13.5. "
        "Expected: 504 after three seconds, and no call after that."
    )


@pytest.mark.step(2)
async def test_a_ticker_ends_when_its_client_disconnects(
    clock: Clock, app: RunningApp
) -> None:
    """An anyio scope keeps cancelling: code that swallows every cancellation spins."""
    for library in cases(Dome.LIBRARIES):
        dome = Dome(app)
        dome.client_library = library
        ann, bob = (
            exchange(app, "GET", f"/shows/{show}/ticker")
            for show in ("Hamlet", "Macbeth")
        )
        await dome.is_asked("Hamlet")
        await dome.is_asked("Macbeth")
        await clock.advance(60)
        first = dome.at("Hamlet")
        dome.close()
        first.open()
        await dome.is_asked("Hamlet")
        assert (ann.content, ann.done) == (26, False), (
            f"The Dome answered after a minute. Ann's ticker had {ann.in_words}. "
            "Expected: a line with that price, and the stream continues."
        )
        assert ann.headers.get("x-box-office") == "Main Street", (
            f"Ann's ticker had these headers: {dict(ann.headers)}. "
            "Expected: every response still has the header X-Box-Office."
        )
        ann.disconnect()
        await at_rest()
        await clock.advance(1)
        ended = await eventually(lambda r=ann: r.done)
        assert (ended, dome.in_flight["Hamlet"]) == (True, 0), (
            "Ann closed her ticker while the Dome was being asked. Her request "
            f"{'ended' if ended else 'did not end'}. "
            f"Calls for her still in flight: {dome.in_flight['Hamlet']}. "
            "Expected: the request ends, and no call is in flight."
        )
        assert not bob.done, (
            "Ann closed her ticker, and Bob's ticker ended. Expected: it continues."
        )
        bob.disconnect()
        await at_rest()
        await clock.advance(1)


@pytest.mark.step(2)
async def test_a_cancelled_price_ends(clock: Clock, app: RunningApp) -> None:
    """A server cancels once, so a library that swallows the cancellation continues."""
    stories = {
        "quotes": "",
        "retries": "The library mistook the cancellation for a failure and tried "
        "again. ",
        "wraps": "The library mistook the cancellation for a failure and tried again. ",
        "answers": "The library mistook the cancellation for a failure, and its next "
        "attempt got an answer. ",
    }
    for how, library in cases(
        [
            (NATIVE, "quotes"),
            (SCOPE, "quotes"),
            (SCOPE, "wraps"),
            (NATIVE, "answers"),
            (NATIVE, "retries"),
            (NATIVE, "wraps"),
        ]
    ):
        dome = Dome(app)
        dome.client_library = library
        ann = send(app, "GET", "/shows/Hamlet/price", look=lambda d=dome: +d.in_flight)
        await dome.is_asked("Hamlet")
        await clock.advance(0.5)
        await ann.cancel(how)
        await at_rest()
        await clock.advance(0.5)
        ended = await eventually(lambda r=ann.request: r.done)
        asked = (ann.saw or dome.in_flight)["Hamlet"]
        assert (ended, ann.was_cancelled, asked) == (True, True, 0), (
            f"Ann's request was cancelled by {how} while the Dome was being asked. "
            f"{stories[library]}Half a second later, {ann.outcome}. "
            f"Calls to the Dome still in flight: {asked}. "
            "Expected: the call has ended, and the request ends as cancelled."
        )


# ---------------------------------------------------------------- step 3


@pytest.mark.step(3)
async def test_a_charge_is_recorded_before_its_request_is_over(
    clock: Clock, app: RunningApp
) -> None:
    """`asyncio.shield()` protects the task inside, but not the code after it."""
    for where in ("charge", "record"):
        for how in cases([NATIVE, TWICE, SCOPE, DISCONNECT]):
            bank = Bank(app)
            bank.open("Bob")
            ann = send(app, "POST", "/orders", json={"customer": "Ann"}, look=bank.look)
            assert await bank.reached("charge", "Ann"), (
                "Ann ordered, and charge() was not called. Expected: she is charged."
            )
            if where == "record":
                bank.at("charge", "Ann").open()
                await bank.reached("record", "Ann")
            orders = [{"customer": "Bob", "euros": euros} for euros in (30, 45)]
            bob, twin = (exchange(app, "POST", "/orders", json=o) for o in orders)
            await eventually(lambda a=bob, b=twin: a.complete and b.complete)
            if how == DISCONNECT:
                ann.request.disconnect()
            else:
                await ann.cancel(how)
            await at_rest()
            await clock.advance(10)
            clock.jump(DAY)
            await at_rest()
            bank.open("Ann")
            await ann.over(clock)
            charged, ledger = ann.saw or bank.look()
            assert ledger == charged == ["Ann 20", "Bob 30", "Bob 45"], (
                f"Ann's request was ended by {how} during {where}(). The bank was "
                f"slow. When her request was over, charged: {listed(charged)}; "
                f"in the ledger: {listed(ledger)}. "
                "Expected: every charge is in the ledger when its request is over."
            )
            assert ann.was_cancelled or how not in (NATIVE, TWICE), (
                f"Ann's request was ended by {how}. It went on as if nothing had "
                f"happened, and she got {ann.request.in_words}. "
                "Expected: after the charge is recorded, the request ends as cancelled."
            )
            assert (bob.status, bob.content) == (201, {"sold": "Bob"}), (
                "Bob ordered twice while Ann's charge was in flight. He got "
                f"{bob.in_words}. Expected: 201, without waiting for her."
            )


@pytest.mark.step(3)
async def test_charged_and_recorded_or_neither(clock: Clock, app: RunningApp) -> None:
    """Each await is a place where a request can be cancelled."""
    for how in cases([NATIVE, SCOPE]):
        for turn in range(80):
            bank = Bank(app)
            bank.open("Ann")
            ann = send(app, "POST", "/orders", json={"customer": "Ann"}, look=bank.look)
            await settle(turn)
            if ann.request.done:
                break
            await ann.cancel(how)
            await ann.over(clock)
            assert ann.request.done, (
                f"Ann's request was cancelled by {how}, and it never ended. "
                "Expected: it ends when the charge is recorded."
            )
            charged, ledger = ann.saw
            assert charged == ledger, (
                f"Ann's request was cancelled by {how}. When it was over, charged: "
                f"{listed(charged)}; in the ledger: {listed(ledger)}. "
                f"Turns of the event loop before the cancellation: {turn}. "
                "Expected: charged and recorded, or neither."
            )


@pytest.mark.step(3)
async def test_what_was_not_charged_is_not_recorded(
    clock: Clock, app: RunningApp
) -> None:
    """Work that has to be finished can also fail, before or after a cancellation."""
    for how in cases(["", NATIVE, SCOPE]):
        for error in (None, *errors()):
            bank = Bank(app)
            bank.declines, bank.error = {"Ann"}, error
            ann = send(app, "POST", "/orders", json={"customer": "Ann"}, look=bank.look)
            await bank.reached("charge", "Ann")
            if how:
                await ann.cancel(how)
            bank.open("Ann")
            await ann.over(clock)
            result = "the bank declined the charge"
            if error:
                result = f"`charge()` raised {error!r}"
            assert (ann.request.done, bank.ledger) == (True, []), (
                f"Ann ordered, and {result}. She got {ann.request.in_words}, and in "
                f"the ledger: {bank.ledger}. "
                "Expected: nothing is recorded, and the request ends."
            )
            assert ann.was_cancelled or how != NATIVE, (
                f"Ann's request was cancelled by {how}. Then {result}. When that was "
                f"over, {ann.outcome}. Expected: the request ends as cancelled."
            )
            wanted = 500 if error else 402
            assert how or (ann.request.status or 500) == wanted, (
                f"Ann ordered, and {result}. She got {ann.request.in_words}. "
                f"Expected: {wanted}."
            )


# ---------------------------------------------------------------- step 4


@pytest.mark.step(4)
@pytest.mark.timeline
async def test_the_other_calls_end_with_the_request(
    clock: Clock, app: RunningApp
) -> None:
    """A task runs until it has ended, whether or not anything awaits it."""
    venues = Venues(app)
    bob = exchange(app, "GET", "/shows/Macbeth/seat")
    await venues.are_asked("Macbeth")
    for venue in cases(["Bijou", "Corso", "Apollo"]):
        ann = send(app, "GET", "/shows/Hamlet/seat", look=venues.unended)
        assert await venues.are_asked(), (
            "Ann requested a seat. Venues being asked: "
            f"{listed(venues.in_flight())}. "
            "Expected: all venues are asked at the same time."
        )
        venues.of(venue).open()
        await venues.end(ann, clock)
        seat = {"venue": venue, "seat": f"{venue[0]}6"}
        assert (ann.request.status, ann.request.content) == (200, seat), (
            f"{venue} was the first to answer. Ann got {ann.request.in_words}. "
            f"Expected: 200 and {seat}, without waiting for the others."
        )
        assert ann.saw == [], (
            f"{venue} answered first, and Ann got {ann.request.in_words}. When her "
            "request was over, these venues were still being asked for her: "
            f"{listed(ann.saw)}. "
            "Expected: the other calls have ended before the request is over."
        )
    await clock.advance(10)
    clock.jump(DAY)
    await at_rest()
    assert venues.in_flight("Macbeth") == ["Apollo", "Bijou", "Corso"], (
        "Ann's other calls were stopped. Venues still being asked for Bob: "
        f"{listed(venues.in_flight('Macbeth'))}. "
        "Expected: all three, however long they take."
    )
    venues.of("Corso", "Macbeth").open()
    await eventually(lambda: bob.complete)
    assert bob.content == {"venue": "Corso", "seat": "C7"}, (
        f"Corso answered Bob first. He got {bob.in_words}. Expected: the seat in Corso."
    )


@pytest.mark.step(4)
async def test_calls_end_with_a_request_that_is_cancelled(
    clock: Clock, app: RunningApp
) -> None:
    """`cancel()` only asks a task to end. Await the task to be sure that it has."""
    for how in cases([NATIVE, SCOPE]):
        venues = Venues(app)
        ann = send(app, "GET", "/shows/Hamlet/seat", look=venues.unended)
        await venues.are_asked()
        bob = exchange(app, "GET", "/shows/Macbeth/seat")
        assert await venues.are_asked("Macbeth"), (
            f"Venues being asked for Bob: {listed(venues.in_flight('Macbeth'))}. "
            "Expected: all venues are asked at the same time."
        )
        await ann.cancel(how)
        over = await venues.end(ann, clock)
        assert (over, ann.was_cancelled) == (True, True), (
            f"Ann's request was cancelled by {how}. Afterwards, {ann.outcome}. "
            "Expected: the request ends as cancelled."
        )
        assert ann.saw == [], (
            f"Ann's request was cancelled by {how}. When it was over, these "
            f"venues were still being asked for her: {listed(ann.saw)}. "
            "Expected: her calls have ended before the request is over."
        )
        venues.of("Apollo", "Macbeth").open()
        await eventually(lambda r=bob: r.complete)
        assert bob.content == {"venue": "Apollo", "seat": "A7"}, (
            f"Ann's request was cancelled. Bob got {bob.in_words}. "
            "Expected: his calls continue."
        )


@pytest.mark.step(4)
async def test_a_venue_that_fails_is_not_the_first(
    clock: Clock, app: RunningApp
) -> None:
    """A helper task returns a failure as a value, so that the other tasks continue."""
    venues = Venues(app)
    for error in cases(errors()):
        ann = send(app, "GET", "/shows/Hamlet/seat", look=venues.unended)
        assert await venues.are_asked(), (
            "Ann requested a seat. Venues being asked: "
            f"{listed(venues.in_flight())}. "
            "Expected: all venues are asked at the same time."
        )
        venues.of("Apollo").fail(error)
        await at_rest()
        await clock.advance(10)
        venues.of("Corso").open()
        await venues.end(ann, clock)
        assert (ann.request.content, ann.saw) == (
            {"venue": "Corso", "seat": "C6"},
            [],
        ), (
            f"Apollo raised {error!r}, and ten seconds later Corso answered. Ann got "
            f"{ann.request.in_words}. Venues still being asked for her: "
            f"{listed(ann.saw)}. "
            "Expected: the seat in Corso, and the call to Bijou has ended."
        )
    bob = exchange(app, "GET", "/shows/Macbeth/seat")
    assert await venues.are_asked("Macbeth"), (
        f"Venues being asked for Bob: {listed(venues.in_flight('Macbeth'))}. "
        "Expected: all venues are asked at the same time."
    )
    for venue in ("Corso", "Apollo", "Bijou"):
        venues.of(venue, "Macbeth").fail(ConnectionError("connection refused"))
    await eventually(lambda: bob.complete)
    assert bob.status == 502, (
        f"All venues failed. Bob got {bob.in_words}. Expected: 502, as before."
    )


@pytest.mark.step(4)
async def test_no_task_outlives_its_request(clock: Clock, app: RunningApp) -> None:
    """A handler must end every task that it starts, however the handler itself ends."""
    drawings, dome, venues = Drawings(app), Dome(app), Venues(app)
    venues.ending.open()

    def answer() -> None:
        drawings.finish()
        dome.at("Hamlet").open()
        for _, call in venues.all:
            call.gate.open()

    begun: dict[str, Callable[[], bool]] = {
        "seat": lambda: bool(venues.in_flight()),
        "report": lambda: bool(drawings.under_way),
        "price": lambda: dome.at("Hamlet").waiting > 0,
    }
    for route, has_begun in begun.items():
        for how in cases(["an answer", NATIVE, SCOPE]):
            dome.close()
            ann = send(app, "GET", f"/shows/Hamlet/{route}")
            await eventually(has_begun)
            answer() if how == "an answer" else await ann.cancel(how)
            await ann.over(clock)
            assert (ann.request.done, ann.left) == (True, []), (
                f"A request for the {route} was ended by {how}. When it was over, "
                f"these tasks were still running: {'; '.join(ann.left)}. "
                "Expected: the tasks of a request have ended when it is over."
            )
