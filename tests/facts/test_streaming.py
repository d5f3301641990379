"""What lesson 05 says about streams and server-sent events."""

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Annotated

import anyio
import httpx2
from fastapi import BackgroundTasks, Depends, FastAPI, Header, HTTPException
from fastapi.responses import StreamingResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent

from tests.facts import fact
from workshop.testing import Clock, Gate, Journal, exchange, settle
from workshop.testing.app.exchange import Message, Receive, Send

TOPIC = "streaming"


@fact("fastapi", topic=TOPIC)
async def test_native_events_set_the_headers_that_proxies_need() -> None:
    """A generator with `response_class=EventSourceResponse` is sent as
    `text/event-stream`, with `Cache-Control: no-cache` and `X-Accel-Buffering: no`.
    """
    app = FastAPI()

    @app.get("/", response_class=EventSourceResponse)
    async def board() -> AsyncIterator[dict[str, str]]:
        yield {"seat": "A1"}

    answer = exchange(app, "GET", "/")
    await answer.finished()

    assert answer.body == b'data: {"seat":"A1"}\n\n'
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["x-accel-buffering"] == "no"


@fact("fastapi", topic=TOPIC)
async def test_text_as_data_is_json_encoded() -> None:
    """`ServerSentEvent` encodes its `data` as JSON, even a text. `raw_data` is sent as
    it is, with each line in a separate `data:` field."""
    app = FastAPI()

    @app.get("/", response_class=EventSourceResponse)
    async def board() -> AsyncIterator[ServerSentEvent]:
        yield ServerSentEvent(data="A1\nA2")
        yield ServerSentEvent(raw_data="A1\nA2")

    answer = exchange(app, "GET", "/")
    await answer.finished()

    assert answer.body == b'data: "A1\\nA2"\n\ndata: A1\ndata: A2\n\n'


@fact("fastapi", topic=TOPIC)
async def test_yield_without_a_response_class_streams_json_lines() -> None:
    """An endpoint that yields and has no response class streams JSON lines."""
    app = FastAPI()

    @app.get("/")
    async def board() -> AsyncIterator[dict[str, str]]:
        yield {"seat": "A1"}

    answer = exchange(app, "GET", "/")
    await answer.finished()

    assert answer.headers["content-type"] == "application/jsonl"


@fact("fastapi", topic=TOPIC)
async def test_a_silent_stream_is_kept_alive(clock: Clock) -> None:
    """A native event stream sends a comment after every 15 seconds of silence, without
    involving the generator."""
    app, sale = FastAPI(), Gate("the first sale")

    @app.get("/", response_class=EventSourceResponse)
    async def board() -> AsyncIterator[str]:
        yield await sale()

    answer = exchange(app, "GET", "/")
    await sale.entered()
    await clock.advance(31)
    assert answer.body == b": ping\n\n: ping\n\n"

    sale.open(result="A1")
    await answer.finished()
    assert answer.body.endswith(b'data: "A1"\n\n')


@fact("fastapi", topic=TOPIC)
async def test_an_http_exception_in_a_generator_is_a_200() -> None:
    """An `HTTPException` raised in a streaming generator comes too late: the client
    gets a 200, even if nothing was yielded before."""
    app = FastAPI()

    @app.get("/", response_class=EventSourceResponse)
    async def board(sold_out: bool = True) -> AsyncIterator[str]:
        if sold_out:
            raise HTTPException(404)
        yield "A1"

    answer = exchange(app, "GET", "/")
    await answer.finished()

    assert (answer.status, answer.body, answer.complete) == (200, b"", False)


@fact("fastapi", topic=TOPIC)
async def test_an_error_drops_the_event_before_it() -> None:
    """If the generator of a native event stream raises, events that it has just yielded
    are lost, because they were still waiting to be sent."""
    app = FastAPI()

    @app.get("/", response_class=EventSourceResponse)
    async def board() -> AsyncIterator[str]:
        yield "A1"
        raise ConnectionError

    answer = exchange(app, "GET", "/")
    await answer.finished()

    assert (answer.status, answer.body) == (200, b"")


@fact("fastapi", "anyio", topic=TOPIC)
async def test_clean_up_in_a_cancelled_generator_is_cancelled_as_well() -> None:
    """If the client leaves, a streaming generator is cancelled, and the first `await`
    of its clean-up is cancelled again. A shielded anyio scope protects it."""
    assert await _clean_up(shield=False) == ["begun"]
    assert await _clean_up(shield=True) == ["begun", "finished"]


async def _clean_up(*, shield: bool) -> list[str]:
    app, journal, sale = FastAPI(), Journal(), Gate("a sale")

    @app.get("/", response_class=EventSourceResponse)
    async def board() -> AsyncIterator[str]:
        try:
            yield await sale()
        finally:
            journal.record("begun")
            with anyio.CancelScope(shield=shield):
                await settle(5)
                journal.record("finished")

    answer = exchange(app, "GET", "/")
    await sale.entered()
    answer.disconnect()
    await answer.finished()
    return journal.events


@fact("starlette", topic=TOPIC)
async def test_a_generator_suspended_at_yield_is_not_closed() -> None:
    """If the client leaves while a chunk is being sent, the generator stays suspended
    at its `yield` without an exception. Only the garbage collector closes it."""
    app, done, network = FastAPI(), Journal(), Gate("the network")

    async def parts() -> AsyncIterator[str]:
        try:
            yield "A1"
        finally:
            done.record("closed")

    kept = [parts()]  # so that the garbage collector leaves it alone

    @app.get("/")
    async def board() -> StreamingResponse:
        return StreamingResponse(kept[0])

    async def slow(scope: Message, receive: Receive, send: Send) -> None:
        async def send_slowly(message: Message) -> None:
            if message["type"] == "http.response.body":
                await network()
            await send(message)

        await app(scope, receive, send_slowly)

    answer = exchange(slow, "GET", "/")
    await network.entered()
    answer.disconnect()
    await answer.finished()
    await settle()
    assert "closed" not in done

    kept.clear()
    gc.collect()
    await settle()
    assert "closed" in done


@fact("starlette", topic=TOPIC)
async def test_a_plain_generator_is_not_closed_either() -> None:
    """A plain `def` generator is not closed when the client leaves. Its thread runs to
    the next `yield`, and the generator is never resumed."""
    app, journal, sale = FastAPI(), Journal(), Gate("the second sale")

    def parts() -> Iterator[str]:
        try:
            yield "A1"
            sale.blocking()
            journal.record("A2")
            yield "A2"
            journal.record("A3")
        finally:
            journal.record("closed")

    kept = parts()  # so that the garbage collector leaves it alone

    @app.get("/")
    async def board() -> StreamingResponse:
        return StreamingResponse(kept)

    answer = exchange(app, "GET", "/")
    await sale.entered()
    answer.disconnect()
    sale.open()
    await answer.finished()

    assert journal.events == ["A2"]


@fact("fastapi", topic=TOPIC)
async def test_a_dependency_is_held_until_the_stream_ends() -> None:
    """By default a stream's dependency exits after the last byte, so its resources are
    held as long as the client is connected."""
    assert await _order("request") == ["entered", "A1", "A2", "left"]


@fact("fastapi", topic=TOPIC)
async def test_a_function_scope_ends_before_the_generator_begins() -> None:
    """With `scope="function"` a stream's dependency exits before the generator begins,
    so its resources are already closed, provided that closing them does not have to
    wait."""
    assert await _order("function") == ["entered", "left", "A1", "A2"]


@fact("fastapi", topic=TOPIC)
async def test_the_generator_begins_while_a_function_scope_is_being_closed() -> None:
    """If the clean-up of such a dependency awaits, the generator of a native stream
    begins meanwhile, with resources that are being closed."""
    order = await _order("function", closing=settle)
    assert order.index("A1") < order.index("left")


async def _order(
    scope: str, closing: Callable[[], Awaitable[None]] | None = None
) -> list[str]:
    app, journal = FastAPI(), Journal()

    async def line() -> AsyncIterator[None]:
        journal.record("entered")
        yield
        if closing is not None:
            await closing()
        journal.record("left")

    held = Depends(line, scope="function" if scope == "function" else "request")

    @app.get("/", response_class=EventSourceResponse, dependencies=[held])
    async def board() -> AsyncIterator[str]:
        for seat in ("A1", "A2"):
            journal.record(seat)
            yield seat

    answer = exchange(app, "GET", "/")
    await answer.finished()
    return journal.events


@fact("fastapi", topic=TOPIC)
async def test_the_last_id_is_a_header() -> None:
    """A parameter `last_event_id: Annotated[int, Header()]` reads the header
    `Last-Event-ID`."""
    app = FastAPI()

    @app.get("/")
    async def board(last_event_id: Annotated[int, Header()] = 0) -> int:
        return last_event_id

    answer = exchange(app, "GET", "/", headers={"Last-Event-ID": "9"})
    await answer.finished()

    assert answer.json() == 9


@fact("starlette", topic=TOPIC)
async def test_background_tasks_run_after_the_client_has_left() -> None:
    """The background tasks of a stream run even if the client has left."""
    app, sale, done = FastAPI(), Gate("a sale"), Journal()

    @app.get("/", response_class=StreamingResponse)
    async def board(background: BackgroundTasks) -> AsyncIterator[str]:
        background.add_task(done.record, "hung up")
        yield await sale()

    answer = exchange(app, "GET", "/")
    await sale.entered()
    answer.disconnect()
    await answer.finished()

    assert "hung up" in done


@fact("httpx2", topic=TOPIC)
async def test_the_in_process_client_waits_for_the_end_of_a_stream() -> None:
    """`ASGITransport` returns the response when the app has returned. A stream arrives
    in one piece, and an endless one never arrives."""
    app, sale = FastAPI(), Gate("the second sale")

    @app.get("/", response_class=EventSourceResponse)
    async def board() -> AsyncIterator[str]:
        yield "A1"
        yield await sale()

    client = httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app), base_url="http://b"
    )
    async with client:
        answer = asyncio.ensure_future(
            client.send(client.build_request("GET", "/"), stream=True)
        )
        await sale.entered()
        await settle(200)
        assert not answer.done()

        sale.open(result="A2")
        assert (await (await answer).aread()).count(b"data:") == 2
