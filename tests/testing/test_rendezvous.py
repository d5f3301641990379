"""The rendezvous."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from workshop.testing import Gate, Rendezvous, settle


async def test_overlapping_calls_meet() -> None:
    venues = Rendezvous(3, "venue calls").results(lambda n: n * 10)
    quotes = asyncio.gather(*(venues(n) for n in range(3)))
    await venues.met()

    assert await quotes == [0, 10, 20]
    assert venues.most == 3


async def test_sequential_calls_never_meet() -> None:
    venues = Rendezvous(3, "venue calls", result="quote")

    async def sequential() -> list[str]:
        return [await venues(n) for n in range(3)]

    quotes = asyncio.create_task(sequential())
    with pytest.raises(
        AssertionError,
        match=r"^Only 1 of 3 venue calls were ever in flight together.$",
    ):
        await venues.met()
    assert await quotes == ["quote"] * 3, "everyone is let go, so the app can finish"


async def test_too_few_concurrent_calls_never_meet() -> None:
    venues, limit = Rendezvous(3, "venue calls"), asyncio.Semaphore(2)

    async def call() -> None:
        async with limit:
            await venues()

    calls = asyncio.gather(*(call() for _ in range(3)))
    with pytest.raises(AssertionError, match=r"^Only 2 of 3"):
        await venues.met()
    await calls


async def test_a_call_after_the_meeting_passes_at_once() -> None:
    venues = Rendezvous(2, "venue calls")
    await asyncio.gather(venues(), venues())

    await venues()
    assert (venues.count, venues.most) == (3, 2)


async def test_no_call_at_all_is_a_failure_too() -> None:
    with pytest.raises(AssertionError, match=r"^Only 0 of 2 venue calls"):
        await Rendezvous(2, "venue calls").met()


async def test_calls_delayed_by_a_thread_are_waited_for() -> None:
    """A database call comes first: many turns of the loop pass before the second."""
    venues, database = Rendezvous(2, "venue calls"), Gate("the database")

    async def after_the_database() -> None:
        await asyncio.to_thread(database.blocking)
        await venues()

    async def open_much_later() -> None:
        await settle(500)
        database.open()

    await asyncio.to_thread(int)  # the loop has heard of threads
    await asyncio.gather(venues(), after_the_database(), open_much_later())
    await venues.met()


async def test_threads_meet_too() -> None:
    exports = Rendezvous(2, "exports")
    await asyncio.gather(*(asyncio.to_thread(exports.blocking) for _ in range(2)))

    await exports.met()


@pytest.mark.usefixtures("short_limit")
async def test_sequential_threads_never_meet() -> None:
    exports = Rendezvous(2, "exports")
    await asyncio.to_thread(exports.blocking)
    await asyncio.to_thread(exports.blocking)

    with pytest.raises(AssertionError, match=r"^Only 1 of 2 exports"):
        await exports.met()


async def test_a_blocking_call_on_the_loop_releases_all_callers_and_is_named() -> None:
    exports = Rendezvous(2, "exports")
    exports.blocking()

    assert exports.held is not None
    assert exports.held.source == "exports.blocking()"
    with pytest.raises(AssertionError, match=r"^Only 1 of 2 exports"):
        await exports.met()


async def test_callers_with_their_own_loops_meet() -> None:
    """The first one's loop has nothing else to do: that is no sign of a standstill."""
    venues, first_is_idle = Rendezvous(2, "venue calls", result=31), threading.Event()

    async def first() -> int:
        quote = asyncio.ensure_future(venues())
        await settle(2000)
        first_is_idle.set()
        return int(await quote)

    async def second() -> int:
        assert first_is_idle.wait(3)
        return int(await venues())

    with ThreadPoolExecutor() as pool:
        quotes = [pool.submit(asyncio.run, ask()) for ask in (first, second)]
        await venues.met()
        answers = [await asyncio.wrap_future(quote) for quote in quotes]

    assert (answers, venues.most) == ([31, 31], 2)


@pytest.mark.usefixtures("short_limit")
async def test_callers_with_their_own_loops_that_never_meet_are_released() -> None:
    venues = Rendezvous(2, "venue calls", result=31)

    def one_after_another() -> list[int]:
        return [asyncio.run(venues()) for _ in range(2)]

    with ThreadPoolExecutor() as pool:
        quotes = asyncio.wrap_future(pool.submit(one_after_another))
        with pytest.raises(AssertionError, match=r"^Only 1 of 2 venue calls"):
            await venues.met()
        assert await quotes == [31, 31]


@pytest.mark.usefixtures("short_limit")
async def test_other_callers_are_released_while_the_tests_loop_is_blocked() -> None:
    venues = Rendezvous(2, "venue calls", result=31)
    with ThreadPoolExecutor() as pool:
        assert pool.submit(asyncio.run, venues()).result() == 31

    with pytest.raises(AssertionError, match=r"^Only 1 of 2 venue calls"):
        await venues.met()


async def test_a_pool_outside_the_loop_is_waited_for() -> None:
    """Nothing tells the loop of such a thread before it calls."""
    exports, go = Rendezvous(1, "exports"), threading.Event()
    with ThreadPoolExecutor() as pool:
        pool.submit(lambda: go.wait(3) and exports.blocking())
        met = asyncio.create_task(exports.met())
        await settle(1000)
        assert not met.done()
        go.set()
        await met
