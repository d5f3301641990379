"""The tests of lesson 06, in the order of its steps.

Step 1 (closing): no connection is open after the shutdown, whatever happened to the
requests, and none is left open when opening fails half-way.
Step 2 (sharing): sixty pages need about as many connections as there are customers at
the same time, and each customer gets the page of the show that was requested.
Step 3 (storing): every list, also `[]` and `None`, comes back unchanged; every key has
an expiry at every moment; reading does not extend it; a value may expire at any moment.
Step 4 (sharing a query): twenty misses cost one query, however long it takes; an error
or a cancelled request does not affect the customers who come later.
Step 5 (without Redis): a page comes in time although Redis stalls (for one customer,
for twenty, or in the middle of a page), is down, is full, or replies with errors.

A real Redis is behind the app. The door between them, the database and the clock are in
world.py. No test measures time, because only a test moves the clock.
"""

from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from workshop.testing import Clock, RedisServer, StartupError
from workshop.testing.plugin import RunApp

from .world import (
    ALLOWED_WHEN_FULL,
    FULL,
    GREETINGS,
    NO_PERMISSION,
    NO_PRIMARY,
    BoxOffice,
    Seats,
    box_office,
    told,
)

CROWD = [*range(1, 16), 101, 111, 215, 1001, 1111]  # twenty shows
# What a slow database takes, where the time that it takes must not matter.
DATABASE_SECONDS = 60


@pytest.fixture
async def office(
    redis: RedisServer, run_app: RunApp, clock: Clock
) -> AsyncIterator[BoxOffice]:
    """The running app, with Redis behind a door and a database that is a stand-in."""
    async with box_office(run_app, redis) as office:
        yield office


# ---------------------------------------------------------------- step 1


@pytest.mark.step(1)
async def test_no_connection_outlives_the_app(office: BoxOffice) -> None:
    """Code that opens a connection must close it, however the block is left."""
    pages = await office.see(1, 2, 3)
    assert [page.status for page in pages] == [200, 200, 200], (
        "Three customers each requested a page and got "
        f"{[page.status for page in pages]}. "
        "Expected: 200 for all three."
    )
    office.database.fails_once(RuntimeError("the database is being repaired"))
    broken, *_ = await office.see(4)
    assert broken.status == 500, (
        "The database failed when it was queried for show 4, and Redis had nothing "
        f"about it. Its page was {told(broken)}. "
        "Expected: 500, because nobody knows which seats are free."
    )
    office.forget_errors()
    slow = office.database.hangs(times=1)
    cancelled = office.visit(5)
    await office.door.quiet()
    cancelled.cancel()
    slow.open()
    await office.door.quiet()

    await office.shut_down()
    assert office.door.open == 0, (
        "Three customers saw a page, one got an error, and one request was "
        "cancelled. Then the app was shut down. Connections to Redis that were "
        f"still open: {office.door.open}. {office.opened}"
        "Expected: none, because the app has closed all that it opened."
    )


@pytest.mark.step(1)
async def test_an_opening_that_fails_half_way_leaves_nothing_open(
    redis: RedisServer, run_app: RunApp, clock: Clock
) -> None:
    """If `__aenter__` raises, `__aexit__` never runs."""
    async with box_office(run_app, redis, start=False) as office:
        office.door.refuse(NO_PERMISSION, but=GREETINGS)
        # Opening fails at startup, or when the first pages are requested.
        with suppress(StartupError):
            await office.app.startup()
            await office.see(1)
            await office.see(2)
            await office.shut_down()
        await office.door.quiet()
        assert office.door.open == 0, (
            "Redis accepted a connection and then refused the first command, so the "
            "cache could not be opened. Connections that were still open: "
            f"{office.door.open}. {office.opened}"
            "Expected: none. If opening fails, close what is open by then."
        )


# ---------------------------------------------------------------- step 2


@pytest.mark.step(2)
async def test_pages_share_their_connections(office: BoxOffice) -> None:
    """One pool for the process: a request borrows a connection and returns it."""
    for _ in range(3):
        pages = await office.see(*CROWD)
        failed = [page for page in pages if page.status != 200]
        assert not failed, (
            f"Twenty customers came at the same time, and {len(failed)} of them "
            f"got no page. One of them, {failed[0].name}, got {told(failed[0])}. "
            "Expected: 200 for each of them."
        )
        for show, page in zip(CROWD, pages, strict=True):
            assert page.content == office.database.page(show), (
                "Twenty customers came at the same time, each for another show. "
                f"The page of show {show} was {told(page)}. "
                f"Expected: 200: {office.database.page(show)}."
            )
    assert office.door.received <= len(CROWD) + 2, (
        "Sixty customers came, never more than twenty at the same time. The app "
        f"made {office.door.received} connections to Redis for them. "
        "Expected: about as many as there are customers at the same time."
    )
    queries = len(office.database.calls)
    assert queries == len(CROWD), (
        "Twenty customers came at the same time, each for another show. They came "
        f"back twice for the same shows. The database got {queries} queries. "
        "Expected: 20, one for each show. Later pages come from Redis."
    )
    await office.shut_down()
    assert office.door.open == 0, (
        "Sixty customers came, and the app was shut down. Connections to Redis "
        f"that were still open: {office.door.open}. {office.opened}"
        "Expected: none."
    )


# ---------------------------------------------------------------- step 3

KNOWN: dict[int, tuple[str, Seats]] = {
    1: ("has free seats", ["C7", "A1", "Box 3, left", "B12"]),
    2: ("is sold out", []),
    3: ("is not on sale yet", None),
    103: ("has one free seat", ["D4"]),
}


@pytest.mark.step(3)
async def test_sold_out_and_not_on_sale_are_answers_to_remember(
    office: BoxOffice,
) -> None:
    """No value, an empty list and `None` are three different things."""
    for show, (what, seats) in KNOWN.items():
        office.database.seats[show] = seats
        pages = [(await office.see(show))[0] for _ in range(3)]
        queries = office.database.asked(show)
        assert queries == 1, (
            f"Show {show} {what}. Three customers requested its page, one after "
            f"the other, and the database was queried {queries} times. "
            "Expected: once. The second and third page come from Redis."
        )
        for page in pages:
            assert page.content == office.database.page(show), (
                f"Show {show} {what}. One of three customers who requested its "
                f"page, one after the other, got {told(page)}. "
                f"Expected: 200: {office.database.page(show)}, each time."
            )
    await office.redis.admin.flushdb()
    office.database.seats[2] = ["B5"]
    page, *_ = await office.see(2)
    assert page.content == office.database.page(2), (
        "Show 2 was sold out. Then seat B5 was returned, and the value in Redis "
        f"expired. The page was {told(page)}. "
        "Expected: if Redis has no value, query the database again."
    )


@pytest.mark.step(3)
async def test_nothing_is_stored_without_its_time_to_expire(office: BoxOffice) -> None:
    """A process can be stopped between any two commands."""
    forever: set[str] = set()
    kept: dict[int, int] = {}
    at_first: dict[int, int] = {}
    longest: dict[str, int] = {}

    async def look() -> None:
        left = await office.milliseconds_left()
        forever.update(key for key, ms in left.items() if ms == -1)
        longest.update({key: max(ms, longest.get(key, 0)) for key, ms in left.items()})

    # Redis has carried out a command, and the app does not know yet.
    office.door.before_reply = look
    for show, (_, seats) in KNOWN.items():
        office.database.seats[show] = seats
        await office.redis.admin.flushdb()
        office.clocks.set_back(15)
        slow = office.database.hangs(times=1)
        page = office.visit(show)
        await office.door.quiet()
        await office.pass_time(15)
        longest.clear()
        slow.open()
        await office.finish(page)
        left = await office.milliseconds_left()
        kept[show] = max(left.values(), default=0)
        at_first[show] = max((longest.get(key, 0) for key in left), default=0)
    assert not forever, (
        "For a moment Redis had a key without an expiry. If the app had been "
        "stopped then, Redis would have kept that key forever. "
        "Expected: at no moment is there a key that does not expire."
    )
    for show, (what, _) in KNOWN.items():
        assert 25_000 < kept[show] <= 30_000, (
            f"Show {show} {what}. The database needed 15 seconds for its seats. "
            f"When the page was complete, Redis had {kept[show]} milliseconds left "
            "until it forgets them. "
            "Expected: 30 seconds from the moment when the database responds."
        )
        assert at_first[show] > 26_500, (
            f"Show {show} {what}. When its seats were stored, Redis had "
            f"{at_first[show]} milliseconds left until it forgets them. "
            "Expected: 30 seconds, or up to three seconds less."
        )


@pytest.mark.step(3)
async def test_looking_does_not_make_an_answer_last_longer(office: BoxOffice) -> None:
    """A value gets old from the moment it was computed, however often it is read."""
    await office.see(1)
    for key in await office.redis.keys():
        await office.redis.admin.pexpire(key, 5_000)
    for _ in range(3):
        await office.see(1)
    longest = max((await office.milliseconds_left()).values(), default=0)
    # A new answer of the database may be kept for another 30 seconds.
    assert longest <= 5_000 or office.database.asked(1) > 1, (
        "In Redis, the seats of show 1 had five seconds left. Three more customers "
        f"saw them, and then they had {longest} milliseconds left. The page of a "
        "popular show would never change. "
        "Expected: reading a value does not extend its expiry."
    )


@pytest.mark.step(3)
async def test_a_value_may_expire_between_two_questions(office: BoxOffice) -> None:
    """What one command has found may be gone when the next command arrives."""
    await office.see(1)
    kept = await office.redis.keys()

    async def expire() -> None:
        if kept:
            await office.redis.admin.delete(*kept)

    office.door.before_reply = expire
    page, *_ = await office.see(1)
    assert (page.status, page.content) == (200, office.database.page(1)), (
        "Redis had the seats of show 1. A customer requested the page, and the "
        "value expired when Redis had carried out the first command of that "
        f"request. The customer got {told(page)}. "
        f"Expected: 200: {office.database.page(1)}, from Redis or the database."
    )


# ---------------------------------------------------------------- step 4


@pytest.mark.step(4)
@pytest.mark.timeline
async def test_one_of_twenty_who_miss_at_once_asks_the_database(
    office: BoxOffice,
) -> None:
    """Until the value is stored, every request misses."""
    slow = office.database.hangs(when=lambda show: show != 8)
    crowd = [office.visit(7) for _ in range(5)]
    others = [office.visit(show) for show in CROWD if show not in (7, 8)]
    await office.door.quiet()
    asked = office.database.asked(7)
    busy = len(office.database.in_flight)
    other = told(*await office.see(8))
    await office.pass_time(DATABASE_SECONDS)
    crowd += [office.visit(7) for _ in range(15)]
    await office.door.quiet()
    later = office.database.asked(7)
    slow.open()
    await office.finish(*crowd, *others)

    assert busy - asked == len(others), (
        f"Customers of {len(others)} other shows came at the same time. The database "
        f"was queried for {busy - asked} of these shows until it had responded. "
        "Expected: no customer waits for the query of another show."
    )
    assert asked == 1, (
        "Redis had nothing about show 7, and five customers came at the same "
        "time. While the first query was running, there were more of them. "
        "Expected: one query, whose result all of them get."
    )
    assert other == f"200: {office.database.page(8)}", (
        "While the database was busy with show 7, a customer requested the page of "
        f"show 8, and had {other}. "
        f"Expected: 200: {office.database.page(8)}, without waiting for show 7."
    )
    assert later == 1, (
        "The query for show 7 took a minute, and then fifteen more customers came. "
        f"There were {later} queries, although the first was still running. "
        "Expected: one query, however long it takes."
    )
    wrong = [page for page in crowd if page.content != office.database.page(7)]
    assert not wrong, (
        "Twenty customers waited for one query, which took a minute and then "
        f"succeeded. {len(wrong)} of them did not get its result. One got "
        f"{told(wrong[0])}. Expected: 200: {office.database.page(7)} for all."
    )
    total = office.database.asked(7)
    assert total == 1, (
        "Twenty customers waited for one query. When it had succeeded, others were "
        f"made for the same seats, {total} in all. "
        "Expected: one query, whose result all of them get."
    )
    await office.redis.admin.flushdb()
    office.database.seats[7] = ["A2"]
    (new,) = await office.see(7)
    assert new.content == office.database.page(7), (
        "The value in Redis had expired, and only seat A2 was still free. The next "
        f"page was {told(new)}. Expected: 200: {office.database.page(7)}. Share a "
        "result with those who wait for it, but keep it only in Redis."
    )


@pytest.mark.step(4)
async def test_a_question_that_failed_is_asked_again(office: BoxOffice) -> None:
    """An error may be shared like a result, but it must not be kept."""
    for error in (RuntimeError("restarted"), OSError("no route to host")):
        slow = office.database.hangs(error=error, when=lambda show: show == 7)
        crowd = [office.visit(7) for _ in range(5)]
        await office.door.quiet()
        asked = len(office.database.in_flight)
        slow.open()
        await office.finish(*crowd)
        assert asked == 1, (
            "Redis had nothing about show 7, and five customers came at the same "
            "time. While the first query was running, there were more of them. "
            "Expected: one query, whose result all five get."
        )
        wrong = [page for page in crowd if page.status != 500]
        assert not wrong, (
            "Five customers waited for one query, and the database raised "
            f"{error!r}. One of the customers got {told(wrong[0])}. "
            "Expected: 500 for all five, and nobody waits forever."
        )
        office.database.recovers()
        office.forget_errors()
        (again,) = await office.see(7)
        assert again.content == office.database.page(7), (
            f"The database raised {error!r} once, and works again. The next "
            f"customer of that show got {told(again)}. "
            f"Expected: 200: {office.database.page(7)}."
        )
        await office.redis.admin.flushdb()


@pytest.mark.step(4)
async def test_a_cancelled_request_does_not_take_others_with_it(
    office: BoxOffice,
) -> None:
    """Cancelling a request also cancels the task or future that it awaits."""
    slow = office.database.hangs(when=lambda show: show == 7)
    first = office.visit(7)
    await office.door.quiet()
    others = [office.visit(7) for _ in range(4)]
    await office.door.quiet()
    others.pop(0).cancel()
    await office.door.quiet()
    lost = [page for page in (first, *others) if page.done]
    slow.open()
    await office.finish(first, *others)
    lost += [it for it in (first, *others) if it.content != office.database.page(7)]
    assert not lost, (
        "Five customers waited for one query, and one of their requests was "
        f"cancelled. Another customer got {told(lost[0])}. "
        f"Expected: 200: {office.database.page(7)} for the other four."
    )

    slow = office.database.hangs(when=lambda show: show == 9)
    first = office.visit(9)
    await office.door.quiet()
    others = [office.visit(9) for _ in range(4)]
    await office.door.quiet()
    first.cancel()
    await office.pass_time(1)
    slow.open()
    await office.finish(*others)
    assert all(page.done for page in others), (
        "Five customers waited for one query. The request that had made the query "
        "was cancelled, and the other four are still waiting. "
        "Expected: they get the page or an error."
    )
    (again,) = await office.see(9)
    assert again.content == office.database.page(9), (
        "A request was cancelled while others waited for its query. The next "
        f"customer of that show got {told(again)}. "
        f"Expected: 200: {office.database.page(9)}."
    )


# ---------------------------------------------------------------- step 5


@pytest.mark.step(5)
async def test_a_silent_redis_does_not_keep_a_page_waiting(office: BoxOffice) -> None:
    """A cache is optional: a page may wait for the database, but not for Redis."""
    slow = office.database.hangs(times=1)
    page = office.visit(6)
    await office.door.quiet()
    office.door.stall()
    await office.pass_time(DATABASE_SECONDS)
    asked = office.database.calls, office.database.cancelled
    assert asked == ([(6,)], []), (
        "Redis replied, and the database took a minute for show 6. Its query was "
        "cancelled or made again. "
        "Expected: the time limit is for Redis, not for the database."
    )
    slow.open()
    await office.finish(page, seconds=2)
    assert page.content == office.database.page(6), (
        "Redis replied when the page was requested, but stalled before the "
        "database had responded. Two seconds after that, the customer had not got "
        "the page. "
        "Expected: a page waits two seconds for Redis at most."
    )

    slow = office.database.hangs(when=lambda show: show == 7)
    page = office.visit(7)
    waited = await office.pass_time(2, until=lambda: office.database.asked(7) > 0)
    asked = office.database.asked(7)
    await office.pass_time(DATABASE_SECONDS)
    in_all = office.database.asked(7)
    assert (asked, in_all, office.database.cancelled) == (1, 1, []), (
        "Redis stalled: it accepted connections but never replied. In the first "
        f"two seconds, the database got {asked} queries for the page; in the "
        f"minute that it took, {in_all} in all. "
        "Expected: one query after two seconds at most, without a time limit."
    )
    slow.open()
    waited += await office.pass_time(2, until=lambda: page.complete)
    assert page.content == office.database.page(7), (
        "Redis stalled, and the database responded after a minute. Two seconds "
        f"later, the customer had {told(page)}. "
        f"Expected: 200: {office.database.page(7)}."
    )
    assert waited <= 2, (
        f"Redis stalled, and a page waited {waited} seconds for it in all. Each "
        "command waits for its own timeout. "
        "Expected: two seconds at most for all commands of a page together."
    )


@pytest.mark.step(5)
async def test_a_silent_redis_keeps_no_queue_of_customers_waiting(
    office: BoxOffice,
) -> None:
    """Twenty requests that wait one after the other wait twenty times as long."""
    await office.see(7)
    office.database.seats[7] = ["B2"]
    office.door.stall()
    crowd = await office.see(*[7] * 20, seconds=2)
    wrong = [page for page in crowd if page.content != office.database.page(7)]
    assert not wrong, (
        "One seat of show 7 was sold. Then Redis stalled, and twenty customers "
        f"requested the page at the same time. Two seconds later, {len(wrong)} of "
        "them had no page or a wrong one. "
        f"Expected: 200: {office.database.page(7)}, from the database."
    )
    pages = await office.see(*CROWD, seconds=3)
    late = [page for page in pages if page.status != 200]
    assert not late, (
        "Redis stalled, and twenty customers requested the pages of twenty shows "
        f"at the same time. Three seconds later, {len(late)} had no page. "
        "Expected: no page waits for the commands of other pages."
    )
    await expect_redis_to_be_used_again(office, show=400)


@pytest.mark.step(5)
async def test_a_page_comes_when_redis_is_down_or_full_and_again_after_it(
    office: BoxOffice,
) -> None:
    """An error of the cache must not become an error of the page."""
    await office.see(1)
    office.database.seats[1] = ["B2"]
    await office.door.shut()
    for show in (1, 2):
        (page,) = await office.see(show, seconds=2)
        assert page.status == 200, (
            "Redis was down: it had closed its connections and accepted no new "
            f"ones. The page of show {show} did not come within two seconds. "
            "Expected: 200, with the seats that the database returns."
        )
        assert page.content == office.database.page(show), (
            "A seat of show 1 was sold after its page had been shown. Then Redis "
            f"went down, and the page of show {show} was {told(page)}. "
            f"Expected: 200: {office.database.page(show)}, from the database."
        )
    await expect_errors_of_the_database_to_stay_errors(office, show=1)
    office.door.vanish()
    (page,) = await office.see(1, seconds=2)
    assert page.status == 200, (
        "The machine of Redis was down, so connecting took forever. After two "
        f"seconds, a customer had {told(page)}. "
        "Expected: 200. A page waits two seconds for Redis at most."
    )
    await office.door.up()
    await expect_redis_to_be_used_again(office, show=400)
    await expect_errors_of_the_database_to_stay_errors(office, show=5)

    replies = {11: (FULL, ALLOWED_WHEN_FULL), 12: (NO_PRIMARY, GREETINGS)}
    for show, (words, but) in replies.items():
        office.door.refuse(words, but=but)
        (page,) = await office.see(show, seconds=2)
        result = page.status, office.database.asked(show)
        assert result == (200, 1), (
            f"Redis replied to commands with an error: {words!r}. A customer got "
            f"{told(page)}, and the database was queried {result[1]} times. "
            "Expected: 200 after one query. A page that cannot be stored can still "
            "be shown."
        )
        await expect_redis_to_be_used_again(office, show=400 + show)


async def expect_errors_of_the_database_to_stay_errors(
    office: BoxOffice, show: int
) -> None:
    """Check that an error of the database is a 500, whatever its class."""
    for error in (RuntimeError(), ConnectionRefusedError(), TimeoutError()):
        before = office.database.asked(show)
        office.database.fails(error)
        (page,) = await office.see(show, seconds=2)
        office.database.recovers()
        queries = office.database.asked(show) - before
        assert (page.status, queries) == (500, 1), (
            f"The database raised {error!r} for a page that Redis did not have. The "
            f"customer got {told(page)} after {queries} queries. "
            "Expected: 500 after one query. Only errors of Redis may be ignored."
        )
        office.forget_errors()


async def expect_redis_to_be_used_again(office: BoxOffice, show: int) -> None:
    """Let Redis recover, and check that it is in use two minutes later."""
    await office.door.up()
    await office.pass_time(120)
    pages = [(await office.see(show))[0] for _ in range(3)]
    queries = office.database.asked(show)
    assert queries == 1, (
        "Redis had failed for a moment. Two minutes later, three customers requested "
        f"the page of show {show}, and the database was queried {queries} times. "
        "Expected: once. Redis is used again within two minutes."
    )
    for page in pages:
        assert page.content == office.database.page(show), (
            "Redis had failed for a moment. Two minutes later, the page of show "
            f"{show} was {told(page)}. Expected: 200: {office.database.page(show)}."
        )
