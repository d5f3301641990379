"""The tests of lesson 02. Each one starts and shuts down the app, as a server does.

Step 1  test_all_customers_share_one_connection_to_the_card_company
        test_a_failed_charge_does_not_affect_other_customers
        test_a_cancelled_charge_does_not_affect_other_customers
        test_importing_the_app_opens_nothing
Step 2  test_startup_empties_the_baskets_of_the_last_run
Step 3  test_a_failed_startup_closes_what_it_opened
        test_a_cancelled_startup_closes_what_it_opened
        test_a_failed_close_does_not_keep_the_rest_open
Step 4  test_two_apps_in_one_process_do_not_mix_their_customers
        test_an_app_that_shuts_down_leaves_the_other_alone
        test_an_app_can_be_started_again
Step 5  test_prices_are_read_every_minute_until_shutdown
        test_the_database_is_closed_after_its_last_reader
        test_no_task_is_left_when_startup_or_shutdown_fails
        test_each_app_has_a_refresher_of_its_own
Step 6  test_ready_gets_a_503_until_there_are_prices
        test_a_failed_reading_does_not_make_the_app_ready
        test_an_app_is_not_ready_because_another_one_is

The stand-ins for the database, the mail server and the card company are in world.py.
They record what is open, fail when a test says so, and take as long as it says. Time
is a number that only the tests change; no test measures it.
"""

from __future__ import annotations

import asyncio
from itertools import cycle

import httpx2
import pytest

from workshop.testing import Leaks, cases, settle, when_idle
from workshop.testing.plugin import RunApp

from .world import (
    CLOSE_CARDS,
    CLOSE_DATABASE,
    CLOSE_MAIL,
    FREE_BASKETS,
    LET_GO,
    OPEN_CARDS,
    OPEN_MAIL,
    READ,
    Cards,
    Database,
    Mail,
    World,
    attempt,
    buy,
    cancel_fay,
    cancel_startup,
    end,
    get,
    get_until,
    leave,
    made_by_import,
    opera,
    pass_time,
    price_shown,
    shut_down,
    stalls,
    start,
    start_both,
    start_fails,
    start_without_prices,
    two_apps,
)

pytestmark = pytest.mark.usefixtures("clock")

ERROR = OSError("connection refused")
TIMEOUT = httpx2.ConnectTimeout("no answer")  # what an HTTP client raises: no OSError


@pytest.mark.step(1)
async def test_all_customers_share_one_connection_to_the_card_company(
    run_app: RunApp,
) -> None:
    """Open once per process, at startup, what is expensive to open."""
    world = World()
    async with opera(run_app, world) as app:
        await start(app)
        at_startup = len(world.of(Cards))
        seats = {"Ann": "B1", "Bob": "B2", "Cid": "B3"}
        orders = [buy(app, who, seat) for who, seat in seats.items()]
        statuses = [each.status_code for each in await asyncio.gather(*orders)]
        statuses.append((await buy(app, "Dan", "B4")).status_code)
        opened = len(world.of(Cards))
        world.hold(CLOSE_CARDS)
        ending = asyncio.ensure_future(app.shutdown())
        await when_idle(lambda: None)
        early = ending.done() and CLOSE_CARDS in world.calls
        world.release()
        error = await attempt(ending, seconds=2)
    assert opened <= 1, (
        f"The app started and four customers bought a seat. Meanwhile {opened} "
        "connections to the card company were opened, the last one at "
        f"{world.of(Cards)[-1].opened_at.short}. "
        "Expected: one connection for all customers, opened at startup."
    )
    assert at_startup == 1, (
        "Startup had completed, but it had opened no connection to the card company. "
        "If the card company is down, the first customer finds out. "
        "Expected: startup opens the connection."
    )
    assert statuses == [201] * 4, (
        "Ann, Bob and Cid ordered free seats at the same time, and Dan ordered one "
        f"later. They got {', '.join(map(str, statuses))}. Expected: 201 for each."
    )
    assert sorted(world.charged) == ["Ann", "Bob", "Cid", "Dan"], (
        "Ann, Bob, Cid and Dan bought a seat each. Over the connection that startup "
        f"opened, these cards were charged: {', '.join(world.charged) or 'none'}. "
        "Expected: the card of each customer, once."
    )
    assert not early or error, (
        "Shutdown completed while the connection to the card company was still being "
        "closed. The process ends then, so the connection is never closed. "
        "Expected: shutdown waits until the connection is closed."
    )
    left = [each for each in world.of(Cards) if each.is_open]
    assert not left or error, (
        f"Shutdown completed, and this is still open: {left[0]}. "
        "Expected: shutdown closes the connection."
    )


@pytest.mark.step(1)
async def test_a_failed_charge_does_not_affect_other_customers(
    run_app: RunApp,
) -> None:
    """What all requests share must survive an error in one of them."""
    world = World()
    async with opera(run_app, world) as app:
        await start(app)
        at_startup = len(world.of(Cards))
        eve = (await buy(app, "Eve", "B4")).status_code  # charging her card fails
        dan = (await buy(app, "Dan", "B5")).status_code
        later = len(world.of(Cards)) - at_startup
        await leave(app)
    assert dan == 201, (
        f"Charging Eve's card failed, and she got a {eve}. Then Dan ordered a free "
        f"seat and got a {dan}. Expected: 201, because her error must not affect him."
    )
    assert not (at_startup and later), (
        "Startup opened a connection to the card company. Charging Eve's card failed, "
        f"then Dan bought a seat. Connections opened meanwhile: {later}. "
        "Expected: one connection from startup to shutdown."
    )


@pytest.mark.step(1)
async def test_a_cancelled_charge_does_not_affect_other_customers(
    run_app: RunApp,
) -> None:
    """A cancelled request must not close a connection that other requests use."""
    world = World()
    async with opera(run_app, world) as app:
        await start(app)
        at_startup = len(world.of(Cards))
        guy, dan = await cancel_fay(app, world)
        later = len(world.of(Cards)) - at_startup
        await leave(app)
    story = "Fay's request was cancelled while her card was being charged"
    assert (guy, dan) == (201, 201), (
        f"{story}. Guy's card was being charged at the same time, and he got: {guy}. "
        f"Dan ordered after that and got: {dan}. Expected: 201 for both."
    )
    assert not (at_startup and later), (
        f"{story}, then Dan bought a seat. Connections to the card company opened "
        f"meanwhile: {later}. Expected: one connection from startup to shutdown."
    )


@pytest.mark.step(1)
async def test_importing_the_app_opens_nothing(run_app: RunApp) -> None:
    """A script that only imports a module never runs its shutdown."""
    async with opera(run_app, World()) as app:
        made = made_by_import(app)
    assert not made, (
        "app.py was imported and not started. Already open: "
        f"{', '.join(made)}. Expected: nothing, because nothing will close it."
    )


@pytest.mark.step(2)
async def test_startup_empties_the_baskets_of_the_last_run(run_app: RunApp) -> None:
    """What must be done before the first request is a part of startup."""
    world = World()
    world.hold(FREE_BASKETS)
    async with opera(run_app, world) as app:
        early = await start(app, slow=world)
        held = any(database.baskets for database in world.of(Database))
        response = await buy(app, "Ann", "A1")
        await leave(app)
    begun = FREE_BASKETS in world.calls
    called = "was called, but startup did not wait for it" if begun else "never ran"
    assert response.status_code == 201, (
        "When the app last shut down, seat A1 was in a basket. After the next startup "
        f"Ann ordered A1 and got a {response.status_code}. Database.free_baskets() "
        f"{called}. Expected: 201, because startup has emptied all old baskets."
    )
    assert (early, held) == (False, False), (
        "Emptying the old baskets took a while. Startup completed before that, with "
        "seat A1 still in a basket. "
        "Expected: the baskets are empty before the first request is accepted."
    )


@pytest.mark.step(3)
async def test_a_failed_startup_closes_what_it_opened(run_app: RunApp) -> None:
    """If startup fails, nothing after the `yield` runs, so clean up on the way."""
    for broken, error in cases(
        (
            ((OPEN_MAIL,), ERROR),
            ((OPEN_CARDS,), TIMEOUT),
            ((FREE_BASKETS,), LookupError("no such table")),
            ((OPEN_MAIL, CLOSE_DATABASE), TIMEOUT),
            ((OPEN_CARDS, CLOSE_MAIL), ERROR),
            ((FREE_BASKETS, CLOSE_CARDS, CLOSE_MAIL), ERROR),
        )
    ):
        world = World()
        world.errors = dict.fromkeys(broken, error)
        story = f"At startup, {' and '.join(broken)} raised {error!r}"
        async with opera(run_app, world) as app:
            await start_fails(app, story)
            left = world.still_open() or await when_idle(world.still_open)
            assert not left, (
                f"{story}, so startup failed. Still open: {left}. "
                "Expected: a failed startup closes everything that it has opened."
            )
            assert not world.unsaved(), (
                f"{story}. The database was closed before the mail server, which "
                "could not store its unsent letters any more. "
                "Expected: the database is open until the mail server is closed."
            )


@pytest.mark.step(3)
async def test_a_cancelled_startup_closes_what_it_opened(run_app: RunApp) -> None:
    """`CancelledError` is not an `Exception`, so `except Exception` misses it."""
    for during in cases((OPEN_MAIL, FREE_BASKETS)):
        world = World()
        async with opera(run_app, world) as app:
            if not await cancel_startup(app, world, during):
                return  # it does not empty the baskets: see step 2
            left = world.still_open() or await when_idle(world.still_open)
        assert not left, (
            f"Startup was cancelled during this call: {during}. "
            f"Still open: {left}. "
            "Expected: a cancelled startup closes everything that it has opened."
        )


@pytest.mark.step(3)
async def test_a_failed_close_does_not_keep_the_rest_open(run_app: RunApp) -> None:
    """Try every close, whatever happened to the others, and let each finish."""
    for broken, error in cases(
        (
            ((CLOSE_MAIL,), ERROR),
            ((CLOSE_CARDS,), TIMEOUT),
            ((CLOSE_DATABASE,), ERROR),
            ((CLOSE_MAIL, CLOSE_CARDS), TIMEOUT),
            ((CLOSE_MAIL, CLOSE_CARDS, CLOSE_DATABASE), RuntimeError("closed twice")),
            ((), ERROR),
        )
    ):
        world = World()
        world.errors = dict.fromkeys(broken, error)
        async with opera(run_app, world) as app:
            await start(app)
            world.hold(CLOSE_MAIL)
            error_seen = await shut_down(app, slow=world)
            if isinstance(error_seen, AssertionError):
                return  # it waits for its refresher: see step 5
            failed = f"{' and '.join(broken)} raised {error!r}"
            assert not world.still_open(), (
                f"At shutdown, {failed if broken else 'no call failed'}. Mail took an "
                f"hour to close. Still open: {world.still_open()}. "
                "Expected: everything is closed, and no close is cut short."
            )
            assert not world.unsaved(), (
                "At shutdown, the database was closed before the mail server, which "
                "could not store its unsent letters any more. "
                "Expected: the database is open until the mail server is closed."
            )


@pytest.mark.step(4)
async def test_two_apps_in_one_process_do_not_mix_their_customers(
    run_app: RunApp,
) -> None:
    """What an app opens at startup belongs to that app, not to the module."""
    for venue, together in cases((("Theatre", False), ("Opera", True))):
        world = World()
        async with two_apps(run_app, world, venue) as apps:
            await start_both(apps, together=together)
            await asyncio.gather(buy(apps[0], "Ann", "B1"), buy(apps[1], "Bob", "B1"))
            sold = [list(each.sold.values()) for each in world.of(Database)]
            sent = [list(each.sent) for each in world.of(Mail)]
            shown = [
                await price_shown(app, database)
                for app, database in zip(apps, world.of(Database), strict=False)
            ]
            prices = [each.price for each in world.of(Database)]
            venues = [each.venue for each in world.of(Database)]
            basket = (await buy(apps[1], "Bob", "A1")).status_code
            await leave(*apps)
        story = f"One app for the Opera and one for the {venue} run in one process"
        assert venues == ["Opera", venue], (
            f"{story}. They called connect_database() with the venues "
            f"{' and '.join(map(repr, venues))}. "
            "Expected: each app connects to the database of its own venue."
        )
        assert sold == [["Ann"], ["Bob"]], (
            f"{story}. Ann bought seat B1 in the first app, Bob seat B1 in the second. "
            f"Customers in the first database: {names(sold[:1])}; in the second: "
            f"{names(sold[1:])}. Expected: Ann in the first, Bob in the second."
        )
        assert sent == sold, (
            f"{story}. Ann bought a seat in the first app, Bob in the second. Letters "
            f"sent by the first mail server: {names(sent[:1])}; by the second: "
            f"{names(sent[1:])}. Expected: Ann's by the first, Bob's by the second."
        )
        assert shown == prices, (
            f"{story}. A seat in the stalls costs {prices[0]} in the first one and "
            f"{prices[1]} in the second. Customers were shown {shown[0]} and "
            f"{shown[1]}. Expected: each app shows its own prices."
        )
        assert basket == 201, (
            f"{story}. Seat A1 was in a basket of both. Bob ordered it in the second "
            f"app and got a {basket}. "
            "Expected: 201, because each app empties its old baskets at startup."
        )


@pytest.mark.step(4)
async def test_an_app_that_shuts_down_leaves_the_other_alone(run_app: RunApp) -> None:
    """Two apps may be equal in everything, even in name, and still be two."""
    for ends in cases((1, 0)):
        world = World()
        async with two_apps(run_app, world, "Opera") as apps:
            await start_both(apps, together=True)
            opened = len(world.connections)
            databases = {id(mail.database) for mail in world.of(Mail)}
            await leave(apps[ends])
            response = await buy(apps[1 - ends], "Ann", "B1")
            still_open = sum(each.is_open for each in world.connections)
            await leave(apps[1 - ends])
            left = world.still_open()
        story = "Two apps for the Opera ran in one process, and one of them shut down"
        assert response.status_code == 201, (
            f"{story}. Ann ordered a seat in the other one and got a "
            f"{response.status_code}. Expected: 201, because her app is still running."
        )
        assert opened >= 6, (
            f"Two apps for the Opera started in one process and opened {opened} "
            "connections. Expected: 6. Each app connects to the database, the mail "
            "server and the card company, and shares no connection with the other."
        )
        assert len(databases) == 2, (
            "Two apps for the Opera started in one process, at the same time. Both "
            "passed the same database to connect_mail(), so one of them stores its "
            "unsent letters in the other's database. "
            "Expected: each app passes its own database."
        )
        assert still_open == 3, (
            f"{story}. Connections still open: {still_open}. "
            "Expected: 3, those of the app that is still running."
        )
        assert not left, (
            f"{story}, then the other one. Still open: {left}. "
            "Expected: each app closes its own connections."
        )


@pytest.mark.step(4)
async def test_an_app_can_be_started_again(run_app: RunApp) -> None:
    """Each startup opens new connections, because shutdown has closed the old ones."""
    world = World()
    async with opera(run_app, world) as app:
        statuses = []
        for _ in range(2):
            await start(app)
            statuses.append((await buy(app, "Ann", "A1")).status_code)
            await shut_down(app)
        await leave(app)
        left = world.still_open()
    if statuses[0] != 201:
        return  # startup does not empty the baskets: see step 2
    story = "An app was started, shut down and started again"
    assert statuses[1] == 201, (
        f"{story}. Ann ordered seat A1, which was in an old basket, and got a "
        f"{statuses[1]}. "
        "Expected: 201, because each startup opens everything and empties the baskets."
    )
    assert not left, (
        f"{story}, then shut down. Still open: {left}. "
        "Expected: each shutdown closes what its startup has opened."
    )


@pytest.mark.step(5)
@pytest.mark.timeline
async def test_prices_are_read_every_minute_until_shutdown(
    run_app: RunApp, leaks: Leaks
) -> None:
    """A task that startup creates runs until something stops it."""
    world = World()
    async with opera(run_app, world) as app:
        await start(app)
        await pass_time(90)  # between two readings
        await settle(200)
        before = world.calls.events.count(READ)
        shown = await price_shown(app, world.of(Database)[0])
        await end(app)
        left = await leaks.tasks()
        await pass_time(120)
        after = world.calls.events.count(READ) - before
    assert before > 1, (
        f"The app ran for 90 seconds. It called read_prices() {times(before)}. "
        "Expected: at once, then every minute."
    )
    assert not after, (
        "Shutdown closed the database. In the two minutes after that, read_prices() "
        f"was called {times(after)}. "
        "Expected: never, because shutdown stops what startup has created."
    )
    assert not left, (
        f"Shutdown has completed. Still running: {', '.join(left)}. "
        "Expected: shutdown stops what startup has created."
    )
    assert shown == world.of(Database)[0].price, (
        "The prices were read twice, and they had changed in between. A customer who "
        f"requested /prices was shown {shown} for a seat in the stalls. "
        f"Expected: {world.of(Database)[0].price}, the latest price."
    )


@pytest.mark.step(5)
@pytest.mark.timeline
async def test_the_database_is_closed_after_its_last_reader(run_app: RunApp) -> None:
    """`cancel()` only requests that a task stops; wait until it has stopped."""
    for first, broken in cases(((False, ""), (True, ""), (False, CLOSE_MAIL))):
        world = World()
        world.errors = {broken: ERROR}
        async with opera(run_app, world) as app:
            if first:
                world.hold(READ, LET_GO)
            starting = asyncio.ensure_future(app.startup())
            await settle(200)
            if not starting.done():
                world.release()  # it waits for the prices: see step 6
            await attempt(starting, seconds=0)
            if not first:
                world.hold(READ, LET_GO)
                await pass_time(60)
            reading = world.calls.events.count(READ)
            error = await shut_down(app, slow=world)
            cut_off, reading_now = world.cut_off(), world.calls.events.count(READ)
            await pass_time(120)
            later = world.calls.events.count(READ) - reading_now
        story = f"The app shut down during its {'first' if first else 'second'} reading"
        if broken:
            story += f", and {broken} raised {ERROR!r}"
        assert reading == 2 - first, (
            f"The app ran for {'a moment' if first else 'a minute'}. It called "
            f"read_prices() {times(reading)}. Expected: at once, then every minute."
        )
        assert not cut_off, (
            f"{story}. The reader needed an hour to stop, and meanwhile the database "
            "was closed. "
            "Expected: wait until the reader has stopped, then close the database."
        )
        hangs = isinstance(error, AssertionError)
        assert error is None or (broken and not hangs), (
            f"{story}. The reader has stopped, and shutdown "
            f"{'never completed' if hangs else f'failed: {error.__cause__!r}'}. "
            f"Expected: it completes{', whatever a close raises' if broken else ''}."
        )
        assert not later, (
            f"{story}. In the two minutes after shutdown, read_prices() was called "
            f"{times(later)}. Expected: never, because the database is closed."
        )


@pytest.mark.step(5)
async def test_no_task_is_left_when_startup_or_shutdown_fails(
    run_app: RunApp, leaks: Leaks
) -> None:
    """A running task is a resource, so release it whatever fails."""
    for broken, error in cases(
        (
            (CLOSE_MAIL, ERROR),
            (OPEN_MAIL, ERROR),
            (OPEN_CARDS, TIMEOUT),
            (FREE_BASKETS, ERROR),
            (READ, ValueError("not a price list")),
        )
    ):
        world = World()
        world.errors = {broken: error}
        world.hold(READ)
        async with opera(run_app, world) as app:
            starting = asyncio.ensure_future(attempt(app.startup(), seconds=120))
            await settle(200)
            world.release()
            errors = await starting, await shut_down(app)
            left = await leaks.tasks()
            story = f"The app is no longer running; {broken} raised {error!r}"
            assert not any(isinstance(each, AssertionError) for each in errors), (
                f"Startup or shutdown never ended, after {broken} raised {error!r}. "
                "Expected: it fails, and nothing is left behind."
            )
            assert not left, (
                f"{story}. Still running: {', '.join(left)}. "
                "Expected: no task is left, whatever failed."
            )
            assert not world.still_open(), (
                f"{story}. Still open: {world.still_open()}. "
                "Expected: no connection is left, whatever failed."
            )
            assert not world.cut_off(), (
                f"{story}. The database was closed while prices were being read. "
                "Expected: wait until the reader has stopped, then close the database."
            )


@pytest.mark.step(5)
async def test_each_app_has_a_refresher_of_its_own(
    run_app: RunApp, leaks: Leaks
) -> None:
    """Shutdown stops the app's own task, and no other."""
    world = World()
    async with two_apps(run_app, world, "Opera") as apps:
        await start_both(apps, together=False)
        await settle(200)
        errors = [await shut_down(apps[0])]
        before = world.of(Database)[-1].price
        await pass_time(60)
        await settle(200)
        after = world.of(Database)[-1].price
        await start(apps[0])
        again = await price_shown(apps[0], world.of(Database)[-1])
        price = world.of(Database)[-1].price
        errors += [await shut_down(app) for app in apps]
        left = await leaks.tasks()
    assert not any(isinstance(each, AssertionError) for each in errors), (
        "Two apps ran in one process, and the shutdown of one of them never completed. "
        "Expected: each app stops the task that its own startup created."
    )
    assert not left, (
        "Two apps ran in one process, and both have shut down. "
        f"Still running: {', '.join(left)}. "
        "Expected: each app stops the task that its own startup created."
    )
    assert after > before, (
        "Two apps ran in one process, and one of them shut down. In the next minute "
        "the other one did not read its prices. "
        "Expected: the other app continues to read its prices every minute."
    )
    assert again == price > 300, (
        "An app was started, shut down and started again. A seat in the stalls costs "
        f"{price}, but a customer was shown {again}. "
        "Expected: the second startup creates a task that reads the prices at once."
    )


@pytest.mark.step(6)
async def test_ready_gets_a_503_until_there_are_prices(run_app: RunApp) -> None:
    """An app that has started is not necessarily ready."""
    world = World()
    world.hold(READ)
    async with opera(run_app, world) as app:
        await start_without_prices(app)
        early = await get(app, "/ready")
        world.release()
        late = await get_until(app, "/ready", lambda it: it.status_code == 200)
        old = await get(app, "/prices")
        world.hold(READ)
        await pass_time(60)
        again = await get(app, "/ready"), await get(app, "/prices")
        world.release()
        await leave(app)
    assert early.status_code == 503, (
        "The price list had not been read yet. The load balancer requested /ready, "
        f"got a {early.status_code}, and sent customers, who saw no prices. "
        "Expected: 503 until this app has a price list."
    )
    assert late.status_code == 200, (
        f"The price list had been read, and /ready returned {late.status_code}. "
        "Expected: 200, so that the load balancer sends customers."
    )
    assert_unchanged(old, again, "A minute later it was being read again")


@pytest.mark.step(6)
async def test_a_failed_reading_does_not_make_the_app_ready(run_app: RunApp) -> None:
    """That an attempt has ended does not mean that it succeeded."""
    world = World()
    reasons = cycle(
        (
            OSError("the price list is locked"),
            ValueError("not a price list"),
            TIMEOUT,
            LookupError("no such table"),
            RuntimeError("not connected"),
        )
    )
    world.errors = {READ: next(reasons)}
    async with opera(run_app, world) as app:
        await start(app)
        before = len(world.calls.events)
        await settle(200)
        reads = world.calls.events[before:].count(READ)  # no time has passed
        early = []
        for _ in range(4):
            await settle(200)
            early.append((await get(app, "/ready")).status_code)
            world.errors = {READ: next(reasons)}
            await pass_time(60)
        for _ in range(12):
            world.errors = {READ: next(reasons)}
            await pass_time(60)
        world.errors = {}
        await pass_time(60)
        late = await get_until(app, "/ready", lambda it: it.status_code == 200)
        old = await get(app, "/prices")
        for _ in range(5):
            world.errors = {READ: next(reasons)}
            await pass_time(60)
        again = await get(app, "/ready"), await get(app, "/prices")
        await leave(app)
    assert reads < 10, (
        "Reading the price list failed. In the same second read_prices() was called "
        f"{reads} more times without a pause. "
        "Expected: no endless loop without a pause."
    )
    assert early == [503] * 4, (
        "Reading the price list failed for four minutes, each time for another reason. "
        f"In each minute the load balancer requested /ready and got {early}. "
        "Expected: 503 until this app has a price list."
    )
    assert late.status_code == 200, (
        "Reading the price list failed 17 times, for five different reasons, and then "
        f"succeeded. A minute later /ready returned {late.status_code}. "
        "Expected: 200. A failed reading does not stop the refresher."
    )
    assert_unchanged(old, again, "Then it could not be read for five minutes")


def assert_unchanged(
    old: httpx2.Response, again: tuple[httpx2.Response, httpx2.Response], story: str
) -> None:
    """Check that the app is still ready, and shows the prices that it has."""
    ready, prices = again
    assert ready.status_code == 200, (
        f"The price list had been read. {story}, and /ready returned "
        f"{ready.status_code}, so the load balancer sent no more customers. "
        "Expected: 200, because the old prices are still there."
    )
    assert stalls(prices) == stalls(old), (
        f"The price list had been read. {story}, and a customer was shown "
        f"{stalls(prices)} for a seat in the stalls. "
        f"Expected: {stalls(old)}, because the old prices are still there."
    )


@pytest.mark.step(6)
async def test_an_app_is_not_ready_because_another_one_is(run_app: RunApp) -> None:
    """Each app answers for itself, even if another has the same name."""
    for venue in cases(("Theatre", "Opera")):
        world = World()
        async with two_apps(run_app, world, venue) as apps:
            await start(apps[0])
            await get_until(apps[0], "/ready", lambda it: it.status_code == 200)
            world.hold(READ)
            await start_without_prices(apps[1])
            statuses = [(await get(app, "/ready")).status_code for app in apps]
            world.release()
            await leave(*apps)
        assert statuses == [200, 503], (
            f"One app for the Opera and one for the {venue} ran in one process. The "
            "first one had prices, the second one had none yet. Their /ready returned "
            f"{statuses[0]} and {statuses[1]}. "
            "Expected: 200 and 503, until the second app has prices of its own."
        )


def names(lists: list[list[str]]) -> str:
    """Return the names in *lists*, for a message."""
    return ", ".join(name for each in lists for name in each) or "none"


def times(count: int) -> str:
    """Say how often: "never", "once", "3 times"."""
    return {0: "never", 1: "once"}.get(count, f"{count} times")
