"""The tests of lesson 11, in the order of its steps.

Step 1 (names): three customers at once, and each line of a handler, a thread, a
background task and the printer begins with the name of its own customer.
Step 2 (nobody): on one connection, a request without a name follows one that has one.
Step 3 (errors): the lines about an error have the name, and a browser may read the 500.
Step 4 (middleware): what the handler does and sees is the same as without middleware.
Step 5 (spans): a span ends once, with its stream, and is detached in its own context.

The stand-ins are in world.py. Only one test has a real server.
"""

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from workshop.testing import (
    RunningApp,
    Serve,
    cases,
    eventually,
    exchange,
    when_idle,
)

from .world import (
    POSTER,
    PREFLIGHT,
    SHOP,
    Connection,
    Log,
    OneContext,
    Prices,
    Trace,
    Venues,
    errors,
    loggers_restored,
)

ANN, BOB, CLEO = "Ann", "Bob", "Cleo"


@pytest.fixture(autouse=True)
def loggers() -> Iterator[None]:
    """Restore the loggers that the app configures."""
    with loggers_restored():
        yield


def names_of(log: Log, show: str) -> str:
    """Return the lines about *show*, for a message."""
    return "\n".join(f"  [{name}] {text}" for name, text in log.about(show)) or "  none"


async def check_lines(
    app: RunningApp, method: str, path: str, lines: list[str], story: str
) -> None:
    """Check that *lines* are logged for three customers at once, each by its name."""
    log, venues = Log(app), Venues(app)
    shows = {ANN: "Hamlet", BOB: "Othello", CLEO: "Macbeth"}
    requests = [
        exchange(app, method, path.format(show), headers={"x-customer": name})
        for name, show in shows.items()
    ]
    await eventually(lambda: len(log.begin(lines[0])) == 3)
    venues.answer()
    await eventually(
        lambda: (
            all(len(log.begin(line)) == 3 for line in lines)
            and all(request.done for request in requests)
        )
    )
    for (name, show), request in zip(shows.items(), requests, strict=True):
        for line in lines:
            found = log.begin(f"{line} {show}")
            assert found == [name], (
                f"{name} and two other customers sent {method} {path.format(show)} "
                f"at the same time. {story} The line '{line} {show}' "
                f"{begins_with(found)}. {name} got {request.in_words}. "
                f"Expected: the line begins with {name}, so that support can find it."
            )


def begins_with(names: list[str], verb: str = "was") -> str:
    """Say with which *names* the same line began, each time that it was logged."""
    return f"began with {' and '.join(names)}" if names else f"{verb} not logged"


# ---------------------------------------------------------------- step 1


@pytest.mark.step(1)
@pytest.mark.timeline
async def test_a_handler_logs_its_customer(app: RunningApp) -> None:
    """Each task has a context of its own, so requests do not share a variable."""
    await check_lines(
        app,
        "GET",
        "/shows/{}/price",
        ["asking for the price of", "price of"],
        "The handler is an `async def`.",
    )


@pytest.mark.step(1)
async def test_a_thread_logs_its_customer(app: RunningApp) -> None:
    """`run_in_executor()` does not copy the context of the request."""
    await check_lines(
        app,
        "GET",
        "/shows/{}/seats",
        ["counting the seats of"],
        "The handler is a `def`.",
    )
    await check_lines(
        app,
        "GET",
        "/shows/{}/plan",
        ["drawing the plan of", "drawn the plan of"],
        "The plan is drawn in a thread.",
    )
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    await check_lines(
        app,
        "GET",
        "/shows/{}/plan",
        ["drawing the plan of", "drawn the plan of"],
        "One thread drew the plans, one after another.",
    )


@pytest.mark.step(1)
async def test_later_work_logs_its_customer(app: RunningApp) -> None:
    """A worker starts before the request, so it has a different context."""
    await check_lines(
        app,
        "POST",
        "/shows/{}/orders",
        ["ordered", "confirming", "confirmed"],
        "The confirmation is a background task.",
    )
    await check_lines(
        app,
        "POST",
        "/shows/{}/orders",
        ["printing a ticket for", "printed a ticket for"],
        "The ticket is printed by a task that the lifespan has started.",
    )
    log, venues = Log(app), Venues(app)
    for show in ("Hamlet", "Othello", "Macbeth"):
        exchange(app, "POST", f"/shows/{show}/orders", headers={"x-customer": ANN})
    printing = await when_idle(lambda: len(log.begin("printing a ticket")))
    assert printing == 1, (
        "Ann ordered tickets for three shows. Before the first was printed, the log "
        f"had {printing} lines 'printing a ticket for …'. "
        "Expected: one, because the printer prints one ticket after another."
    )
    venues.answer()
    await eventually(lambda: len(log.begin("printed a ticket")) == 3)
    venues.error = ConnectionError("out of paper")
    for name, show in ((ANN, "Lear"), (None, "Cymbeline"), (BOB, "Pericles")):
        named = {"x-customer": name} if name else {}
        exchange(app, "POST", f"/shows/{show}/orders", headers=named)
        await eventually(lambda show=show: bool(log.about("no ticket for", show)))
        found = log.names("ticket for", show)
        assert found == [name or "nobody"] * 2, (
            f"The printer failed for {name or 'a customer without a name'}. Its "
            f"lines {begins_with(found, 'were')}. "
            f"Expected: two lines, both with {name or 'nobody'}."
        )


# ---------------------------------------------------------------- step 2


@pytest.mark.step(2)
async def test_nobody_inherits_a_name_on_a_real_connection(
    app: RunningApp, serve: Serve
) -> None:
    """A server may start a request in the context of an earlier one."""
    log, venues = Log(app), Venues(app)
    venues.answer()
    async with serve(app, access_log=True) as server, server.client() as client:
        url = "/shows/Hamlet/poster"
        await client.put(url, content=POSTER, headers={"x-customer": ANN})
        found = log.names("poster of Hamlet")
        assert found == [ANN], (
            "Ann sent a poster of 70 kB to a real server. The line about it "
            f"{begins_with(found)}. Expected: it begins with Ann."
        )
        await client.get("/shows/Macbeth/price")
        await client.get("/nowhere/Macbeth")
    found = log.about("Macbeth")
    assert len(log.names("GET", "Macbeth", "HTTP")) == 2, (
        f"uvicorn should have logged two requests, but the log was {log.lines}. "
        "Expected: its access log has the same handlers as before."
    )
    assert {name for name, _ in found} == {"nobody"}, (
        "Ann sent a poster of 70 kB. Then requests without a name came over the same "
        f"connection, and this was logged:\n{names_of(log, 'Macbeth')}\n"
        "Expected: 'nobody' in front of each of these lines."
    )


@pytest.mark.step(2)
async def test_nobody_inherits_a_name(app: RunningApp) -> None:
    """A request without a name must set the variable too, or it keeps an old name."""
    log, venues = Log(app), Venues(app)
    venues.answer()
    for method, path, body in cases(
        [
            ("GET", "/shows/Macbeth/price", b""),
            ("OPTIONS", "/shows/Macbeth/price", b""),
            ("GET", "/shows/Macbeth/seats", b""),
            ("GET", "/shows/Macbeth/plan", b""),
            ("POST", "/shows/Macbeth/orders", b""),
            ("GET", "/nowhere/Macbeth", b""),
            ("DELETE", "/shows/Macbeth/price", b""),
            ("PUT", "/shows/Macbeth/poster", POSTER),
        ]
    ):
        for before, upload, empty in (
            ("PUT /shows/Hamlet/poster", POSTER, None),
            ("PUT /shows/Hamlet/poster", POSTER, ""),
            ("POST /shows/Hamlet/orders", b"", None),
            ("POST /sign-in/cleo", b"", None),
        ):
            connection = Connection(app)
            ann = connection.request(*before.split(), ANN, body=upload)
            await eventually(lambda ann=ann: ann.done)
            log.lines.clear()
            headers = PREFLIGHT if method == "OPTIONS" else {}
            request = connection.request(
                method, path, empty, body=body, headers=headers
            )
            await eventually(lambda request=request: request.done)
            if path.endswith("/orders"):  # the printer continues
                await eventually(lambda: len(log.about("a ticket for", "Macbeth")) == 2)
            names = {name for name, _ in log.about("Macbeth")}
            access = log.names("Macbeth", "HTTP")
            assert (access, names) == (["nobody"], {"nobody"}), (
                f"Ann sent {before}. Then {method} {path} came "
                f"{'without a name' if empty is None else 'with an empty name'} "
                "over the same connection. The log:\n"
                f"{names_of(log, 'Macbeth')}\n"
                "Expected: 'nobody' in front of each of these lines."
            )


@pytest.mark.step(2)
async def test_a_socket_inherits_no_name(app: RunningApp) -> None:
    """A connection that becomes a WebSocket may have served other requests before."""
    log, venues = Log(app), Venues(app)
    venues.answer()
    for name in cases([None, ""]):
        connection = Connection(app)
        ann = connection.request("PUT", "/shows/Hamlet/poster", ANN, body=POSTER)
        await eventually(lambda ann=ann: ann.done)
        log.lines.clear()
        socket = connection.socket("/shows/Macbeth/board", name)
        await eventually(lambda socket=socket: socket.task.done())
        found = log.names("the board of Macbeth")
        assert found == ["nobody"], (
            "Ann sent a poster. Then the same connection became a WebSocket "
            f"{'without a name' if name is None else 'with an empty name'}. The line "
            f"'watching the board of Macbeth' {begins_with(found)}. "
            "Expected: it begins with nobody."
        )


@pytest.mark.step(2)
async def test_a_thread_keeps_no_name(app: RunningApp) -> None:
    """What is set in a thread of a pool stays there, unless it is set in a copy."""
    log, venues = Log(app), Venues(app)
    venues.answer()
    for show, name in (("Hamlet", ANN), ("Macbeth", None), ("Lear", "")):
        request = Connection(app).request("GET", f"/shows/{show}/plan", name)
        await eventually(lambda request=request: request.done)
    found = {show: log.names("the plan of", show) for show in ("Macbeth", "Lear")}
    assert found == {"Macbeth": ["nobody"] * 2, "Lear": ["nobody"] * 2}, (
        "Ann's plan was drawn in a thread. Then two customers without a name asked "
        f"for a plan. The lines about it {begins_with(found['Macbeth'], 'were')} for "
        f"the first, and {begins_with(found['Lear'], 'were')} for the second. "
        "Expected: two lines each, all with nobody."
    )


@pytest.mark.step(2)
async def test_the_next_customer_has_her_own_name(app: RunningApp) -> None:
    """The name comes from the request's own header, not from an earlier request."""
    log, venues = Log(app), Venues(app)
    venues.answer()
    connection = Connection(app)
    for name, show in ((ANN, "Hamlet"), (BOB, "Othello"), (ANN, "Lear")):
        request = connection.request("PUT", f"/shows/{show}/poster", name, body=POSTER)
        await eventually(lambda request=request: request.done)
        found = log.names(f"poster of {show}")
        assert (found, request.status) == ([name], 200), (
            f"Several customers used one connection, and {name} sent a poster of "
            f"{show}. The line about it {begins_with(found)}, and {name} got "
            f"{request.in_words}. "
            f"Expected: it begins with {name}, and the status is 200."
        )


# ---------------------------------------------------------------- step 3


@pytest.mark.step(3)
async def test_the_lines_of_an_error_have_a_name(app: RunningApp) -> None:
    """FastAPI calls the handler of `Exception` outside the app's middleware."""
    for error in cases(errors()):
        log, venues = Log(app), Venues(app)
        venues.error = error
        shows = {ANN: "Hamlet", BOB: "Othello", None: "Macbeth"}
        for name, show in shows.items():
            connection = Connection(app)
            if name != ANN:
                before = connection.request(
                    "PUT", "/shows/Lear/poster", CLEO, body=POSTER
                )
                await eventually(lambda before=before: before.done)
            log.lines.clear()
            request = connection.request("GET", f"/shows/{show}/price", name)
            await eventually(lambda request=request: request.done)
            assert request.status == 500, (
                f"ask_venue() raised {error!r}. The customer got {request.in_words}. "
                "Expected: 500."
            )
            failed = log.names("failed", show, str(error))
            assert failed == [name or "nobody"], (
                f"ask_venue() raised {error!r} for {name or 'a request without a name'}"
                f". The line 'failed: …' {begins_with(failed)}. "
                f"Expected: one such line, with {name or 'nobody'}."
            )
            found = [*log.names("HTTP", show), *log.names("Exception in ASGI")]
            assert {*found} == {name or "nobody"}, (
                f"ask_venue() raised {error!r} for {name or 'a request without a name'}"
                f". uvicorn's own lines {begins_with(found, 'were')}. "
                f"Expected: each begins with {name or 'nobody'}."
            )
        log.lines.clear()
        order = Connection(app).request("POST", "/shows/Lear/orders", ANN)
        await eventually(lambda order=order: order.done)
        failed = log.names("failed", "Lear", str(error))
        assert (order.status, failed) == (201, [ANN]), (
            f"Ann ordered, and got {order.in_words}. Then ask_venue() raised "
            f"{error!r} in the background task. The line 'failed: …' "
            f"{begins_with(failed)}. Expected: 201, and one such line, with Ann."
        )


@pytest.mark.step(3)
async def test_a_browser_may_read_a_500(app: RunningApp) -> None:
    """A browser hides a response that does not allow its page to read it."""
    Log(app)
    venues = Venues(app)
    venues.answer()
    for path, error, status in cases(
        [
            ("/shows/Hamlet/price", None, 200),
            ("/nowhere", None, 404),
            *(("/shows/Hamlet/price", error, 500) for error in errors()),
        ]
    ):
        venues.error = error
        for origin, allowed in ((SHOP, True), ("https://scalper.example", False)):
            request = exchange(app, "GET", path, headers={"origin": origin})
            await eventually(lambda request=request: request.done)
            found = request.headers.get("access-control-allow-origin")
            may_read = found in (origin, "*")
            assert (request.status, may_read) == (status, allowed), (
                f"A page of {origin} sent GET {path}"
                f"{f', and ask_venue() raised {error!r}' if error else ''}. The "
                f"status was {request.status}, and the response had "
                f"{(found and repr(found)) or 'no'} Access-Control-Allow-Origin. "
                f"Expected: {status}, and only the shop's pages may read it."
            )
    preflight = exchange(app, "OPTIONS", "/shows/Hamlet/price", headers=PREFLIGHT)
    await eventually(lambda: preflight.done)
    assert preflight.status == 200, (
        "A page of the shop asked whether it may send the header X-Customer. It got "
        f"{preflight.in_words}. Expected: 200, as before."
    )


# ---------------------------------------------------------------- step 4


@pytest.mark.step(4)
async def test_a_name_that_the_handler_sets_is_logged(app: RunningApp) -> None:
    """Code in another task cannot set a context variable for the task that made it."""
    log, venues = Log(app), Venues(app)
    codes = {"dora": "Dora", "eve": "Eve"}
    requests = [
        Connection(app).request("POST", f"/sign-in/{code}", name)
        for code, name in zip(codes, (None, ANN), strict=True)
    ]
    await eventually(lambda: venues.gate.waiting == 2)
    venues.answer()
    await eventually(lambda: all(request.done for request in requests))
    for code, name in codes.items():
        path = f"/sign-in/{code}"
        for line, words in (
            ("The line 'served'", ("served", path, "200")),
            ("uvicorn's access line", (path, "HTTP", "200")),
        ):
            found = log.names(*words)
            assert found == [name], (
                f"{name} signed in with POST {path}, so the handler set the name. "
                f"{line} {begins_with(found)}. Expected: it begins with {name}."
            )


@pytest.mark.step(4)
async def test_each_request_is_logged_once(app: RunningApp) -> None:
    """Middleware sees the response of every request, including one without a route."""
    log, venues = Log(app), Venues(app)
    venues.answer()
    for method, path, status, error in cases(
        [
            ("GET", "/orders/many", 422, None),
            ("GET", "/shows/Hamlet/price", 200, None),
            ("GET", "/shows/Hamlet/seats", 200, None),
            ("POST", "/shows/Hamlet/orders", 201, None),
            *(("POST", "/shows/Hamlet/orders", 201, error) for error in errors()),
            ("GET", "/nowhere", 404, None),
            ("DELETE", "/shows/Hamlet/price", 405, None),
        ]
    ):
        log.lines.clear()
        venues.error = error
        request = Connection(app).request(method, path, ANN)
        await eventually(lambda request=request: request.done)
        found = log.names("served", path, str(status))
        assert (request.status, found) == (status, [ANN]), (
            f"Ann sent {method} {path} and got {request.in_words}. "
            f"{f'Then a background task raised {error!r}. ' if error else ''}The line "
            f"'served: {path}: {status}' {begins_with(found)}. "
            f"Expected: {status}, and the line begins with Ann, once."
        )


@pytest.mark.step(4)
async def test_a_handler_sees_that_its_client_has_left(app: RunningApp) -> None:
    """A disconnect is a message, and middleware must pass it on."""
    log, venues = Log(app), Venues(app)
    venues.gate.results(lambda show: 0)
    venues.answer()
    ann, bob = (
        Connection(app).request("GET", f"/shows/{show}/news", name)
        for name, show in ((ANN, "Hamlet"), (BOB, "Othello"))
    )
    await eventually(lambda: venues.gate.count > 20)
    ann.disconnect()
    await eventually(lambda: ann.done)
    left = log.names("has left")
    assert (ann.done, bob.done, left) == (True, False, [ANN]), (
        "Ann disconnected while she and Bob waited for news. The line 'has left' "
        f"{begins_with(left)}. Expected: one such line, with Ann, because her handler "
        "must notice that she has disconnected."
    )
    venues.gate.results(lambda show: 20 + len(show))
    await eventually(lambda: bob.complete)
    assert (bob.status, bob.content) == (200, {"euros": 27}), (
        f"Ann disconnected, and then news came for Bob. He got {bob.in_words}. "
        "Expected: 200 and his news."
    )


@pytest.mark.step(4)
async def test_a_404_stays_a_404(app: RunningApp) -> None:
    """A dependency with `yield` that catches an exception has to raise it again."""
    log, venues = Log(app), Venues(app)
    results: list[tuple[str, Exception | None, int]] = [
        ("/orders/7", None, 200),
        ("/orders/700", None, 404),
        *(("/orders/7", error, 500) for error in errors()),
    ]
    for path, error, status in cases(results):
        log.lines.clear()
        venues.error = error
        request = Connection(app).request("GET", path, ANN)
        await eventually(lambda request=request: request.done)
        assert request.status == status, (
            f"Ann sent GET {path}"
            f"{f', and find_order() raised {error!r}' if error else ''}. She got "
            f"{request.in_words}. Expected: {status}."
        )
        desk = [log.names("desk taken"), log.names("desk returned")]
        assert desk == [[ANN], [ANN]], (
            f"Ann sent GET {path} and got {status}. The line 'desk taken' "
            f"{begins_with(desk[0])}, and 'desk returned' {begins_with(desk[1])}. "
            "Expected: each begins with Ann, once."
        )
        if error is not None:
            failed = log.names("failed", str(error))
            assert failed == [ANN], (
                f"find_order() raised {error!r}. The line 'failed' about it "
                f"{begins_with(failed)}. Expected: one such line, with Ann."
            )


@pytest.mark.step(4)
async def test_sockets_pass_the_middleware(app: RunningApp) -> None:
    """`@app.middleware("http")` does not run for a WebSocket."""
    log, venues = Log(app), Venues(app)
    sockets = [
        Connection(app).socket(f"/shows/{show}/board", name)
        for show, name in (("Hamlet", ANN), ("Othello", None), ("Lear", BOB))
    ]
    await eventually(lambda: venues.gate.waiting == 3)
    venues.answer()
    await eventually(lambda: all(socket.task.done() for socket in sockets))
    names = [log.names(f"board of {show}") for show in ("Hamlet", "Othello", "Lear")]
    assert names == [[ANN], ["nobody"], [BOB]], (
        "Ann, a customer without a name, and Bob opened a WebSocket. The line "
        f"'watching the board of …' {begins_with(names[0])} for Ann, "
        f"{begins_with(names[1])} for the customer without a name, and "
        f"{begins_with(names[2])} for Bob. Expected: Ann, nobody and Bob."
    )
    for socket, euros in zip(sockets, (26, 27, 24), strict=True):
        kinds = [message["type"] for message in socket.messages]
        sent = [json.loads(m["text"]) for m in socket.messages if "text" in m]
        assert (kinds[0:1], sent) == (["websocket.accept"], [{"euros": euros}]), (
            f"A client opened a WebSocket. The app sent {socket.messages}. "
            f"Expected: the app accepts the connection and sends a price of {euros} "
            "euros."
        )
    for error in cases(errors()):
        venues.error = error
        socket = Connection(app).socket("/shows/Hamlet/board", ANN)
        await eventually(lambda socket=socket: socket.task.done())
        kinds = [message["type"] for message in socket.messages]
        raised = socket.task.exception() if socket.task.done() else None
        assert (kinds, raised) == (["websocket.accept"], error), (
            f"A client opened a WebSocket, and ask_venue() raised {error!r}. The app "
            f"sent {socket.messages} and raised {raised!r} to the server. "
            "Expected: the app sends nothing more, and raises the same exception."
        )


# ---------------------------------------------------------------- step 5


@pytest.mark.step(5)
async def test_a_span_lasts_as_long_as_its_stream(app: RunningApp) -> None:
    """A handler returns its `StreamingResponse` before the first item is sent."""
    Log(app)
    prices, trace = Prices(app), Trace(app)
    streams = {
        show: exchange(app, "GET", f"/shows/{show}/prices")
        for show in ("Hamlet", "Othello")
    }
    for price in (26, 27, 28):
        for show, stream in streams.items():
            await prices.tell(show, price)
            assert (trace.ends(show), stream.done) == ([0], False), (
                f"Two clients each stream the prices of a show. The one for {show} got "
                f"{stream.in_words!r} and waits for the next price. "
                f"{trace.in_words(show)} Expected: one span, which has not ended. "
                "Otherwise the trace shows a stream that took no time."
            )
    for show, stream in streams.items():
        await prices.tell(show, 0)
        await eventually(lambda stream=stream: stream.done)
        found = (stream.status, str(stream.content).split(), trace.ends(show))
        assert found == (200, ["26", "27", "28"], [1]), (
            f"The stream of {show} sent three prices and ended. Its client got "
            f"{stream.in_words!r}. {trace.in_words(show)} "
            "Expected: 200, the prices 26, 27 and 28, and a span that ended once."
        )


@pytest.mark.step(5)
async def test_a_span_ends_when_its_client_leaves(app: RunningApp) -> None:
    """If a client leaves, its stream is cancelled: code after the loop never runs."""
    Log(app)
    for items in cases([1, 3]):
        prices, trace = Prices(app), Trace(app)
        shows = {ANN: "Hamlet", BOB: "Hamlet", CLEO: "Othello"}
        streams = {
            name: exchange(app, "GET", f"/shows/{show}/prices")
            for name, show in shows.items()
        }
        await prices.tell("Hamlet", *([26, 26] * items))
        await prices.tell("Othello", *([27] * items))
        for leaving, hamlet, othello in (
            (ANN, [0, 1], [0]),
            (CLEO, [0, 1], [1]),
            (BOB, [1, 1], [1]),
        ):
            stream = streams[leaving]
            stream.disconnect()
            await eventually(lambda stream=stream: stream.done)
            assert (trace.ends("Hamlet"), trace.ends("Othello")) == (hamlet, othello), (
                "Ann and Bob streamed the prices of Hamlet, and Cleo those of Othello. "
                f"{leaving} disconnected while the stream waited for a price. "
                f"{trace.in_words('Hamlet')} {trace.in_words('Othello')} Expected: the "
                "span of a client that has left ends once, and the others stay open."
            )


@pytest.mark.step(5)
async def test_a_span_ends_when_its_stream_fails(app: RunningApp) -> None:
    """An exception can be raised before a stream begins, or while it is being sent."""
    Log(app)
    for items, end in cases(
        [
            (0, 0),
            *((items, error) for items in (0, 1, 3) for error in errors()),
        ]
    ):
        prices, trace = Prices(app), Trace(app)
        ann = exchange(app, "GET", "/shows/Hamlet/prices")
        await prices.tell("Hamlet", *([26] * items), end)
        await eventually(lambda ann=ann: ann.done)
        story = f"ask_venue() raised {end!r}" if end else "the price was 0"
        status = 200 if items else (500 if end else 404)
        assert ann.status == status, (
            f"Ann's stream sent {items} prices, and then {story}. She got "
            f"{ann.in_words!r}. Expected: {status}."
        )
        # Without a stream there may be a span, but there need not be one.
        assert trace.ends("Hamlet") in ([[1]] if items else [[1], []]), (
            f"Ann's stream sent {items} prices, and then {story}. "
            f"{trace.in_words('Hamlet')} Expected: each span that has begun ends once. "
            "Otherwise the tracing service never gets it."
        )


@pytest.mark.step(5)
async def test_a_request_ends_before_its_stream_begins(app: RunningApp) -> None:
    """A disconnect does not cancel a handler, only the stream that begins after it."""
    log = Log(app)
    for how in cases(["Ann disconnected", "The server cancelled Ann's request"]):
        prices, trace = Prices(app), Trace(app)
        ann = exchange(app, "GET", "/shows/Hamlet/prices")
        await eventually(lambda prices=prices: prices.awaited("Hamlet") > 0)
        if how == "Ann disconnected":
            ann.disconnect()
            await prices.tell("Hamlet", 26)
        else:
            ann.cancel()
        await eventually(lambda ann=ann: ann.done)
        found = [text for _, text in log.about("different Context")]
        assert (trace.ends("Hamlet") in ([1], []), found) == (True, []), (
            f"{how} while the handler waited for the first price. "
            f"{trace.in_words('Hamlet')} The log has {found or 'no lines'} about a "
            "different Context. Expected: each span that has begun ends once, in the "
            "context in which it was attached."
        )


@pytest.mark.step(5)
async def test_a_span_is_detached_where_it_was_attached(app: RunningApp) -> None:
    """A context variable can be reset only in the context in which it was set."""
    log = Log(app)
    for how in cases(["ended", "failed", "ended because she left"]):
        prices, trace = Prices(app), Trace(app)
        ann = exchange(app, "GET", "/shows/Hamlet/prices")
        await prices.tell("Hamlet", 26, 27)
        if how == "ended because she left":
            ann.disconnect()
        else:
            await prices.tell("Hamlet", 0 if how == "ended" else errors()[0])
        await eventually(lambda ann=ann: ann.done)
        assert (ann.status, len(trace.ends("Hamlet"))) == (200, 1), (
            f"Ann's stream {how}. She got {ann.in_words!r}. {trace.in_words('Hamlet')} "
            "Expected: 200, and one span."
        )
        found = [text for _, text in log.about("different Context")]
        assert not found, (
            f"Ann's stream {how}, and the log has this line: {found[0]!r}. Expected: "
            "no such line, because a span is detached in the context in which it was "
            "attached. A stream may be sent in a different task from its handler's."
        )


@pytest.mark.step(5)
async def test_no_stream_is_part_of_another_one(app: RunningApp) -> None:
    """A span that stays attached is the parent of the next one in this context."""
    Log(app)
    prices, trace, server = Prices(app), Trace(app), OneContext(app)
    shows = ["Hamlet", "Othello", "Macbeth"]
    for show in shows:
        exchange(app, "GET", f"/shows/{show}/prices")
    for show in shows * 2:
        await prices.tell(show, 26)
    for show in shows:
        above = {*trace.above(show)} & {f"prices of {other}" for other in shows}
        assert not above, (
            "Three clients streamed prices at the same time. In the trace, the span "
            f"'prices of {show}' is part of {' and '.join(sorted(above))!r}. "
            "Expected: each stream has a trace of its own."
        )
    for show, end in (
        ("Lear", 0),
        ("Medea", errors()[0]),
        ("Faust", None),
        ("Nora", 0),
    ):
        stream = exchange(server.asgi, "GET", f"/shows/{show}/prices")
        await prices.tell(show, 26, *([] if end is None else [end]))
        stream.disconnect()
        await eventually(lambda stream=stream: stream.done)
        above = [name for name in trace.above(show) if name.startswith("prices of")]
        assert not above, (
            "A server ran several requests in the same context, one after another. In "
            f"the trace, the span 'prices of {show}' is part of {above[0]!r}, which "
            "has ended. Expected: each stream has a trace of its own."
        )
