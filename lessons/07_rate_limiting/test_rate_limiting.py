"""The facts of lesson 07, one test each.

Time is moved by hand: the app's now() and the event loop follow the same clock.
Each customer calls from an address of his own, directly or through our proxies.
In step 6 two workers run here, with a real Redis. A wire between the first of them
and Redis can hold back one of its answers, or break. No test measures time.
"""

import asyncio
import contextlib
import gc
import select
import socket
import socketserver
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit, urlunsplit

import pytest

from workshop.testing import (
    Clock,
    Exchange,
    Gate,
    RedisServer,
    RunningApp,
    TimeLimitExceeded,
    exchange,
    fail_after,
    settle,
)
from workshop.testing.plugin import RunApp

ANN, BOB, CLEO, DAN = "203.0.113.1", "203.0.113.2", "203.0.113.3", "203.0.113.4"
SCALPER = "203.0.113.66"
KNOWN_SCALPER = "192.0.2.200"  # on the blocklist
BALANCER, CACHE = "10.0.0.1", "10.0.0.2"
NOON = 1_700_000_000.0
GREETINGS = {b"HELLO", b"AUTH", b"SELECT", b"CLIENT", b"PING", b"INFO", b"COMMAND"}


@pytest.mark.step(1)
async def test_the_window_slides_and_refused_calls_do_not_count(
    app: RunningApp, clock: Clock
) -> None:
    """A sliding window looks back from each call, and sees the calls that it served."""
    open_the_box_office(app, clock)
    answers: list[tuple[float, int | None]] = []
    for moment in (0, 1, 2, 5.5, 7.5, 9.5, 10.5, 10.75, 11.5):
        await clock.advance(moment - clock.now)
        answers.append((moment, (await seats(app, ANN)).status))

    told = ", ".join(f"{status} at {moment} s" for moment, status in answers)
    served = [moment for moment, status in answers if status == 200]
    refused = [moment for moment, status in answers if status == 429]
    assert served == [0, 1, 2, 10.5, 11.5], (
        f"Ann kept asking for seats. Three calls in any ten seconds are hers: {told}. "
        "Expected: served at 0, 1, 2, 10.5 and 11.5 s, since each call that was "
        "served counts for ten seconds, and a refused one never."
    )
    assert refused == [5.5, 7.5, 9.5, 10.75], (
        f"Ann kept asking for seats, more often than allowed: {told}. "
        "Expected: 429 at 5.5, 7.5, 9.5 and 10.75 s."
    )


@pytest.mark.step(1)
async def test_retry_after_is_the_time_until_the_next_call_is_served(
    app: RunningApp, clock: Clock
) -> None:
    """Retry-After says when the oldest call leaves the window, rounded up."""
    open_the_box_office(app, clock)
    for moment in (0, 1, 2, 5.5):
        await clock.advance(moment - clock.now)
        ann = await seats(app, ANN)

    retry_after = ann.headers.get("retry-after", "nothing")
    assert (ann.status, retry_after) == (429, "5"), (
        "Ann was served at 0, 1 and 2 s. At 5.5 s she was answered "
        f"{ann.status}, with Retry-After: {retry_after}. "
        "Expected: 429 with Retry-After: 5, the whole seconds until ten have passed "
        "since her first call. After four she would be refused again."
    )
    await clock.advance(5)
    ann = await seats(app, ANN)
    assert ann.status == 200, (
        "Ann was refused with Retry-After: 5. She came back after five seconds and "
        f"was answered {ann.status}. "
        "Expected: 200, what Retry-After says is true."
    )
    for pause in (0, 1, 1, 5):
        await clock.advance(pause)
        bob = await seats(app, BOB)
    told = seconds(bob) or 0
    await clock.advance(max(told - 1, 0))
    early = (await seats(app, BOB)).status
    await clock.advance(1)
    late = (await seats(app, BOB)).status
    assert (early, late) == (429, 200), (
        "Bob was served at 0, 1 and 2 s. At 7 s he was refused with Retry-After: "
        f"{told}. He tried one second before that was over, then when it was over, "
        f"and was answered {early} and {late}. "
        "Expected: 429 and 200, what Retry-After says is true to the second."
    )


@pytest.mark.step(2)
async def test_who_stays_away_is_forgotten(app: RunningApp, clock: Clock) -> None:
    """What is kept for each customer must end, also for one who never comes back."""
    open_the_box_office(app, clock)

    async def on_blocklist(address: str) -> bool:
        return address.startswith("198.18.2.")

    app.replace("on_blocklist", on_blocklist)
    for moment in (0, 8, 8):
        await clock.advance(moment - clock.now)
        await seats(app, ANN)
    before = sizes_in_memory()
    await clock.advance(2.5)
    for number in range(200):
        await seats(app, f"198.18.0.{number}")
    await clock.advance(0.5)
    told = [(await seats(app, ANN)).status for _ in range(2)]
    assert told == [200, 429], (
        "Ann was served once at 0 s and twice at 8 s. At 10.5 s 200 others came. At "
        f"11 s Ann asked twice more and was answered {told}. "
        "Expected: 200, then 429. Nobody is forgotten within the ten seconds."
    )

    for number in range(10):
        for _ in range(4):
            await seats(app, f"198.18.1.{number}")
            await seats(app, f"198.18.2.{number}")
    # A sweep may still have in its hands whom it has thrown out last: not a scalper.
    await seats(app, BOB)
    await clock.advance(3600)
    for number in range(100):
        await seats(app, f"203.0.113.{number}")
    texts = remembered("198.18.")
    once, often, blocked = (
        sum(f"198.18.{kind}." in text for text in texts) for kind in range(3)
    )
    assert (once, often, blocked) == (0, 0, 0), (
        "Each from another address, 200 scalpers came once, ten more came too often "
        "and were refused, and ten were on the blocklist. An hour and 100 other "
        "customers later, the app still had addresses in its memory: "
        f"{once} of the first, {often} of the second and {blocked} of the third. "
        "Expected: none. Who stays away longer than the window is forgotten."
    )
    after = sizes_in_memory()
    grown = max(size - before.get(each, size) for each, size in after.items())
    assert grown < 300, (
        "220 scalpers came, and an hour later 100 other customers. No address of a "
        "scalper was left in the app's memory, but something in there had grown by "
        f"{grown} entries. "
        "Expected: nothing is left of who stays away, under any name or number."
    )


@pytest.mark.step(3)
async def test_customers_behind_our_proxies_do_not_share_a_limit(
    app: RunningApp, clock: Clock
) -> None:
    """Behind a proxy everybody comes from the proxy; the customer is in a header."""
    open_the_box_office(app, clock)
    for way, first, second in (((BALANCER,), ANN, BOB), ((CACHE, BALANCER), CLEO, DAN)):
        through = " and our ".join("cache" if p == CACHE else "balancer" for p in way)
        for _ in range(3):
            await seats(app, first, way)
        other = await seats(app, second, way)
        assert other.status == 200, (
            f"One customer asked three times, through our {through}. Then another "
            f"asked for the first time, the same way, and was answered {other.status}. "
            "Expected: 200, everybody has three calls of his own."
        )
        again = await seats(app, first, way)
        assert again.status == 429, (
            f"A customer asked four times within ten seconds, through our {through}, "
            f"and was answered {again.status} the fourth time. "
            "Expected: 429, there is a limit behind our proxies, too."
        )


@pytest.mark.step(3)
async def test_an_address_that_the_customer_made_up_is_not_believed(
    app: RunningApp, clock: Clock
) -> None:
    """A header is what anybody wrote, except for what our own proxies have added."""
    open_the_box_office(app, clock)
    for _ in range(3):
        await seats(app, SCALPER, (BALANCER,), forged=ANN)
    ann = await seats(app, ANN, (BALANCER,))
    assert ann.status == 200, (
        "A scalper asked three times, through our balancer, and wrote Ann's address "
        "into X-Forwarded-For. Then Ann asked for the first time and was answered "
        f"{ann.status}. "
        "Expected: 200, nobody can use up the calls of another."
    )
    for way, through in ((BALANCER,), "through our balancer"), ((), "past our proxies"):
        answers = [
            (await seats(app, SCALPER, way, forged=f"192.0.2.{number}")).status
            for number in range(7)
        ]
        assert answers.count(200) <= 3, (
            f"A scalper asked seven times within ten seconds, {through}, and wrote "
            "another made-up address into X-Forwarded-For each time. "
            f"{answers.count(200)} of his calls were served. "
            "Expected: at most three. A made-up address changes nothing."
        )


@pytest.mark.step(4)
@pytest.mark.timeline
async def test_a_burst_is_no_way_around_the_limit(
    app: RunningApp, clock: Clock
) -> None:
    """Whoever waits between the look and the entry lets others look meanwhile."""
    open_the_box_office(app, clock)
    slow = Gate("the blocklist's answer about the scalper")

    async def on_blocklist(address: str) -> bool:
        if address == SCALPER:
            await slow(address)
        await settle(5)  # also the second time that it is asked
        return address in (CLEO, DAN)

    app.replace("on_blocklist", on_blocklist)
    burst = [asyncio.create_task(seats(app, SCALPER)) for _ in range(10)]
    await slow.entered()
    await settle()
    bob = await fail_after(
        seats(app, BOB),
        never="The blocklist took its time over a scalper. Meanwhile Bob asked for "
        "seats and was never answered. "
        "Expected: customers do not wait for each other.",
    )
    assert bob.status == 200, (
        "While a scalper's ten calls were waiting for the blocklist, Bob asked for "
        f"the first time and was answered {bob.status}. "
        "Expected: 200."
    )
    slow.open()
    answers = Counter([(await call).status for call in burst])
    assert answers == {200: 3, 429: 7}, (
        "A scalper sent ten calls at the same moment, and the blocklist took its time. "
        f"{answers[200]} were served, {answers[429]} were answered 429. "
        "Expected: three are served and seven refused, as if they had come one after "
        "another."
    )
    told = [(await seats(app, DAN)).status for _ in range(5)]
    assert told == 5 * [403], (
        "Dan is on the blocklist. He asked for seats five times, one after another, "
        f"and was answered {told}. "
        "Expected: 403 every time, as before."
    )
    cleo = [asyncio.create_task(seats(app, CLEO)) for _ in range(10)]
    answers = Counter([(await call).status for call in cleo])
    assert answers == {403: 10}, (
        "Cleo is on the blocklist. She asked for seats ten times at the same moment. "
        f"{answers[403]} calls were answered 403, {answers[429]} were answered 429, "
        f"and {answers[200]} were served. "
        "Expected: 403 every time. Who may not come in is not told to come back later."
    )


@pytest.mark.step(5)
@pytest.mark.timeline
async def test_printing_a_ticket_under_the_limit_holds_up_nobody(
    app: RunningApp,
) -> None:
    """A coroutine around a `def` endpoint calls it on the loop's own thread."""
    open_the_box_office(app)
    printer = Gate("the printing of a ticket", result="ticket A1, row 7")
    app.replace("print_ticket", printer.blocking)

    ann = asyncio.create_task(visit(app, "GET", "/tickets/A1", ANN))
    assert await entered_or_done(printer, ann), (
        f"Ann wanted her ticket and was answered {(await ann).status}, without a word "
        "to the printer. "
        "Expected: her ticket, as print_ticket() prints it."
    )
    assert printer.held is None, (
        "Ann's ticket was being printed. Until it was done, the whole box office "
        "stood still, and nobody else was answered. "
        "Expected: others are served while a ticket is being printed."
    )
    bob = await seats(app, BOB)
    assert (bob.status, printer.waiting) == (200, 1), (
        f"Ann's ticket was being printed. Bob asked for seats and was answered "
        f"{bob.status}. By then {printer.waiting} tickets were being printed. With 0, "
        "it was the event loop that had waited for the printer. "
        "Expected: Bob is answered 200 while Ann's ticket is being printed."
    )
    printer.open()
    answers = [await ann]
    answers += [await visit(app, "GET", "/tickets/A1", ANN) for _ in range(3)]
    told = [answer.status for answer in answers]
    assert told == [200, 200, 200, 429], (
        f"Ann printed her ticket four times within ten seconds: {told}. "
        "Expected: 200 three times, then 429. The limit holds for tickets, too."
    )
    assert b"ticket A1, row 7" in answers[0].body, (
        f"Ann's ticket says: {answers[0].body.decode()}. "
        "Expected: what print_ticket() has printed."
    )
    scalper = [await visit(app, "GET", "/tickets/A1", KNOWN_SCALPER) for _ in range(5)]
    told = [answer.status for answer in scalper]
    assert told == 5 * [403], (
        "A scalper who is on the blocklist wanted a ticket printed, five times, and "
        f"was answered {told}. "
        "Expected: 403 every time, as before."
    )


@pytest.mark.step(6)
async def test_two_workers_share_one_limit(run_app: RunApp, redis: RedisServer) -> None:
    """What one worker keeps in its memory, no other worker can count."""
    async with two_workers(run_app, redis) as both:
        answers = [await guess(each, ANN) for each in 2 * (both.first, both.second)]
        told = [answer.status for answer in answers]
        assert told == [200, 200, 200, 429], (
            "Ann guessed the word four times within ten seconds, by turns at two "
            f"workers, and was answered {told}. "
            "Expected: 200 three times, then 429. Both workers count together."
        )
        assert seconds(answers[-1]) in range(1, 11), (
            "Ann has used up her three guesses. Her fourth was answered with "
            f"Retry-After: {answers[-1].headers.get('retry-after', 'nothing')}. "
            "Expected: whole seconds, from 1 to 10."
        )
        others = [(await guess(each, BOB)).status for each in (both.first, both.second)]
        assert others == [200, 200], (
            "Ann had no guess left. Bob guessed once at each worker and was answered "
            f"{others}. "
            "Expected: 200 twice, he has three guesses of his own."
        )
        scalper = [(await guess(both.first, KNOWN_SCALPER)).status for _ in range(5)]
        assert scalper == 5 * [403], (
            "A scalper who is on the blocklist guessed the word five times, and was "
            f"answered {scalper}. "
            "Expected: 403 every time, as before."
        )
        own_clock = await both.pass_seconds(6)
        refused = [await guess(both.first, ANN) for _ in range(3)]
        wait = seconds(refused[-1]) or 0
        possible = range(1, 11 if own_clock else 5)
        assert (refused[-1].status, wait in possible) == (429, True), (
            "Ann was refused and told to wait. Six seconds later she tried three times "
            f"more, and was answered {refused[-1].status} with Retry-After: {wait}. "
            "Expected: 429 with at most 4. A refused guess makes no wait longer."
        )
        if wait <= 4:
            await both.pass_seconds(5)
            again = await guess(both.first, ANN)
            assert again.status == 200, (
                "Ann was refused and told to wait for four seconds at most. Five "
                f"seconds later she guessed again and was answered {again.status}. "
                "Expected: 200. Refused guesses do not count."
            )


@pytest.mark.step(6)
async def test_no_worker_decides_while_another_is_deciding(
    run_app: RunApp, redis: RedisServer
) -> None:
    """Between two questions to Redis there is time for somebody else."""
    async with two_workers(run_app, redis) as both:
        for question in range(1, 20):
            customer = f"203.0.113.{question}"
            for _ in range(2):
                await guess(both.first, customer)
            with both.wire.hold(question) as answer:
                first = asyncio.create_task(guess(both.first, customer))
                was_asked = await entered_or_done(answer, first)
                assert not (was_asked and first.done()), (
                    "Redis took its time over one guess. Until it had answered, the "
                    "whole worker stood still, and nobody was served. "
                    "Expected: others are served while Redis is thinking."
                )
                second = await fail_after(
                    guess(both.second, customer),
                    never="One worker was waiting for Redis. Meanwhile a guess at the "
                    "other worker was never answered. "
                    "Expected: no worker waits for another.",
                )
            told = sorted(str(it.status) for it in (await first, second))
            assert told == ["200", "429"], (
                "Ann had one guess left. She guessed at two workers at the same "
                f"moment, and was answered {' and '.join(told)}. "
                "Expected: one guess is let through, and the other is answered 429."
            )
            if not was_asked:
                break


@pytest.mark.step(6)
async def test_without_redis_there_is_an_answer_and_every_count_has_an_end(
    run_app: RunApp, redis: RedisServer
) -> None:
    """Between any two questions Redis can go away, and a window can end."""
    async with two_workers(run_app, redis) as both:
        for question in range(1, 20):
            with both.wire.hold(question) as answer:
                slow = asyncio.create_task(guess(both.first, f"203.0.113.{question}"))
                was_asked = await entered_or_done(answer, slow)
                await both.pass_seconds(11)
            await slow
            assert -1 not in await ends_of_counts(redis), (
                "While a worker was deciding about a guess, the ten seconds ended. "
                "Since then Redis holds a count that never ends, and one day it will "
                "keep its customer out for ever. "
                "Expected: every count has its end from the beginning."
            )
            with both.wire.cut(question):
                cut = await guess(both.first, f"198.51.100.{question}")
            assert cut.status in (200, 503), (
                "The connection to Redis broke while a worker was deciding about a "
                f"guess. The customer was answered {cut.status}. "
                "Expected: 200 or 503. Open or closed, you decide; an error is neither."
            )
            assert -1 not in await ends_of_counts(redis), (
                "The connection to Redis broke while a worker was deciding about a "
                "guess. Since then Redis holds a count that never ends, and one day it "
                "will keep its customer out for ever. "
                "Expected: every count has its end from the beginning."
            )
            if not was_asked:
                break
        assert await ends_of_counts(redis), (
            "Customers have guessed the word, and Redis holds no count of it. "
            "Expected: the count is where every worker can see it."
        )
        both.wire.close()
        ann = await guess(both.first, ANN)
        assert ann.status in (200, 503), (
            f"Redis was down. Ann guessed the word and was answered {ann.status}. "
            "Expected: 200 or 503. Open or closed, you decide; an error is neither."
        )


def open_the_box_office(app: RunningApp, clock: Clock | None = None) -> None:
    """Let the outside world answer at once; time stands still, or follows *clock*."""

    loop = asyncio.get_running_loop()

    def now() -> float:
        return NOON + (loop.time() if clock else 0)

    async def on_blocklist(address: str) -> bool:
        return address == KNOWN_SCALPER

    async def seats_left(show_id: int) -> int:
        return 12

    app.replace("now", now)
    app.replace("on_blocklist", on_blocklist)
    app.replace("seats_left", seats_left)


async def visit(
    app: RunningApp,
    method: str,
    path: str,
    address: str,
    proxies: tuple[str, ...] = (),
    forged: str = "",
) -> Exchange:
    """Send one request from *address*, through *proxies*, and wait for its end.

    Each proxy adds whom it has seen to X-Forwarded-For, behind what the customer
    has written there himself, which is *forged*.
    """
    *seen, last = (address, *proxies)
    header = ", ".join([forged, *seen] if forged else seen)
    headers = {"x-forwarded-for": header} if header else {}
    call = exchange(app, method, path, headers=headers, client=(last, 50_000))
    await call.finished()
    return call


async def seats(
    app: RunningApp, address: str, proxies: tuple[str, ...] = (), forged: str = ""
) -> Exchange:
    """Ask for the seats of a show."""
    return await visit(app, "GET", "/shows/7/seats", address, proxies, forged)


async def guess(app: RunningApp, address: str) -> Exchange:
    """Guess the word of the presale."""
    return await visit(app, "POST", "/presale/sesame", address)


def seconds(answer: Exchange) -> int | None:
    """Return what Retry-After says, if it is a whole number."""
    text = answer.headers.get("retry-after", "")
    return int(text) if text.isdigit() else None


def remembered(part: str) -> set[str]:
    """Return the texts with *part* in them that the app keeps anywhere in memory."""
    texts = (it for group in in_memory() for it in list(group) if isinstance(it, str))
    return {text for text in texts if part in text} - {part}


def sizes_in_memory() -> dict[int, int]:
    """Return how many entries each dict and set in memory has, by its identity."""
    found = [each for each in in_memory() if isinstance(each, dict | set)]
    return {id(each): len(each) for each in found}  # made after the look around


def in_memory() -> Iterator[Collection[object]]:
    """Yield everything in memory that holds something else.

    A cache with a fixed size, such as uvicorn has one for addresses, is left out.
    """
    gc.collect()
    cache = type(lru_cache(int))
    holders = gc.get_objects()
    bounded = {
        id(entry)
        for each in holders
        if isinstance(each, cache) and each.cache_parameters()["maxsize"]
        for entry in (each, *gc.get_referents(each))
    }
    for each in holders:
        if id(each) in bounded:
            continue
        held = gc.get_referents(each)
        # The collector does not list a dict or tuple of mere texts and numbers, and
        # does not follow the keys of a dict.
        groups = [it for it in held if isinstance(it, dict | tuple)]
        kinds = dict | list | set | tuple
        for group in (held, each, *groups):
            if isinstance(group, kinds) and id(group) not in bounded:
                yield group


@dataclass
class TwoWorkers:
    """Two instances of the app with one Redis; a wire leads from the first to it."""

    first: RunningApp
    second: RunningApp
    wire: "Wire"
    redis: RedisServer

    async def pass_seconds(self, passed: int) -> bool:
        """Let time pass for both workers, and for every key that will expire.

        Return whether a count may go by Redis's own clock, which stands still here.
        Plain numbers have no clock but their expiry.
        """
        kinds = set()
        for app in (self.first, self.second):
            before = app.module.now()
            app.replace("now", lambda moment=before + passed: moment)
        for key in await self.redis.keys():
            kinds.add(await self.redis.admin.type(key))
            left = await self.redis.admin.pttl(key)
            if left > 0:
                await self.redis.admin.pexpire(key, left - 1000 * passed)
        return kinds != {"string"}


async def ends_of_counts(redis: RedisServer) -> list[int]:
    """Return when the keys in Redis expire, in milliseconds; -1 is never."""
    return [await redis.admin.pttl(key) for key in await redis.keys()]


@asynccontextmanager
async def two_workers(run_app: RunApp, redis: RedisServer) -> AsyncIterator[TwoWorkers]:
    """Start two workers."""
    with contextlib.closing(Wire(redis.url)) as wire:
        async with (
            run_app(env={"REDIS_URL": wire.url}) as first,
            run_app(env={"REDIS_URL": redis.url}) as second,
        ):
            open_the_box_office(first)
            open_the_box_office(second)
            yield TwoWorkers(first, second, wire, redis)


async def entered_or_done(gate: Gate, task: asyncio.Task[Exchange]) -> bool:
    """Wait until somebody comes to the gate, or the task is done without it."""
    entered = asyncio.ensure_future(gate.entered())
    await asyncio.wait({entered, task}, return_when=asyncio.FIRST_COMPLETED)
    entered.cancel()
    return gate.count > 0


class Wire(socketserver.ThreadingTCPServer):
    """A wire to Redis. It can hold one of the answers, or break in its place."""

    daemon_threads = True

    def __init__(self, url: str) -> None:
        """Lead to the Redis at *url*."""
        super().__init__(("127.0.0.1", 0), Conversation)
        parts = urlsplit(url)
        login, at, _ = parts.netloc.rpartition("@")
        here = f"{login}{at}127.0.0.1:{self.server_address[1]}"
        self.url = urlunsplit(parts._replace(netloc=here))
        self.redis = (parts.hostname or "127.0.0.1", parts.port or 6379)
        self.live: set[socket.socket] = set()
        self._left = 0
        self._then: Callable[[], bool] = lambda: True
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @contextmanager
    def hold(self, question: int) -> Iterator[Gate]:
        """Let the answer to the app's next, second, third … question wait here."""
        with Gate("Redis's answer") as gate:
            self._then = lambda: gate.blocking() is None
            self._left = question
            yield gate
        self._left = 0

    @contextmanager
    def cut(self, question: int) -> Iterator[None]:
        """Let the connection break in the place of that answer."""
        self._then = lambda: False
        self._left = question
        yield
        self._left = 0

    def passes(self) -> bool:
        """Say whether the answer that has come may go on to the app."""
        self._left -= 1
        return self._left != 0 or self._then()

    def close(self) -> None:
        """Break for good. Nobody gets through to Redis from now on."""
        self.shutdown()
        self.server_close()
        for end in list(self.live):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


class Conversation(socketserver.BaseRequestHandler):
    """One connection over the wire, in a thread of its own."""

    server: Wire

    def handle(self) -> None:
        """Pass on what both sides say, until one of them or the wire has enough."""
        app: socket.socket = self.request
        with (
            contextlib.suppress(OSError, TimeLimitExceeded),
            socket.create_connection(self.server.redis) as redis,
        ):
            self.server.live.add(app)
            asked = False
            while True:
                for end in select.select([app, redis], [], [])[0]:
                    said = end.recv(65_536)
                    if end is app:
                        # A client introduces itself first. That is no question.
                        command = said.split(b"\r\n", 3)[2:3]
                        asked = bool(command) and command[0].upper() not in GREETINGS
                    elif asked:
                        asked = False
                        if not self.server.passes():
                            return
                    if not said:
                        return
                    (redis if end is app else app).sendall(said)

    def finish(self) -> None:
        """Forget the connection."""
        self.server.live.discard(self.request)
