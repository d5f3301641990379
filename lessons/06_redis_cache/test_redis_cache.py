"""The facts of lesson 06, one test each.

Behind the app stands a real Redis (an embedded Valkey). Where a test has to count
connections, or to make Redis silent, full or unreachable, a door stands between the
two: it passes on what is said, unless the test tells it otherwise. free_seats() in
app.py is replaced, so that a test sees how often the database is asked. No test
measures time: the clock is moved by hand, so nothing is ever given up because the
machine is slow.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx2
import pytest
from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection

from workshop.testing import (
    Clock,
    Exchange,
    Gate,
    RedisServer,
    RunningApp,
    StartupError,
    exchange,
    fail_after,
    settle,
)

RunApp = Callable[..., AbstractAsyncContextManager[RunningApp]]
Seats = list[str] | None
T = TypeVar("T")

# What a client says to introduce itself, and what it says to write.
GREETINGS = {"HELLO", "AUTH", "SELECT", "CLIENT"}
WRITES = {"EXPIRE", "MSET", "PEXPIRE", "PSETEX", "SET", "SETEX", "SETNX"}
WRITES |= {"EVAL", "EVALSHA", "EXEC", "FCALL", "GETSET", "HSET", "MULTI"}


@pytest.mark.step(1)
async def test_no_connection_outlives_the_app(
    redis: RedisServer, run_app: RunApp, clock: Clock
) -> None:
    """What opens a connection closes it, on every way out."""
    database = Database()
    async with (
        door_of(redis) as door,
        box_office(run_app, door, database) as app,
        app.client() as client,
    ):
        pages = [await client.get(f"/shows/{show}") for show in (1, 2, 3)]
        assert all(page.status_code == 200 for page in pages), (
            "Three customers looked at a page each, and were answered "
            f"{[page.status_code for page in pages]}. "
            "Expected: 200, all three see their page."
        )
        database.error = RuntimeError("the database is being repaired")
        broken = await client.get("/shows/4")
        assert broken.status_code == 500, (
            "The database was being repaired, and nothing was known about show 4. "
            f"Its page was answered {broken.status_code}. "
            "Expected: 500, nobody knows which seats are free."
        )
        await app.shutdown()
        await door.wait_for(lambda: door.open == 0)
        assert door.open == 0, (
            "Three customers saw a page, a fourth got an error, and the box office "
            "was shut down. Connections to Redis that were still open: "
            f"{door.open}. {door.what_was_closed}"
            "Expected: none, all that were opened have been closed."
        )


@pytest.mark.step(1)
async def test_an_opening_that_fails_half_way_leaves_nothing_open(
    redis: RedisServer, run_app: RunApp, clock: Clock
) -> None:
    """Who fails to enter a block never exits it: what is open by then stays open."""
    async with door_of(redis) as door:
        door.refuse("NOPERM this user has no permission", but=GREETINGS)
        async with (
            box_office(run_app, door, Database(), start=False) as app,
            app.client() as client,
        ):
            # It fails when the app starts, or when the first page is asked for.
            with suppress(StartupError):
                await moving(clock, redis, app.startup())
                await moving(clock, redis, client.get("/shows/1"))
                await app.shutdown()
            await door.wait_for(lambda: door.open == 0)
            assert door.open == 0, (
                "Redis let the box office in, then refused its first command, so "
                f"nothing came of it. Connections that were left open: {door.open}. "
                f"{door.what_was_closed}"
                "Expected: what cannot be opened completely is closed again."
            )


@pytest.mark.step(2)
async def test_pages_share_their_connections(
    redis: RedisServer, run_app: RunApp, clock: Clock
) -> None:
    """One pool for the process: a page borrows a connection, it does not make one."""
    database = Database()
    async with (
        door_of(redis) as door,
        box_office(run_app, door, database) as app,
        app.client() as client,
    ):
        for _ in range(3):
            pages = await at_once(client.get(f"/shows/{n}") for n in range(20))
            refused = [page for page in pages if page.status_code != 200]
            assert not refused, (
                f"Twenty customers came at once, and {len(refused)} of them got "
                "an error instead of their page. "
                "Expected: every customer gets a page, at a busy hour too."
            )
        assert door.received <= 22, (
            "Sixty customers came, never more than twenty at once. Redis had to let "
            f"in {door.received} new connections for them. "
            "Expected: not many more than there are customers at the same time."
        )
        assert len(database.asked) == 20, (
            "Twenty customers came at once, each for another show. Then they came "
            "again, and again, for the same shows. The database was asked "
            f"{times(len(database.asked))}. "
            "Expected: once for each show, a busy hour is what the cache is for."
        )
        await app.shutdown()
        await door.wait_for(lambda: door.open == 0)
        assert door.open == 0, (
            "Sixty customers came, and the box office was shut down. Connections to "
            f"Redis that were still open: {door.open}. {door.what_was_closed}"
            "Expected: none, all that were opened have been closed."
        )


@pytest.mark.step(3)
async def test_sold_out_and_not_on_sale_are_answers_to_remember(
    app: RunningApp, client: httpx2.AsyncClient, redis: RedisServer, clock: Clock
) -> None:
    """Nothing stored, something empty stored and None stored are three things."""
    database = Database()
    app.replace("free_seats", database.free_seats)
    known: dict[int, tuple[str, Seats]] = {
        1: ("has free seats", ["A1", "C7"]),
        2: ("is sold out", []),
        3: ("is not on sale yet", None),
    }
    for show, (what, seats) in known.items():
        database.seats[show] = seats
        answers = [said(await client.get(f"/shows/{show}")) for _ in range(3)]
        assert database.asked.count(show) == 1, (
            f"Show {show} {what}. Three customers looked at its page, one after "
            "the other, and the database was asked "
            f"{times(database.asked.count(show))}. "
            "Expected: once, the second and third page come from Redis."
        )
        assert answers == [{"show": show, "free": seats}] * 3, (
            f"Show {show} {what}. Its page said {answers[0]} to the first customer, "
            f"then {answers[1]} and {answers[2]}. "
            f"Expected: {{'show': {show}, 'free': {seats}}} each time."
        )
    await redis.admin.flushdb()
    database.seats[2] = ["B5"]
    returned = said(await client.get("/shows/2"))
    assert returned == {"show": 2, "free": ["B5"]}, (
        "Show 2 was sold out. When Redis had forgotten it, seat B5 had been returned. "
        f"The page said {returned}. "
        "Expected: what Redis has forgotten is asked of the database again."
    )


@pytest.mark.step(3)
async def test_nothing_is_stored_without_its_time_to_expire(
    redis: RedisServer, run_app: RunApp, clock: Clock
) -> None:
    """A program can end between any two commands. Then the second never comes."""
    database = Database()
    database.seats = {1: ["A1"], 2: [], 3: None}
    for_ever: set[str] = set()

    async def look() -> None:
        await until_redis_is_idle(redis, 2)
        for key in await redis.keys():
            if await redis.admin.pttl(key) == -1:
                for_ever.add(key)

    async with (
        door_of(redis) as door,
        box_office(run_app, door, database) as app,
        app.client() as client,
    ):
        # Redis has done what it was told, and the app does not know yet.
        door.after_each_command = door.before_each_answer = look
        lasts: dict[int, int] = {}
        for show in (1, 2, 3):
            await redis.admin.flushdb()
            await client.get(f"/shows/{show}")
            await until_redis_is_idle(redis, 12)
            times_left = [await redis.admin.pttl(key) for key in await redis.keys()]
            lasts[show] = max(times_left, default=0)
        assert not for_ever, (
            "For a moment Redis held the seats of a show with no time to expire. Had "
            "the box office been stopped then, they would be there for ever. "
            "Expected: at no moment is there a key that does not expire."
        )
        kinds = {1: "has free seats", 2: "is sold out", 3: "is not on sale yet"}
        for show, kind in kinds.items():
            assert 20_000 < lasts[show] <= 30_000, (
                f"Show {show} {kind}. Its page was shown, and Redis will have "
                f"forgotten it in {lasts[show]} milliseconds. "
                "Expected: what a page shows is kept for 30 seconds."
            )


@pytest.mark.step(3)
async def test_looking_does_not_make_an_answer_last_longer(
    app: RunningApp, client: httpx2.AsyncClient, redis: RedisServer, clock: Clock
) -> None:
    """An answer grows old from the moment it was given, however many look at it."""
    database = Database()
    app.replace("free_seats", database.free_seats)
    await client.get("/shows/1")
    await until_redis_is_idle(redis, 12)
    kept = await redis.keys()
    for key in kept:
        await redis.admin.pexpire(key, 5_000)
    for _ in range(3):
        await client.get("/shows/1")
    await until_redis_is_idle(redis, 12)
    longest = max([await redis.admin.pttl(key) for key in kept], default=0)
    # Who asks the database again has a new answer, which may be kept anew.
    assert longest <= 5_000 or len(database.asked) > 1, (
        "Redis was to forget the seats of show 1 in five seconds. Three more "
        "customers looked at them there, and after that they were kept for another "
        f"{longest} milliseconds. A show that somebody always looks at would show "
        "the same seats for ever. "
        "Expected: 30 seconds after the database was asked, it is asked again."
    )


@pytest.mark.step(3)
async def test_a_value_may_expire_between_two_questions(
    redis: RedisServer, run_app: RunApp, clock: Clock
) -> None:
    """What Redis has told may be true no longer when the next question comes."""
    database = Database()
    async with (
        door_of(redis) as door,
        box_office(run_app, door, database) as app,
        app.client() as client,
    ):
        await client.get("/shows/1")
        kept = await redis.keys()

        async def expire() -> None:
            if kept:
                await redis.admin.delete(*kept)

        door.before_each_answer = expire
        page = await client.get("/shows/1")
        assert (page.status_code, said(page)) == (200, {"show": 1, "free": ["A1"]}), (
            "Redis had the seats of show 1. A customer wanted to see them, and they "
            "expired as soon as Redis had answered its first question about them. "
            f"The customer was answered {page.status_code}: {said(page)}. "
            "Expected: 200 and seat A1, from Redis or from the database."
        )


@pytest.mark.step(4)
@pytest.mark.timeline
async def test_one_of_twenty_who_miss_at_once_asks_the_database(
    app: RunningApp, redis: RedisServer, clock: Clock
) -> None:
    """Between a miss and the value being there, everybody misses."""
    opera = Gate("the free seats of show 7", result=["A1"])

    async def free_seats(show_id: int) -> Seats:
        return await opera(show_id) if show_id == 7 else ["B1"]

    app.replace("free_seats", free_seats)
    crowd = [page_of(app, 7) for _ in range(20)]
    await opera.entered()
    await until_redis_is_idle(redis)
    asked = opera.count
    other = page_of(app, 8)
    await pass_time(clock, redis, 1, until=lambda: other.complete)
    was_answered = other.complete
    opera.open()
    await pass_time(clock, redis, 5, until=lambda: all(p.complete for p in crowd))
    assert asked == 1, (
        "Nothing was known about show 7, and twenty customers came at once. While "
        "one of them waited for the database, others asked it for the same seats. "
        "Expected: one customer's question is enough for all twenty."
    )
    assert was_answered, (
        "The database was looking for the seats of show 7. A customer wanted to see "
        "show 8, whose seats it knew at once, and was not answered meanwhile. "
        "Expected: who waits for one show does not hold up another."
    )
    assert said(other) == {"show": 8, "free": ["B1"]}, (
        "The database was looking for the seats of show 7. The page of show 8 said "
        f"{said(other)}. Expected: {{'show': 8, 'free': ['B1']}}."
    )
    assert all(page.complete for page in crowd), (
        "The database said which seats of show 7 are free. Of the twenty customers "
        "who waited for that, some were not answered even then. "
        "Expected: all twenty see what the database said."
    )
    right = {"show": 7, "free": ["A1"]}
    wrong = [said(page) for page in crowd if said(page) != right]
    assert not wrong, (
        "The database said that seat A1 of show 7 is free. Of the twenty customers "
        f"who waited, {len(wrong)} were told something else: {wrong[0]}. "
        "Expected: all twenty see what the database said."
    )
    assert opera.count == 1, (
        "Twenty customers came at once. When the first had got the seats from the "
        f"database, others asked it again: {times(opera.count)} in all. "
        "Expected: one customer's question is enough for all twenty."
    )
    await redis.admin.flushdb()
    opera.open(result=["A2"])
    later = page_of(app, 7)
    await pass_time(clock, redis, 5, until=lambda: later.complete)
    assert said(later) == {"show": 7, "free": ["A2"]}, (
        "Redis had forgotten show 7, and by then seat A2 was free. The page said "
        f"{said(later)}. "
        "Expected: an answer is shared with those who wait for it, not kept."
    )


@pytest.mark.step(4)
async def test_a_question_that_failed_is_asked_again(
    app: RunningApp, redis: RedisServer, clock: Clock
) -> None:
    """What many wait for can fail for many, but only once."""
    opera = Gate("the free seats of show 7")
    app.replace("free_seats", opera)
    crowd = [page_of(app, 7) for _ in range(5)]
    await opera.entered()
    await until_redis_is_idle(redis)
    asked = opera.count
    if asked != 1:  # then let them go, before the box office is shut down
        opera.open()
        await pass_time(clock, redis, 5, until=lambda: all(p.complete for p in crowd))
    assert asked == 1, (
        "Nothing was known about show 7, and five customers came at once. While "
        "one of them waited for the database, others asked it for the same seats. "
        "Expected: one customer's question is enough for all five."
    )
    opera.fail(RuntimeError("the database was restarted"))
    await pass_time(clock, redis, 5, until=lambda: all(p.complete for p in crowd))
    assert all(page.complete for page in crowd), (
        "Five customers waited for one answer of the database, which failed. Some "
        "of them were not answered even then. "
        "Expected: a failure reaches everybody who waits, or they ask again."
    )
    assert {page.status for page in crowd} == {500}, (
        "Five customers waited for one answer of the database, which failed. They "
        f"were answered {sorted({str(page.status) for page in crowd})}. "
        "Expected: 500, nobody knows which seats are free."
    )
    database = Database()
    database.seats[7] = ["A1"]
    app.replace("free_seats", database.free_seats)
    again = page_of(app, 7)
    await pass_time(clock, redis, 5, until=lambda: again.complete)
    assert again.complete, (
        "The database had failed once and works again. The next customer of that "
        "show was not answered. "
        "Expected: 200, the database is asked again."
    )
    assert said(again) == {"show": 7, "free": ["A1"]}, (
        "The database had failed once and works again. The next customer of that "
        f"show was answered {again.status}: {said(again)}. "
        "Expected: 200, the database is asked again."
    )


@pytest.mark.step(5)
async def test_a_silent_redis_does_not_keep_a_page_waiting(
    redis: RedisServer, run_app: RunApp, clock: Clock
) -> None:
    """A cache is an offer: who has to wait for it has got a second database."""
    ballet = Gate("the free seats of show 6")
    opera = Gate("the free seats of show 7", result=["A1"])

    async def free_seats(show_id: int) -> Seats:
        seats: Seats = await (opera() if show_id == 7 else ballet())
        return seats

    async with (
        door_of(redis) as door,
        box_office(run_app, door, free_seats) as app,
    ):
        page_of(app, 6)
        await pass_time(clock, redis, 2, until=lambda: ballet.count > 0)
        await clock.advance(60)
        assert (ballet.count, ballet.cancelled) == (1, 0), (
            "Redis was well, and the database took a minute over show 6. After a "
            "while it was asked no longer, or asked again. "
            "Expected: the limit is for Redis, not for the database."
        )
        door.silence()
        page = page_of(app, 7)
        await pass_time(clock, redis, 2, until=lambda: opera.count > 0)
        told = (
            f"she had been answered {page.status}"
            if page.complete
            else "she was still waiting"
        )
        assert opera.count == 1, (
            "Redis kept its connections open and said nothing. Ann wanted to see "
            f"show 7. Two seconds later {told}, and nobody had asked the database "
            "for her. "
            "Expected: after two seconds at most, the database is asked instead."
        )
        await clock.advance(60)
        assert opera.cancelled == 0, (
            "Redis said nothing, so the database was asked, and it was slow that "
            "day. After a while it was asked no longer, or asked again. "
            "Expected: the limit is for Redis, not for the database."
        )
        opera.open()
        await pass_time(clock, redis, 2, until=lambda: page.complete)
        assert page.complete, (
            "Redis said nothing. The database had told which seats are free, and two "
            "seconds later Ann still had no page. "
            "Expected: nobody waits longer than two seconds for Redis."
        )
        assert (page.status, opera.count) == (200, 1), (
            "Redis said nothing, and the database said that seat A1 is free. Ann was "
            f"answered {page.status}, and the database was asked "
            f"{times(opera.count)}. "
            "Expected: 200, and one question to the database."
        )
        assert said(page) == {"show": 7, "free": ["A1"]}, (
            "Redis said nothing, and the database said that seat A1 is free. Ann's "
            f"page said {said(page)}. "
            "Expected: her page comes from the database."
        )


@pytest.mark.step(5)
async def test_a_silent_redis_keeps_no_queue_of_customers_waiting(
    redis: RedisServer, run_app: RunApp, clock: Clock
) -> None:
    """Twenty who wait one after the other wait twenty times as long."""
    database = Database()
    async with (
        door_of(redis) as door,
        box_office(run_app, door, database) as app,
    ):
        early = page_of(app, 7)
        await pass_time(clock, redis, 2, until=lambda: early.complete)
        await until_redis_is_idle(redis, 12)  # it may be stored after the page
        database.seats[7] = ["B2"]
        door.silence()
        crowd = [page_of(app, 7) for _ in range(20)]
        await pass_time(clock, redis, 2, until=lambda: all(p.complete for p in crowd))
        assert all(page.complete for page in crowd), (
            "Redis said nothing, and twenty customers wanted to see show 7. The "
            "database would have answered at once. Two seconds later some of them "
            "had no page. "
            "Expected: nobody waits longer than two seconds for Redis."
        )
        refused = [page for page in crowd if page.status != 200]
        assert not refused, (
            "Redis said nothing, and twenty customers wanted to see show 7. "
            f"{len(refused)} of them got an error. "
            "Expected: the page of each comes from the database."
        )
        right = {"show": 7, "free": ["B2"]}
        wrong = [said(page) for page in crowd if said(page) != right]
        assert not wrong, (
            "A customer had seen show 7, with seat A1 free. Then A1 was sold, B2 "
            "was returned, and Redis fell silent. Of the next twenty customers "
            f"{len(wrong)} did not see seat B2 alone: {wrong[0]}. "
            "Expected: while Redis says nothing, the page comes from the database."
        )


@pytest.mark.step(5)
async def test_a_page_comes_when_redis_is_down_or_full_and_again_after_it(
    redis: RedisServer,
    run_app: RunApp,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a cache cannot do must not become what the box office cannot do."""
    let_other_clocks_follow(monkeypatch)
    database = Database()
    async with (
        door_of(redis) as door,
        box_office(run_app, door, database) as app,
    ):

        async def look_at(show: int) -> tuple[int | None, Any]:
            """Return what a page is and says after two seconds, if it has come."""
            page = page_of(app, show)
            await pass_time(clock, redis, 2, until=lambda: page.complete)
            return (page.status, said(page)) if page.complete else (None, None)

        await look_at(1)
        await until_redis_is_idle(redis, 12)  # it may be stored after the page
        database.seats[1] = ["B2"]
        await door.shut()
        down = [await look_at(1), await look_at(2)]
        assert [status for status, _ in down] == [200, 200], (
            "Redis was down: it had closed its connections, and nothing listened at "
            "its address. The database was well. Ann wanted to see show 1, then show "
            "2, and did not get both pages. "
            "Expected: within two seconds each page comes from the database."
        )
        assert down[0][1] == {"show": 1, "free": ["B2"]}, (
            "Ann had seen show 1, with seat A1 free. Then A1 was sold, B2 was "
            "returned, and Redis went down. Ann looked again, and her page said "
            f"{down[0][1]}. "
            "Expected: without Redis a page comes from the database, and from "
            "nowhere else."
        )
        database.error = RuntimeError("the database is being repaired")
        asked = database.asked.count(1)
        broken, _ = await look_at(1)
        asked = database.asked.count(1) - asked
        assert (broken, asked) == (500, 1), (
            "Redis was down, and the database failed. A page that had been seen "
            f"before was answered {broken}, and the database was asked "
            f"{times(asked)}. "
            "Expected: 500, after one question to the database."
        )
        database.error = None
        await door.up()
        await clock.advance(120)
        for _ in range(3):
            await look_at(4)
        asked = database.asked.count(4)
        assert asked == 1, (
            "Redis had been down for a moment. Two minutes later three customers "
            f"looked at show 4, and the database was asked {times(asked)}. "
            "Expected: once, Redis is used again when it is back."
        )
        door.refuse("OOM command not allowed when used memory > 'maxmemory'", WRITES)
        full, _ = await look_at(5)
        asked = database.asked.count(5)
        assert (full, asked) == (200, 1), (
            "Redis was full: it could be read, and took nothing new. Ann wanted to "
            f"see show 5 and was answered {full}, and the database was asked "
            f"{times(asked)}. "
            "Expected: 200, what cannot be remembered can still be shown, and one "
            "question to the database."
        )


class Database:
    """Stands in for free_seats(): says what it is told to, and keeps count."""

    def __init__(self) -> None:
        self.seats: dict[int, Seats] = {}
        self.asked: list[int] = []
        self.error: Exception | None = None

    async def free_seats(self, show_id: int) -> Seats:
        """Answer as the database would, and remember the question."""
        self.asked.append(show_id)
        await settle(3)  # no answer of a database comes in the same instant
        if self.error is not None:
            raise self.error
        return self.seats.get(show_id, ["A1"])


class Door:
    """Stands between the box office and Redis: counts, refuses, or says nothing."""

    def __init__(self, redis: RedisServer) -> None:
        """Make a door in front of *redis*; nobody gets through before `up`."""
        self.received = 0
        self.clients_closed = 0
        self.pools_closed = 0
        self.after_each_command: Callable[[], Awaitable[None]] | None = None
        self.before_each_answer: Callable[[], Awaitable[None]] | None = None
        self._redis = redis
        self._to = urlsplit(redis.url)
        self._refuses: Callable[[str], bool] = lambda command: False
        self._words = b""
        self._speaks = asyncio.Event()
        self._speaks.set()
        self._inside: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._port = 0

    @property
    def url(self) -> str:
        """The address of Redis, by way of this door."""
        user, at, _ = self._to.netloc.rpartition("@")
        return self._to._replace(netloc=f"{user}{at}127.0.0.1:{self._port}").geturl()

    @property
    def open(self) -> int:
        """How many connections of the box office are open now."""
        return len(self._inside)

    @property
    def what_was_closed(self) -> str:
        """A sentence for whoever closed something, and not what keeps the rest open."""
        if not self.clients_closed or self.pools_closed:
            return ""
        return (
            f"Something was closed {times(self.clients_closed)}, but not what holds "
            "the connections. "
        )

    async def up(self) -> None:
        """Listen, always at the same address."""
        self._server = await asyncio.start_server(self._visit, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def shut(self) -> None:
        """Throw everybody out and listen no longer, like a server that died."""
        if self._server is not None:
            self._server.close()
        for writer in list(self._inside):
            writer.transport.abort()
        await settle()

    def silence(self) -> None:
        """Let everybody in, listen to everything, and say nothing any more."""
        self._speaks.clear()

    def refuse(
        self, words: str, commands: set[str] | None = None, *, but: Iterable[str] = ()
    ) -> None:
        """Answer *commands*, or all *but* some, with an error of these *words*."""
        self._words = f"-{words}\r\n".encode()
        self._refuses = lambda command: (
            command in commands if commands is not None else command not in but
        )

    async def wait_for(self, happened: Callable[[], bool]) -> None:
        """Return when it has *happened*, or when all that was on its way is there."""
        for _ in range(50):
            if happened():
                return
            await until_redis_is_idle(self._redis, 1)

    async def close(self) -> None:
        """Shut the door for good."""
        self._speaks.set()
        await self.shut()

    async def _visit(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.received += 1
        self._inside.add(writer)
        answers, redis = await asyncio.open_connection(
            self._to.hostname, self._to.port or 6379
        )
        back = asyncio.create_task(self._bring_back(answers, writer))
        try:
            while command := await one_command(reader):
                await self._speaks.wait()
                name = command.split(b"\r\n")[2].decode().upper()
                if self._refuses(name):
                    writer.write(self._words)
                else:
                    redis.write(command)
                    if self.after_each_command is not None:
                        await self.after_each_command()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._inside.discard(writer)
            back.cancel()
            redis.close()
            writer.close()

    async def _bring_back(
        self, answers: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while answer := await answers.read(65536):
            if self.before_each_answer is not None:
                await self.before_each_answer()
            writer.write(answer)


async def one_command(reader: asyncio.StreamReader) -> bytes:
    """Read one command as clients of Redis send it; b"" at the end."""
    command = await reader.readline()
    for _ in range(int(command[1:] or 0)):
        size = await reader.readline()
        command += size + await reader.readexactly(int(size[1:]) + 2)
    return command


@asynccontextmanager
async def door_of(redis: RedisServer) -> AsyncIterator[Door]:
    """Put a door in front of *redis*.

    What the garbage collector closes does not count as closed, so every connection
    that the app makes is held here as long as the door stands.
    """
    held: list[AbstractConnection] = []
    door = Door(redis)
    await door.up()
    with pytest.MonkeyPatch.context() as patch:
        connect = AbstractConnection.connect

        async def connect_and_hold(self: AbstractConnection) -> None:
            held.append(self)
            await connect(self)

        close_client, close_pool = Redis.aclose, ConnectionPool.disconnect

        async def close_client_and_count(self: Redis, *args: Any, **how: Any) -> None:
            door.clients_closed += 1
            await close_client(self, *args, **how)

        async def close_pool_and_count(
            self: ConnectionPool, *args: Any, **how: Any
        ) -> None:
            door.pools_closed += 1
            await close_pool(self, *args, **how)

        patch.setattr(AbstractConnection, "connect", connect_and_hold)
        patch.setattr(Redis, "aclose", close_client_and_count)
        patch.setattr(ConnectionPool, "disconnect", close_pool_and_count)
        try:
            yield door
        finally:
            await door.close()
            for connection in held:
                await connection.disconnect(nowait=True)


@asynccontextmanager
async def box_office(
    run_app: RunApp,
    door: Door,
    database: Database | Callable[[int], Awaitable[Seats]],
    *,
    start: bool = True,
) -> AsyncIterator[RunningApp]:
    """Run the app with Redis behind *door*, and with *database* in its place."""
    stand_in = database.free_seats if isinstance(database, Database) else database
    async with run_app(
        env={"REDIS_URL": door.url}, replace={"free_seats": stand_in}, start=start
    ) as app:
        yield app


async def at_once(
    requests: Iterable[Awaitable[httpx2.Response]],
) -> list[httpx2.Response]:
    """Send all *requests* together, and return the answers."""
    return await asyncio.gather(*requests)


async def until_redis_is_idle(redis: RedisServer, words: int = 80) -> None:
    """Return when what was on its way to Redis, or from it, has arrived.

    Redis answers one after the other, so each of our questions is answered after
    those that were asked before it. *words* is how many each customer may have.
    """
    for _ in range(words):
        await redis.admin.ping()
        await settle(5)


async def pass_time(
    clock: Clock, redis: RedisServer, seconds: int, *, until: Callable[[], bool]
) -> None:
    """Let *seconds* pass in small steps, at each of which Redis may finish."""
    for _ in range(10 * seconds + 1):
        await until_redis_is_idle(redis, 12)
        if until():
            return
        await clock.advance(0.1)


async def moving(
    clock: Clock,
    redis: RedisServer,
    awaitable: Awaitable[T],
    never: str = "It never came to an end.",
) -> T:
    """Return the result of *awaitable*, for which time may have to pass."""
    task = asyncio.ensure_future(awaitable)
    await pass_time(clock, redis, 5, until=task.done)
    return await fail_after(task, never)


def let_other_clocks_follow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the clocks of the module time go ahead with the one moved by hand."""
    loop = asyncio.get_running_loop()
    start = loop.time()

    def ahead(real: Callable[[], float]) -> Callable[[], float]:
        return lambda: real() + loop.time() - start

    for name in ("time", "monotonic", "perf_counter"):
        monkeypatch.setattr(time, name, ahead(getattr(time, name)))


def page_of(app: RunningApp, show: int) -> Exchange:
    """Ask for the page of a show, and do not wait for it."""
    return exchange(app, "GET", f"/shows/{show}")


def times(count: int) -> str:
    """Say how often, as one says it."""
    return "once" if count == 1 else f"{count} times"


def said(answer: httpx2.Response | Exchange) -> Any:
    """What an answer says: its JSON if it is one, else its text."""
    is_json = answer.headers.get("content-type", "").startswith("application/json")
    if is_json:
        return answer.json()
    return answer.body.decode() if isinstance(answer, Exchange) else answer.text
