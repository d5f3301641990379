"""The facts of lesson 07, one test each.

Steps 1 and 2 move the clock, step 3 sends requests by way of proxies, and step 4 sends
many at the same moment. Step 5 blocks a thread. In step 6 two workers share a real
Redis, and a proxy between the first of them and Redis holds replies or cuts them off.

What the tests put in the place of the outside world is in world.py. No test measures
time.
"""

import asyncio
from collections import Counter

import pytest

from workshop.testing import (
    Clock,
    Gate,
    RedisServer,
    RunningApp,
    fail_after,
    settle,
)
from workshop.testing.plugin import RunApp

from .world import (
    ANN,
    BALANCER,
    BOB,
    CACHE,
    CLEO,
    DAN,
    KNOWN_SCALPER,
    SCALPER,
    ends_of_counts,
    guess,
    open_the_box_office,
    remembered,
    seats,
    seconds,
    sizes_in_memory,
    two_workers,
    visit,
)


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
    assert await printer.entered_or_done(ann), (
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
            with both.proxy.hold(question) as answer:
                first = asyncio.create_task(guess(both.first, customer))
                was_asked = await answer.entered_or_done(first)
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
            with both.proxy.hold(question) as answer:
                slow = asyncio.create_task(guess(both.first, f"203.0.113.{question}"))
                was_asked = await answer.entered_or_done(slow)
                await both.pass_seconds(11)
            await slow
            assert -1 not in await ends_of_counts(redis), (
                "While a worker was deciding about a guess, the ten seconds ended. "
                "Since then Redis holds a count that never ends, and one day it will "
                "keep its customer out for ever. "
                "Expected: every count has its end from the beginning."
            )
            with both.proxy.cut(question):
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
        both.proxy.close()
        ann = await guess(both.first, ANN)
        assert ann.status in (200, 503), (
            f"Redis was down. Ann guessed the word and was answered {ann.status}. "
            "Expected: 200 or 503. Open or closed, you decide; an error is neither."
        )
