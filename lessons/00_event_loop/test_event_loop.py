"""The tests of lesson 00, in the order of its steps.

Step 1 (reports) and step 2 (seat maps): `test_ping_answers_while_…` proves that the
event loop is free, the second test that requests at the same time get their own
results, and the third that an error does not affect later requests.
Step 3 (exports): /health responds although the thread pool is full, the number of
exports at once has a limit, every venue gets its file, even in a crowd, and errors
release their place.
Step 4 (refunds): the entry comes before the confirmation, also for refunds at the same
time, for errors, and for a slow audit book.

The slow functions of app.py are replaced by gates: a call that enters a gate waits
there until the test opens it. Meanwhile the test checks what else the app can do. No
test measures time; if time has to pass, the test puts the event loop's clock forward.
"""

import asyncio
import itertools
from contextlib import suppress

import httpx2
import pytest

from workshop.testing import (
    Gate,
    Leaks,
    Rendezvous,
    RunningApp,
    ThreadPool,
    TimeLimitExceeded,
    cases,
    exchange,
    settle,
)

from .world import (
    ERRORS,
    PAID,
    Archive,
    AuditBook,
    blocked_the_loop,
    broken_gate,
    drawing,
    file_of,
    finish,
    has_its_file,
    is_called,
    is_refused,
    open_gate,
    put_clock_forward,
    until_idle,
)

# As long as the venue and the archive take in app.py, and a little more.
VENUE_SECONDS = 6
ARCHIVE_SECONDS = 6
DRAWING_SECONDS = 2
# How many exports the archive accepts at once.
ARCHIVE_LIMIT = 100
# More requests than any queue limit that an app is likely to have.
CROWD = 250


# ---------------------------------------------------------------- step 1


@pytest.mark.step(1)
@pytest.mark.timeline
async def test_ping_answers_while_a_report_is_waiting(
    app: RunningApp, client: httpx2.AsyncClient
) -> None:
    """A blocking call in an `async def` route blocks the loop for all requests."""
    venue = Gate("the venue's number of seats sold", result=1234)
    app.replace("ask_venue", venue.blocking)

    report = exchange(app, "GET", "/shows/7/report")
    await is_called(venue)
    assert venue.count, (
        "A manager asked for a report, and ask_venue() was not called. The manager got "
        f"{report.in_words}. Expected: the report says what ask_venue() returns."
    )
    assert venue.held is None, (
        "A manager asked for a report. Until the venue had answered, the event loop "
        "was blocked and the turnstiles stayed shut. "
        "Expected: /ping responds while the report is still waiting."
    )
    blocked = (
        "A manager asked for a report. The venue was asked in another thread, but the "
        "event loop was blocked until that thread was done. "
        "Expected: /ping responds while the report is still waiting."
    )
    await settle()
    assert venue.waiting > 0, blocked
    assert not report.done, (
        "The venue had not answered yet, but the report was sent already: "
        f"{report.in_words}. Expected: the report waits for ask_venue()."
    )

    ping = await client.get("/ping")
    assert venue.waiting > 0, blocked
    assert ping.status_code == 200, (
        f"/ping returned {ping.status_code} while a report was waiting. Expected: 200."
    )

    venue.open()
    await finish(report)
    assert report.content == {"show": 7, "sold": 1234}, (
        "The venue has sold 1234 seats of show 7. The manager got "
        f"{report.in_words}. Expected: the number that ask_venue() returned."
    )
    venue.open(1240)
    later = exchange(app, "GET", "/shows/7/report")
    await finish(later)
    assert later.content == {"show": 7, "sold": 1240}, (
        "Then six more seats of show 7 were sold, so the venue says 1240. The next "
        f"manager got {later.in_words}. "
        "Expected: every report asks the venue again."
    )


@pytest.mark.step(1)
async def test_two_reports_wait_side_by_side(app: RunningApp) -> None:
    """Requests overlap, so what one of them stores must not be shared with others."""
    venue = Gate("the venue's number of seats sold")
    venue.results(lambda show_id: 1000 + show_id)
    app.replace("ask_venue", venue.blocking)

    reports = {7: exchange(app, "GET", "/shows/7/report")}
    await is_called(venue)
    await settle()
    if blocked_the_loop(venue):
        return  # the test above explains it
    reports[8] = exchange(app, "GET", "/shows/8/report")
    await is_called(venue, times=2)
    assert venue.count == 2, (
        "Two managers asked for the reports of shows 7 and 8. The venue was asked for "
        f"{venue.count} of them; the other report had to wait. "
        "Expected: both reports wait for the venue at the same time."
    )

    for show in range(9, 9 + CROWD):
        reports[show] = exchange(app, "GET", f"/shows/{show}/report")
        await settle(2)
    await is_called(venue, times=4)
    assert venue.count >= 4, (
        f"{len(reports)} managers asked for reports. The venue was asked for "
        f"{venue.count} of them at the same time; all other reports had to wait. "
        "Expected: at least four reports wait for the venue at the same time."
    )

    await put_clock_forward(VENUE_SECONDS)
    venue.open()
    for show, report in reports.items():
        await finish(report)
        assert report.content == {"show": show, "sold": 1000 + show}, (
            f"{len(reports)} managers asked for reports at once. After five seconds "
            f"the venue returned {1000 + show} for show {show}. That manager got "
            f"{report.in_words}. Expected: each report has the number of its own show."
        )


@pytest.mark.step(1)
async def test_a_report_that_fails_does_not_affect_the_next_one(
    app: RunningApp,
) -> None:
    """A request must release what it has acquired, even if it fails."""
    app.replace("ask_venue", open_gate(lambda show_id: 1234).blocking)
    await finish(exchange(app, "GET", "/shows/7/report"))

    app.replace("ask_venue", broken_gate().blocking)
    for _ in range(12):
        failed = exchange(app, "GET", "/shows/7/report")
        await finish(failed)
        assert is_refused(failed), (
            "ask_venue() raised an error, so there was no number to report. The "
            f"manager got {failed.in_words}. Expected: an error status, and no number."
        )

    app.replace("ask_venue", open_gate(lambda show_id: 1250).blocking)
    report = exchange(app, "GET", "/shows/7/report")
    await finish(report)
    assert report.content == {"show": 7, "sold": 1250}, (
        "ask_venue() failed twelve times in a row. Then it worked again and returned "
        f"1250, but the next manager got {report.in_words}. "
        "Expected: the number that ask_venue() returned."
    )


# ---------------------------------------------------------------- step 2


@pytest.mark.step(2)
@pytest.mark.timeline
async def test_ping_answers_while_a_seat_map_is_being_drawn(
    app: RunningApp, client: httpx2.AsyncClient
) -> None:
    """A computation never awaits, so on the event loop it blocks all requests."""
    sold = [3, 5, 4711]
    pen = Gate("the drawing of the seat map").results(drawing)

    async def sold_seats(show_id: int) -> set[int]:
        return set(sold)

    app.replace("sold_seats", sold_seats)
    app.replace("draw_seat_map", pen.blocking)

    seat_map = exchange(app, "GET", "/shows/7/map")
    await is_called(pen)
    assert pen.count, (
        "A customer opened a seat map, and draw_seat_map() was not called. The "
        f"response was {seat_map.in_words}. "
        "Expected: the response is what draw_seat_map() returns."
    )
    assert pen.held is None, (
        "A customer opened a seat map. Until the last seat was drawn, the event loop "
        "was blocked and the turnstiles stayed shut. "
        "Expected: /ping responds while the map is still being drawn."
    )
    blocked = (
        "A customer opened a seat map. It was drawn in another thread or process, but "
        "the event loop was blocked until the drawing was done. "
        "Expected: /ping responds while the map is still being drawn."
    )
    await settle()
    assert pen.waiting > 0, blocked
    assert not seat_map.done, (
        "The seat map was not drawn yet, but the customer already had a response: "
        f"{seat_map.in_words}. Expected: the response is what draw_seat_map() returns."
    )

    ping = await client.get("/ping")
    assert pen.waiting > 0, blocked
    assert ping.status_code == 200, (
        f"/ping returned {ping.status_code} while a map was drawn. Expected: 200."
    )

    pen.open()
    await finish(seat_map)
    assert seat_map.body.decode() == drawing({3, 5, 4711}), (
        f"Seats 3, 5 and 4711 are sold. The customer got {seat_map.in_words}. "
        "Expected: what draw_seat_map() returned for these seats, as plain text."
    )
    sold[:] = [3, 8, 4711]
    later = exchange(app, "GET", "/shows/7/map")
    await finish(later)
    assert later.body.decode() == drawing({3, 8, 4711}), (
        "Then seat 5 was given back and seat 8 was sold. The next customer got "
        f"{later.in_words}. Expected: a drawing of the seats that are sold now."
    )


@pytest.mark.step(2)
async def test_maps_that_are_drawn_at_the_same_time_show_their_own_seats(
    app: RunningApp,
) -> None:
    """A result may be shared only by requests that ask for exactly the same thing."""
    app.replace("sold_seats", open_gate(lambda show_id: {2}))
    app.replace("draw_seat_map", open_gate(drawing).blocking)
    for seat_map in [exchange(app, "GET", f"/shows/{show}/map") for show in (7, 8)]:
        await finish(seat_map)  # from now on the pool has threads, and they are idle
    sold = {7: {3, 5}, 8: {1}}
    lookups = Gate("the numbers of the sold seats").results(lambda show: {*sold[show]})
    pen = Gate("the drawing of the seat map").results(drawing)
    app.replace("sold_seats", lookups)
    app.replace("draw_seat_map", pen.blocking)

    first, other = (exchange(app, "GET", f"/shows/{show}/map") for show in (7, 8))
    await is_called(lookups, times=2)
    lookups.open()
    await is_called(pen)
    await settle()
    if pen.held:
        return  # the test above explains it
    assert not blocked_the_loop(pen), (
        "Two customers opened a seat map, and the event loop was blocked until the "
        "first drawing was done. Expected: other requests are served meanwhile."
    )
    sold[7] = {3, 8}
    later = exchange(app, "GET", "/shows/7/map")
    await settle()
    await put_clock_forward(DRAWING_SECONDS)
    pen.open()

    for seat_map in (first, other, later):
        await finish(seat_map)
    maps = [seat_map.body.decode() for seat_map in (first, other, later)]
    assert maps[0] in (drawing({3, 5}), drawing({3, 8})), (
        "Three customers opened seat maps at the same time. Seats 3 and 5 of show 7 "
        f"were sold. Its customer got {first.in_words}. "
        "Expected: the drawing of show 7, although it takes a second."
    )
    assert maps[1] == drawing({1}), (
        "Two customers opened the maps of shows 7 and 8 at the same time. Seat 1 of "
        f"show 8 is sold. Its customer got {other.in_words}. "
        "Expected: every map shows the seats of its own show."
    )
    assert maps[2] == drawing({3, 8}), (
        "While a map of show 7 was being drawn, seat 5 was given back and seat 8 was "
        f"sold. A customer who then opened the map got {later.in_words}. "
        "Expected: a drawing of the seats that are sold when the map is requested."
    )


@pytest.mark.step(2)
async def test_a_map_that_fails_does_not_affect_the_next_one(app: RunningApp) -> None:
    """An error inside a thread must reach the request that waits for the thread."""
    app.replace("sold_seats", open_gate(lambda show_id: {3, 5}))
    app.replace("draw_seat_map", broken_gate().blocking)
    for _ in range(12):
        failed = exchange(app, "GET", "/shows/7/map")
        await finish(failed)
        assert is_refused(failed), (
            "draw_seat_map() raised an error, so there was no map. The customer got "
            f"{failed.in_words}. Expected: an error status."
        )

    app.replace("draw_seat_map", open_gate(drawing).blocking)
    seat_map = exchange(app, "GET", "/shows/7/map")
    await finish(seat_map)
    assert seat_map.body.decode() == drawing({3, 5}), (
        "Twelve drawings failed. The next one worked, and its customer got "
        f"{seat_map.in_words}. Expected: what draw_seat_map() returned."
    )


# ---------------------------------------------------------------- step 3


@pytest.fixture
async def pool_of_25(thread_pool: ThreadPool) -> ThreadPool:
    """The thread pool, made smaller before the app starts and may look at it."""
    thread_pool.shrink(25)
    return thread_pool


@pytest.mark.step(3)
@pytest.mark.timeline
async def test_health_answers_while_the_pool_is_full_of_exports(
    pool_of_25: ThreadPool, app: RunningApp, client: httpx2.AsyncClient
) -> None:
    """All `def` routes share one thread pool, and a pool of any size can be full."""
    archive = Gate("the archive that takes the exports").results(file_of)
    app.replace("write_export", archive.blocking)
    # The app may have made the pool larger. A hundred threads are enough to see it.
    threads = int(min(pool_of_25.tokens, 100))
    pool_of_25.shrink(threads)

    exports = [exchange(app, "POST", "/shows/2040/export")]
    await is_called(archive)
    assert archive.count, (
        "A venue asked for an export, and write_export() was not called. The venue got "
        f"{exports[0].in_words}. Expected: the file that write_export() returns."
    )
    assert archive.held is None, (
        "A venue asked for an export. Until the file was written, the event loop was "
        "blocked and /health was silent. "
        "Expected: /health responds while exports are being written."
    )
    blocked = (
        "Venues asked for exports. They were written in other threads, but the event "
        "loop was blocked until those threads were done. "
        "Expected: /health responds while exports are being written."
    )
    for show in range(1, threads):
        await settle(3)
        assert not blocked_the_loop(archive), blocked
        exports.append(exchange(app, "POST", f"/shows/{show}/export"))
    await settle()
    health = asyncio.create_task(client.get("/health"))
    await settle()
    assert health.done() or pool_of_25.waiting == 0, (
        f"Exports took all {threads} threads of the pool, and /health waited in the "
        "queue behind them. The load balancer got no response and restarted the "
        "server. Expected: /health responds, however many exports are being written."
    )
    response = await health
    assert archive.waiting > 0, blocked
    assert response.status_code == 200, (
        f"/health returned {response.status_code} while exports were being written. "
        "Expected: 200."
    )

    exports.append(exchange(app, "POST", "/shows/2041/export"))
    await settle()
    archive.open()
    for export in exports:
        await finish(export)
    without = [each for each in exports if not has_its_file(each)]
    assert not without, (
        f"{len(without)} of {len(exports)} venues did not get their file. One of them, "
        f"{without[0].name}, got {without[0].in_words}. "
        "Expected: every venue gets the file that write_export() returned for it."
    )


@pytest.mark.step(3)
async def test_the_number_of_exports_at_once_has_a_limit(
    thread_pool: ThreadPool, app: RunningApp
) -> None:
    """A limit holds only if all requests share the object that counts."""
    thread_pool.shrink(25)  # the shared pool is a limit as well, whatever its size
    together = Rendezvous(ARCHIVE_LIMIT + 1, "exports").results(file_of)
    app.replace("write_export", together.blocking)

    for show in range(ARCHIVE_LIMIT + 10):
        exchange(app, "POST", f"/shows/{show}/export")
    with suppress(TimeLimitExceeded):
        await together.met()
    assert together.most <= ARCHIVE_LIMIT, (
        f"{ARCHIVE_LIMIT + 10} venues asked for exports, and {together.most} exports "
        f"ran at once. The archive accepts {ARCHIVE_LIMIT}. "
        "Expected: one limit that holds for all requests together."
    )


@pytest.mark.step(3)
async def test_every_venue_gets_its_file_however_long_the_queue_is(
    app: RunningApp,
) -> None:
    """A queue limits how many requests are served at once, not how long they wait."""
    archive = Archive()
    app.replace("write_export", archive.blocking)

    exports = [exchange(app, "POST", "/shows/1/export")]
    await is_called(archive.now)
    if archive.now.held:
        return  # the first test of this step explains it
    for show in range(2, 37):
        await settle(1)
        assert not blocked_the_loop(archive.now), (
            "Venues asked for exports, and the event loop was blocked until one was "
            "written. Expected: the other requests are served meanwhile."
        )
        exports.append(exchange(app, "POST", f"/shows/{show}/export"))
    await settle()

    while await archive.is_called_by(exports):
        await put_clock_forward(ARCHIVE_SECONDS)
        archive.finish_round()
    without = [each for each in exports if not has_its_file(each)]
    assert not without, (
        f"{len(exports)} venues asked for exports, and each export took five seconds. "
        f"{len(without)} venues did not get their file. One of them, "
        f"{without[0].name}, got {without[0].in_words}. "
        "Expected: every venue gets its own file, although it may have to wait."
    )


@pytest.mark.step(3)
async def test_every_export_of_a_crowd_gets_its_own_file(app: RunningApp) -> None:
    """A full queue is no reason to turn a request away."""
    numbers = itertools.count(1)
    archive = Gate("the archive").results(
        lambda show_id: f"archive/{next(numbers)}.csv"
    )
    app.replace("write_export", archive.blocking)

    exports = []
    for number in range(ARCHIVE_LIMIT + CROWD):
        exports.append(exchange(app, "POST", f"/shows/{number % 10}/export"))
        await settle(2)
    await is_called(archive)
    await settle()
    if archive.held:
        return  # the first test of this step explains it
    archive.open()
    for export in exports:
        await finish(export)
    refused = [export for export in exports if export.status != 200]
    assert not refused, (
        f"{len(exports)} exports were asked for at once, and {len(refused)} of them "
        f"were not written. One venue got {refused[0].in_words}. "
        "Expected: an export that has to wait is written later."
    )
    files = {str(export.content) for export in exports}
    assert len(files) == len(exports), (
        f"Ten venues asked for {len(exports)} exports in all, and write_export() "
        f"returned a new name each time. The responses contain {len(files)} "
        "different names. "
        "Expected: each response has the name that was returned for its own export."
    )


@pytest.mark.step(3)
async def test_an_export_that_fails_does_not_affect_the_next_one(
    app: RunningApp,
) -> None:
    """A place in a limited pool must be released after an error as well."""
    app.replace("write_export", broken_gate().blocking)
    times = ARCHIVE_LIMIT + 20
    failed = [exchange(app, "POST", "/shows/7/export") for _ in range(times)]
    for export in failed:
        await finish(export)
        assert is_refused(export), (
            "write_export() raised an error, so there was no file. The venue got "
            f"{export.in_words}. Expected: an error status, and no file name."
        )

    for file in cases(["guests-a.csv", "guests-b.csv"]):
        app.replace("write_export", open_gate(lambda show_id, f=file: f).blocking)
        export = exchange(app, "POST", "/shows/7/export")
        await finish(export)
        assert export.content == {"file": file}, (
            f"{times} exports failed. Then the archive worked again and wrote {file} "
            f"for show 7, but the venue got {export.in_words}. "
            "Expected: every export writes a new file and returns its name."
        )


# ---------------------------------------------------------------- step 4


@pytest.mark.step(4)
async def test_a_confirmed_refund_is_in_the_audit_book(
    app: RunningApp, leaks: Leaks
) -> None:
    """Calling an `async def` function runs none of its code until it is awaited."""
    book = AuditBook(app)

    refund = exchange(app, "POST", "/orders/2041/refund")
    await until_idle(refund.response_started)
    too_early = refund.started and not is_refused(refund)
    book.pen.open()
    await finish(refund)
    await settle()

    assert b"45" in refund.body, (
        f"Order 2041 cost 45 euros. The customer got {refund.in_words}. "
        "Expected: the refund is confirmed, with its amount."
    )
    never_run = [made.partition(" made ")[0] for made in leaks.never_awaited()]
    if never_run:
        why = f" Called but never awaited: {', '.join(never_run)}."
    elif not book.entries:
        why = " write_audit_entry() was not called, and only it writes to the book."
    else:
        why = ""
    assert len(book.of(2041)) == len(book.entries) == 1, (
        "The customer got a confirmation for order 2041. The auditor looked it up "
        f"in the book and found {len(book.of(2041))} entries.{why} "
        "Expected: exactly one entry, which names the order."
    )
    assert not too_early, (
        "The customer got a confirmation for order 2041 while its entry was still "
        "being written. A crash in between would leave a refund without an entry. "
        "Expected: the response is sent only after the entry is written."
    )


@pytest.mark.step(4)
async def test_refunds_at_the_same_time_get_an_entry_each(app: RunningApp) -> None:
    """While a request awaits, other requests run and may change shared variables."""
    book = AuditBook(app)
    app.replace("amount_paid", lookups := Gate("the amount").results(PAID.get))
    orders = 2041, 2042, 2043

    refunds = [exchange(app, "POST", f"/orders/{order}/refund") for order in orders[:2]]
    await is_called(lookups, times=2)
    lookups.open()
    await is_called(book.pen)
    refunds.append(exchange(app, "POST", f"/orders/{orders[2]}/refund"))
    await until_idle(refunds[2].response_started)
    book.pen.open()
    for refund in refunds:
        await finish(refund)
    await settle()

    for order, refund in zip(orders, refunds, strict=True):
        assert str(PAID[order]) in refund.body.decode(), (
            f"Three customers asked for a refund at the same time. Order {order} cost "
            f"{PAID[order]} euros. Its customer got {refund.in_words}. "
            "Expected: each refund is confirmed with its own amount."
        )
        assert len(book.of(order)) == 1, (
            "Three refunds were confirmed at the same time. Entries that name order "
            f"{order}: {len(book.of(order))}. All entries: {book.entries}. "
            "Expected: exactly one entry for each order."
        )


@pytest.mark.step(4)
async def test_a_refund_that_cannot_be_entered_is_not_confirmed(
    app: RunningApp,
) -> None:
    """An error reaches only the code that awaits the work that failed."""
    book = AuditBook(app)
    book.pen.open()

    for error in cases(ERRORS):
        book.error = error
        refund = exchange(app, "POST", "/orders/2041/refund")
        await finish(refund)
        assert is_refused(refund), (
            f"write_audit_entry() raised {error!r}, so there is no entry. The customer "
            f"got {refund.in_words}. Expected: an error status, no confirmation."
        )
    # Order 2041 asks again. Then the book fails once more, at the next entry.
    for order, book.failures in cases([(2041, 0), (2042, 1), (2043, 0)]):
        fails = book.failures > 0
        refund = exchange(app, "POST", f"/orders/{order}/refund")
        await finish(refund)
        await settle()
        found = len(book.of(order))
        assert found == 1 or (fails and is_refused(refund)), (
            "The audit book was locked for a while. Then the customer of order "
            f"{order} got {refund.in_words}, and the book has {found} entries that "
            "name this order. Expected: a confirmed refund has exactly one entry."
        )


@pytest.mark.step(4)
async def test_a_slow_audit_book_does_not_confirm_a_refund(app: RunningApp) -> None:
    """A timeout ends the waiting. It does not mean that the work has been done."""
    book = AuditBook(app)

    refund = exchange(app, "POST", "/orders/2041/refund")
    await until_idle(refund.response_started)
    await put_clock_forward(3600)
    await until_idle(refund.response_started)
    assert not refund.started or is_refused(refund), (
        "Writing the entry of order 2041 took a long time. The customer got "
        f"{refund.in_words} while the book was still empty. "
        "Expected: no confirmation before the entry is written."
    )
    book.pen.open()
    await finish(refund)
    await settle()
    assert len(book.of(2041)) == 1 or is_refused(refund), (
        "Writing the entry of order 2041 took a long time. The customer got "
        f"{refund.in_words}, and the book has {len(book.of(2041))} entries for it. "
        "Expected: a confirmed refund has exactly one entry."
    )
