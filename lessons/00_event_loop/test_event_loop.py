"""The facts of lesson 00, one test each.

The slow things in app.py (the venue, the drawing, the archive) are replaced by
gates: a call that enters a gate waits there until the test opens it. The tests
look at what else the box office can do meanwhile. None of them measures time.
"""

import asyncio
import json

import httpx2
import pytest

from workshop.testing import (
    Exchange,
    Gate,
    Journal,
    Leaks,
    RunningApp,
    ThreadPool,
    exchange,
    settle,
)


def said(answer: httpx2.Response | Exchange) -> object:
    """What an answer says: its JSON if it is one, else its text."""
    body = answer.body if isinstance(answer, Exchange) else answer.content
    is_json = answer.headers.get("content-type", "").startswith("application/json")
    return json.loads(body) if is_json else body.decode()


async def forty_five_euros(order_id: int) -> int:
    """Say what the customer paid, in the place of amount_paid()."""
    return 45


@pytest.mark.step(1)
@pytest.mark.timeline
async def test_ping_answers_while_a_report_is_waiting(
    app: RunningApp, client: httpx2.AsyncClient
) -> None:
    """A call that waits may hold up the customer who asked for it, nobody else."""
    venue = Gate("the venue's number of seats sold", result=1234)
    app.replace("ask_venue", venue.blocking)

    report = asyncio.create_task(client.get("/shows/7/report"))
    await venue.entered()
    assert venue.held is None, (
        "One customer asked for a report. Until the venue had answered, the whole "
        "box office stood still and the turnstiles stayed shut. "
        "Expected: /ping answers while the report is still waiting."
    )

    stood_still = (
        "One customer asked for a report. The venue was asked elsewhere, and yet the "
        "whole box office stood still until that was over. "
        "Expected: /ping answers while the report is still waiting."
    )
    await settle()
    assert venue.waiting > 0, stood_still
    assert not report.done(), (
        "The venue had not answered yet. The report answered all the same: "
        f"{report.result().status_code}: {said(report.result())}. "
        "Expected: the report says what the venue said."
    )

    ping = await client.get("/ping")
    assert venue.waiting > 0, stood_still
    assert ping.status_code == 200, (
        f"/ping answered {ping.status_code} while a report was waiting. Expected: 200."
    )

    venue.open()
    answer = await report
    assert said(answer) == {"show": 7, "sold": 1234}, (
        "The venue has sold 1234 seats of show 7. The report answered "
        f"{answer.status_code}: {said(answer)}. "
        "Expected: the report says what the venue said."
    )

    venue.open(1240)
    later = await client.get("/shows/7/report")
    assert said(later) == {"show": 7, "sold": 1240}, (
        "The venue sold six seats more of show 7, so now it says 1240. The next "
        f"report answered {later.status_code}: {said(later)}. "
        "Expected: each report says what the venue says at that time."
    )


@pytest.mark.step(2)
@pytest.mark.timeline
async def test_ping_answers_while_a_seat_map_is_being_drawn(
    app: RunningApp, client: httpx2.AsyncClient
) -> None:
    """Work that computes never pauses, so it cannot share a thread with anybody."""
    pen = Gate("the drawing of the seat map")
    pen.results(lambda sold: f"a hall without the seats {sorted(sold)}")

    sold = [3, 5, 4711]

    async def sold_seats(show_id: int) -> set[int]:
        return set(sold)

    app.replace("sold_seats", sold_seats)
    app.replace("draw_seat_map", pen.blocking)

    seat_map = asyncio.create_task(client.get("/shows/7/map"))
    await pen.entered()
    assert pen.held is None, (
        "One customer looked at a seat map. Until the last seat was drawn, the "
        "whole box office stood still and the turnstiles stayed shut. "
        "Expected: /ping answers while the map is still being drawn."
    )

    stood_still = (
        "One customer looked at a seat map. It was drawn elsewhere, and yet the whole "
        "box office stood still until that was over. "
        "Expected: /ping answers while the map is still being drawn."
    )
    await settle()
    assert pen.waiting > 0, stood_still
    assert not seat_map.done(), (
        "The seat map was not drawn yet. The customer was answered all the same: "
        f"{seat_map.result().status_code}: {seat_map.result().text[:40]!r}… "
        "Expected: what draw_seat_map() draws of the seats."
    )

    ping = await client.get("/ping")
    assert pen.waiting > 0, stood_still
    assert ping.status_code == 200, (
        f"/ping answered {ping.status_code} while a map was being drawn. Expected: 200."
    )

    pen.open()
    answer = await seat_map
    assert answer.text == "a hall without the seats [3, 5, 4711]", (
        "Seats 3, 5 and 4711 are sold. The seat map answered "
        f"{answer.status_code}: {answer.text[:40]!r}… "
        "Expected: what draw_seat_map() draws of these seats, as plain text."
    )

    sold[:] = [3, 8, 4711]
    later = await client.get("/shows/7/map")
    assert later.text == "a hall without the seats [3, 8, 4711]", (
        "Then seat 5 was given back, and seat 8 was sold. The next seat map of the "
        f"same show answered {later.status_code}: {later.text[:40]!r}… "
        "Expected: the drawing of the seats that are sold now."
    )


@pytest.fixture
async def pool_of_25(thread_pool: ThreadPool) -> ThreadPool:
    """The pool of threads, made smaller before the app starts and may look at it."""
    thread_pool.shrink(25)
    return thread_pool


@pytest.mark.step(3)
@pytest.mark.timeline
async def test_health_answers_while_the_pool_is_full_of_exports(
    pool_of_25: ThreadPool, app: RunningApp, client: httpx2.AsyncClient
) -> None:
    """All def routes share one pool of threads, and a pool of any size can be full."""
    archive = Gate("the archive that takes the exports", result="guests.csv")
    app.replace("write_export", archive.blocking)
    # If yours has set more, so be it: 100 are enough to see the same.
    threads = int(min(pool_of_25.tokens, 100))
    pool_of_25.shrink(threads)

    exports = [exchange(app, "POST", "/shows/2040/export")]
    await archive.entered()
    assert archive.held is None, (
        "One venue asked for an export. Until the file was written, the whole box "
        "office stood still, and /health was silent too. "
        "Expected: /health answers while exports are being written."
    )
    stood_still = (
        "One venue asked for an export. It was written elsewhere, and yet the whole "
        "box office stood still until that was over, and /health was silent too. "
        "Expected: /health answers while exports are being written."
    )
    await settle()
    assert archive.waiting > 0, stood_still

    exports += [
        exchange(app, "POST", f"/shows/{show}/export") for show in range(1, threads)
    ]
    await settle()
    health = asyncio.create_task(client.get("/health"))
    await settle()
    assert health.done() or pool_of_25.waiting == 0, (
        f"Exports kept all {threads} threads of the pool busy, and /health stood in "
        "the queue behind them. The load balancer heard nothing and restarted us. "
        "Expected: /health answers, however many exports are being written."
    )
    answer = await health
    assert archive.waiting > 0, stood_still
    assert answer.status_code == 200, (
        f"/health answered {answer.status_code} while exports were being written. "
        "Expected: 200."
    )

    exports.append(exchange(app, "POST", "/shows/2041/export"))
    await settle()
    archive.open()
    for export in exports:
        await export.finished()
    without = [each for each in exports if said(each) != {"file": "guests.csv"}]
    assert not without, (
        f"{len(without)} of {len(exports)} venues did not get their file. One was told "
        f"{without[0].status}: {said(without[0])}. "
        "Expected: every export brings its file, though it may have to wait."
    )


@pytest.mark.step(4)
async def test_a_confirmed_refund_is_in_the_audit_book(
    app: RunningApp, leaks: Leaks
) -> None:
    """Calling an async function only prepares its work. Nothing has run yet."""
    journal = Journal()

    async def write_audit_entry(entry: str) -> None:
        await settle(10)  # the pen is slower than an answer
        journal.record(f"audit: {entry}")

    app.replace("amount_paid", forty_five_euros)
    app.replace("write_audit_entry", write_audit_entry)

    refund = exchange(app, "POST", "/orders/2041/refund", journal=journal)
    await refund.finished()
    await settle()

    assert b"45" in refund.body, (
        "Order 2041 cost 45 euros. Its refund answered "
        f"{refund.status}: {refund.body.decode()}. "
        "Expected: the refund is confirmed, with its amount."
    )
    entries = [event for event in journal.events if event.startswith("audit: ")]
    never_run = [made.partition(" made ")[0] for made in leaks.never_awaited()]
    if never_run:
        why = f" Prepared, but never run: {', '.join(never_run)}."
    elif not entries:
        why = " Only write_audit_entry() writes that book, and it has written nothing."
    else:
        why = ""
    assert ["2041" in entry for entry in entries] == [True], (
        "The customer was told that order 2041 is refunded. The auditor looked it "
        f"up in the book and found {len(entries)} entries.{why} "
        "Expected: exactly one entry, and it names the order."
    )
    assert journal.position(entries[0]) < journal.position("http.response.start"), (
        "The customer was told of the refund first, and the entry came into the "
        "book afterwards. A crash in between would leave a refund without an entry. "
        "Expected: the entry is in the book before the answer leaves."
    )


@pytest.mark.step(4)
async def test_a_refund_that_cannot_be_entered_is_not_confirmed(
    app: RunningApp, client: httpx2.AsyncClient
) -> None:
    """An error reaches only those who wait for the work that failed."""

    async def write_audit_entry(entry: str) -> None:
        raise OSError("the audit book is locked")

    app.replace("amount_paid", forty_five_euros)
    app.replace("write_audit_entry", write_audit_entry)

    answer = await client.post("/orders/2041/refund")

    assert answer.is_error, (
        "The audit book was locked, so no entry could be written. The customer was "
        f"told all the same: {answer.status_code}: {said(answer)}. "
        "Expected: an error, and no confirmation."
    )
