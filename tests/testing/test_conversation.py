"""The conversation: a WebSocket whose client does what the test says."""

import asyncio

import pytest

from workshop.testing import (
    Gate,
    RunningApp,
    conversation,
    eventually,
    when_idle,
)

APP = '''
import asyncio
from fastapi import FastAPI, HTTPException, WebSocket, WebSocketDisconnect

app = FastAPI()
seen = []


async def venue():
    """The outside world."""


@app.websocket("/echo")
async def echo(socket: WebSocket):
    await socket.accept()
    async for text in socket.iter_text():
        await socket.send_json({"echo": text, "show": socket.query_params["show"]})


@app.websocket("/push")
async def push(socket: WebSocket):
    await socket.accept()
    try:
        while True:
            await venue()
            await socket.send_text("news")
            seen.append("sent")
    except BaseException as error:
        seen.append(type(error).__name__)
        raise


@app.websocket("/receive")
async def receive(socket: WebSocket):
    await socket.accept()
    await venue()
    while (message := await socket.receive())["type"] != "websocket.disconnect":
        seen.append(message)
    seen.append(message["code"])
    try:
        await socket.send_text("too late")
    except WebSocketDisconnect:
        seen.append("lost")


@app.websocket("/refuse")
async def refuse(socket: WebSocket):
    raise HTTPException(401, "log in")


@app.websocket("/close-first")
async def close_first(socket: WebSocket):
    await socket.close()


@app.websocket("/forget")
async def forget(socket: WebSocket):
    pass


@app.websocket("/end/{how}")
async def end(socket: WebSocket, how: str):
    await socket.accept()
    if how == "raise":
        raise LookupError("no such show")
    if how == "close":
        await socket.close(1001)
        await socket.receive()
        try:
            await socket._send({"type": "websocket.send", "text": "more"})
        except RuntimeError as error:
            seen.append(type(error).__name__)
'''


@pytest.fixture
def venue(app: RunningApp) -> Gate:
    gate = Gate("the venue")
    app.replace("venue", gate)
    return gate


async def test_text_goes_there_and_back(app: RunningApp) -> None:
    client = conversation(app, "/echo?show=7")
    client.say("hello")
    client.say({"seat": "A1"})
    assert await eventually(lambda: len(client.heard) == 2)
    assert client.heard[0] == {"echo": "hello", "show": "7"}
    assert client.heard[1]["echo"] == '{"seat": "A1"}'
    assert (client.status, client.code, client.done) == (101, None, False)
    client.leave(1001)
    await client.finished()
    assert (client.code, client.error) == (1001, None)


@pytest.mark.parametrize(
    ("path", "status"), [("/refuse", 401), ("/close-first", 403), ("/forget", 500)]
)
async def test_a_refusal_has_a_status(app: RunningApp, path: str, status: int) -> None:
    client = conversation(app, path)
    await client.finished()
    assert (client.accepted, client.status, client.code) == (False, status, None)
    if path == "/refuse":
        assert client.refusal == {"detail": "log in"}


@pytest.mark.parametrize(
    ("how", "code"), [("return", 1006), ("raise", 1006), ("close", 1001)]
)
async def test_only_a_close_frame_gives_a_code(
    app: RunningApp, how: str, code: int
) -> None:
    client = conversation(app, f"/end/{how}")
    await client.finished()
    assert client.code == code
    assert isinstance(client.error, LookupError) == (how == "raise")
    assert app.module.seen == (["RuntimeError"] if how == "close" else [])


@pytest.mark.parametrize(("code", "seen"), [(1000, 1000), (4001, 4001), (None, 1005)])
async def test_a_client_that_leaves_is_received_and_send_raises(
    app: RunningApp, code: int | None, seen: int
) -> None:
    client = conversation(app, "/receive")
    assert await eventually(lambda: client.accepted)
    client.leave(code)
    await client.finished()
    assert app.module.seen == [seen, "lost"]
    assert client.code == (code or 1006)
    assert [it["text"] for it in client.lost] == ["too late"]


@pytest.mark.parametrize(
    ("said", "code", "sent"),
    [(False, 1000, 0), (False, None, 0), (True, None, 1), (True, 1000, 50)],
)
async def test_an_unread_message_hides_that_the_client_leaves(
    app: RunningApp, said: bool, code: int | None, sent: int
) -> None:
    async def venue() -> None:
        await gates[min(len(gates) - 1, len(app.module.seen))]()
        if len(app.module.seen) == 50:
            await asyncio.Event().wait()

    gates = [Gate("the first news")]
    app.replace("venue", venue)
    client = conversation(app, "/push")
    await gates[0].entered()
    if said:
        client.say("hello")
    client.leave(code)
    gates[0].open()
    await when_idle(lambda: None)
    assert app.module.seen.count("sent") == sent
    assert client.done == (sent < 50)
    assert client.heard == []
    assert len(client.lost) == (50 if sent == 50 else sent + 1)


async def test_what_was_said_is_received_before_the_disconnect(
    app: RunningApp, venue: Gate
) -> None:
    client = conversation(app, "/receive")
    await venue.entered()
    client.say("hello")
    client.say(b"bytes")
    client.leave()
    venue.open()
    await client.finished()
    first, second, code, lost = app.module.seen
    assert (first["text"], second["bytes"]) == ("hello", b"bytes")
    assert (code, lost) == (1000, "lost")


async def test_send_waits_while_the_client_does_not_read(
    app: RunningApp, venue: Gate
) -> None:
    client = conversation(app, "/push")
    await venue.entered()
    client.stop_reading(room=2)
    app.replace("venue", limited := Limited(5))
    venue.open()
    assert await eventually(lambda: client.blocked)
    assert await when_idle(lambda: len(client.heard)) == 2
    client.read()
    assert await eventually(lambda: limited.left == 0)
    assert await when_idle(lambda: client.heard) == ["news"] * 6


async def test_a_client_that_leaves_frees_a_send_that_waits(
    app: RunningApp, venue: Gate
) -> None:
    client = conversation(app, "/push")
    await venue.entered()
    client.stop_reading()
    venue.open()
    assert await eventually(lambda: client.blocked and venue.waiting == 0)
    client.leave(None)
    await client.finished()
    assert app.module.seen == ["WebSocketDisconnect"]


async def test_cancel_ends_the_app(app: RunningApp, venue: Gate) -> None:
    client = conversation(app, "/push")
    await venue.entered()
    client.cancel()
    await client.finished()
    assert (client.code, venue.cancelled) == (1006, 1)


class Limited:
    """A venue that has news a few times, and then none."""

    def __init__(self, times: int) -> None:
        self.left = times

    async def __call__(self) -> None:
        if not self.left:
            await asyncio.Event().wait()
        self.left -= 1
