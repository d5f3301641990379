"""The exchange: a request seen message by message."""

import asyncio

import pytest

from tests.testing.conftest import shortened
from workshop.testing import (
    Gate,
    Journal,
    RunningApp,
    TimeLimitExceeded,
    exchange,
    settle,
)
from workshop.testing.app.exchange import Receive

APP = '''
import asyncio
from fastapi import BackgroundTasks, Body, FastAPI, Request
from fastapi.responses import StreamingResponse

app = FastAPI()


async def venue():
    """The outside world."""


@app.post("/echo")
async def echo(request: Request, order: dict = Body()):
    return {"order": order, "agent": request.headers["x-agent"],
            "show": request.query_params["show"], "path": request.url.path}


@app.get("/later")
async def later(background: BackgroundTasks):
    background.add_task(venue)
    return "thanks"


@app.get("/events")
async def events():
    async def stream():
        for n in range(3):
            await venue()
            yield f"{n};"
    return StreamingResponse(stream())


@app.get("/endless")
async def endless(request: Request):
    while not await request.is_disconnected():
        await asyncio.sleep(0)
    await venue()
    return "nobody hears this"


@app.get("/boom")
async def boom():
    raise LookupError("no such show")


@app.get("/stuck")
async def stuck():
    await asyncio.Event().wait()
'''


async def test_a_request_carries_body_headers_query_and_path(app: RunningApp) -> None:
    order = exchange(
        app, "post", "/echo?show=7", json={"seat": "A1"}, headers={"X-Agent": "me"}
    )
    await order.finished()

    assert (order.status, order.headers["content-type"]) == (200, "application/json")
    assert order.json() == {
        "order": {"seat": "A1"},
        "agent": "me",
        "show": "7",
        "path": "/echo",
    }


async def test_the_response_is_complete_before_the_background_task_is(
    app: RunningApp,
) -> None:
    mail = Gate("the mail server")
    app.replace("venue", mail)
    order = exchange(app, "GET", "/later")
    await order.response_complete()
    await mail.entered()

    assert (order.json(), order.done) == ("thanks", False)
    mail.open()
    await order.finished()


async def test_each_message_is_seen_when_it_is_sent(app: RunningApp) -> None:
    venue = Gate("the venue")
    app.replace("venue", venue)
    board = exchange(app, "GET", "/events")
    await board.response_started()

    assert (board.status, board.body) == (200, b"")
    venue.open()
    types = []
    while (message := await board.next_message()) is not None:
        types.append((message["type"], message.get("body")))
    assert types == [
        ("http.response.start", None),
        ("http.response.body", b"0;"),
        ("http.response.body", b"1;"),
        ("http.response.body", b"2;"),
        ("http.response.body", b""),
    ]


async def test_messages_are_recorded_in_the_journal(app: RunningApp) -> None:
    journal = Journal()

    async def venue() -> None:
        journal.record("mail sent")

    app.replace("venue", venue)
    await exchange(app, "GET", "/later", journal=journal).finished()

    assert journal.events == ["http.response.start", "http.response.body", "mail sent"]


async def test_a_probe_runs_before_the_message_is_recorded(
    app: RunningApp,
) -> None:
    async def probe() -> tuple[int, bool]:
        return len(order.messages), order.complete

    order = exchange(app, "GET", "/later", probe=probe)
    await order.finished()

    assert order.probed == [
        ("http.response.start", (0, False)),
        ("http.response.body", (1, False)),
    ]


async def test_an_app_is_notified_when_the_client_leaves(app: RunningApp) -> None:
    venue = Gate("the venue")
    app.replace("venue", venue)
    order = exchange(app, "GET", "/endless")
    await settle()
    assert venue.count == 0
    order.disconnect()
    await venue.entered()
    venue.open()
    await order.finished()

    assert order.messages == [], "what is sent after the customer left is dropped"


async def test_an_app_that_listens_late_learns_only_that_the_client_has_left() -> None:
    received: list[str] = []
    gate = Gate("the venue")

    async def asgi(scope: object, receive: Receive, send: object) -> None:
        await gate()
        received.append((await receive())["type"])

    request = exchange(asgi, "GET", "/late")
    await settle()
    request.disconnect()
    gate.open()
    await request.finished()
    assert received == ["http.disconnect"]


async def test_an_exception_is_kept_and_the_client_gets_a_500(
    app: RunningApp,
) -> None:
    order = exchange(app, "GET", "/boom")
    await order.finished()

    assert order.status == 500
    assert isinstance(order.error, LookupError)
    assert app.errors == [order.error]


async def test_a_response_can_be_told_in_words(app: RunningApp) -> None:
    order = exchange(app, "GET", "/boom")
    waiting = order.in_words
    await order.finished()

    assert waiting == "no response"
    assert order.in_words == "500: Internal Server Error"


async def test_a_missing_response_fails_with_a_message(app: RunningApp) -> None:
    order = exchange(app, "GET", "/stuck")

    no_response = r"^GET /stuck never got a response\. Expected"
    with shortened(), pytest.raises(TimeLimitExceeded, match=no_response):
        await order.response_started()
    with (
        shortened(),
        pytest.raises(TimeLimitExceeded, match=r"^GET /stuck never ended.$"),
    ):
        await order.finished()


async def test_an_app_that_returns_without_a_response_fails_with_a_message() -> None:
    async def silent(scope: object, receive: object, send: object) -> None:
        raise ValueError("lost")

    with pytest.raises(
        TimeLimitExceeded, match=r"never got a response. The app raised ValueError"
    ):
        await exchange(silent, "GET", "/").response_started()


async def test_many_exchanges_are_in_flight_at_once(app: RunningApp) -> None:
    venue = Gate("the venue")
    app.replace("venue", venue)
    orders = [exchange(app, "GET", "/later") for _ in range(5)]
    await venue.entered(times=5)
    venue.open()
    await asyncio.gather(*(order.finished() for order in orders))

    assert [order.status for order in orders] == [200] * 5
