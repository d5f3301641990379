"""Each request has a lane under the name that people know it by."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.responses import StreamingResponse

from tests.timeline.telling import labels, lane, names, spans, states
from workshop.timeline import NameRequests, Outcome, State, Timeline, record
from workshop.timeline.virtual import run


def box_office() -> FastAPI:
    app = FastAPI()

    async def ask(venue: str) -> str:
        await asyncio.sleep(0.1)
        return venue

    @app.get("/report")
    async def report() -> list[str]:
        first = await ask("north")
        return [first, *await asyncio.gather(ask("south"))]

    @app.get("/blocking")
    async def blocking() -> None:
        time.sleep(0.2)  # noqa: ASYNC251 -- the bug to be seen

    @app.get("/broken")
    async def broken() -> None:
        raise LookupError("no such show")

    @app.get("/feed")
    async def feed() -> StreamingResponse:
        async def lines() -> AsyncIterator[str]:
            for number in range(2):
                await asyncio.sleep(0.1)
                yield f"{number}\n"

        return StreamingResponse(lines())

    return app


def recorded(
    code: Callable[[httpx2.AsyncClient], Any], *, here: str | None = None
) -> Timeline:
    """Return the timeline of what *code* asks of the box office, in one process."""

    async def main() -> Timeline:
        transport = httpx2.ASGITransport(
            app=NameRequests(box_office()), raise_app_exceptions=False
        )
        async with (
            httpx2.AsyncClient(transport=transport, base_url="http://x") as client,
            record(here=here) as recording,
        ):
            await code(client)
        return recording.timeline

    return run(main)


def test_unread_requests_are_ready_on_a_blocked_loop() -> None:
    async def code(client: httpx2.AsyncClient) -> None:
        await asyncio.gather(client.get("/blocking"), client.get("/report"))

    timeline = recorded(code)

    assert names(timeline) == [
        (0, "#1 GET /blocking"),
        (0, "#2 GET /report"),
        (1, "ask('south')"),
    ]
    assert spans(timeline.lanes[0]) == [(State.BLOCKING, 0, 200)]
    assert labels(timeline.lanes[0], State.BLOCKING) == ["time.sleep(0.2)"]
    assert spans(timeline.lanes[1]) == [
        (State.READY, 0, 200),
        (State.AWAITING, 200, 300),
        (State.AWAITING, 300, 400),
    ]
    assert labels(timeline.lanes[1], State.AWAITING) == [
        'await ask("north")',
        'await asyncio.gather(ask("south"))',
    ]


def test_requests_of_one_task_have_separate_lanes_that_it_awaits() -> None:
    async def code(client: httpx2.AsyncClient) -> None:
        await client.get("/report")
        await client.get("/report")

    timeline = recorded(code, here="you")

    assert names(timeline) == [
        (0, "you"),
        (1, "#1 GET /report"),
        (2, "ask('south')"),
        (1, "#2 GET /report"),
        (2, "ask('south')"),
    ]
    you = timeline.lanes[0]
    assert spans(you) == [(State.AWAITING, 0, 200), (State.AWAITING, 200, 400)]
    assert labels(you, State.AWAITING) == ["await code(client)"] * 2
    assert lane(timeline, "#2 GET /report").start == 200


def test_requests_are_shown_with_their_outcome() -> None:
    async def code(client: httpx2.AsyncClient) -> None:
        waiting = asyncio.create_task(client.get("/report"))
        assert (await client.get("/broken")).status_code == 500
        waiting.cancel()
        await asyncio.wait([waiting])

    timeline = recorded(code)

    broken = lane(timeline, "#1 GET /broken")
    assert (broken.outcome, broken.reason) == (
        Outcome.FAILED,
        "LookupError: no such show",
    )


def test_a_request_whose_client_leaves_is_cancelled() -> None:
    async def code(client: httpx2.AsyncClient) -> None:
        waiting = asyncio.create_task(client.get("/report"))
        await asyncio.sleep(0.05)
        waiting.cancel()
        await asyncio.wait([waiting])

    timeline = recorded(code)

    assert lane(timeline, "#1 GET /report").outcome is Outcome.CANCELLED
    assert spans(lane(timeline, "#1 GET /report")) == [(State.AWAITING, 0, 50)]


def test_a_stream_awaits_in_the_users_generator() -> None:
    async def code(client: httpx2.AsyncClient) -> None:
        await asyncio.gather(client.get("/feed"))

    (feed,) = recorded(code).lanes

    assert feed.name == "#1 GET /feed"
    assert labels(feed, State.AWAITING) == ["await asyncio.sleep(0.1)"] * 2


def test_requests_are_counted_from_the_beginning_of_each_recording() -> None:
    async def main() -> list[str]:
        transport = httpx2.ASGITransport(app=NameRequests(box_office()))
        found = []
        async with httpx2.AsyncClient(
            transport=transport, base_url="http://x"
        ) as client:
            await client.get("/blocking")  # nobody records it
            for _ in range(2):
                async with record(here=None) as recording:
                    await client.get("/blocking")
                found += [lane.name for lane in recording.timeline.lanes]
        return found

    assert run(main) == ["#1 GET /blocking"] * 2


def test_websockets_are_named_and_lifespans_are_not() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(0.1)

    async def main() -> Timeline:
        named = NameRequests(app)
        async with record(here=None) as recording:
            await named({"type": "lifespan"}, None, None)  # type: ignore[arg-type]
            await named({"type": "websocket", "path": "/seats"}, None, None)  # type: ignore[arg-type]
        return recording.timeline

    assert names(run(main)) == [(0, "#1 WS /seats")]


@asynccontextmanager
async def served(app: Any) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of a real server in this loop."""
    # Its own settings for logging would stay after this test, for all others.
    config = uvicorn.Config(app, port=0, lifespan="off", log_config=None, loop="none")
    server = uvicorn.Server(config)
    listening = config.bind_socket()
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    async with httpx2.AsyncClient(base_url=url) as client:
        await client.get("/ready")
        yield client
    server.should_exit = True
    await serving


def new_uvloop() -> asyncio.AbstractEventLoop:
    uvloop = pytest.importorskip("uvloop", reason="it has no wheel for Windows")
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, new_uvloop])
def test_with_a_real_server_requests_and_their_threads_are_shown(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    app = FastAPI()
    arrived, opened = threading.Barrier(2, timeout=5), threading.Event()

    @app.get("/ready")
    def ready() -> None:
        """Warm up, also the thread pool."""

    @app.get("/export")
    def export() -> None:
        arrived.wait()
        assert opened.wait(5)

    @app.get("/ping")
    async def ping() -> None:
        await asyncio.to_thread(arrived.wait)
        opened.set()

    async def main() -> Timeline:
        recording = record(here=None)
        async with served(NameRequests(app)) as client, recording:
            exporting = asyncio.create_task(client.get("/export"))
            await client.get("/ping")
            await exporting
        return recording.timeline

    with asyncio.Runner(loop_factory=new_loop) as runner:
        timeline = runner.run(main())

    requests = {
        request.name.partition(" ")[2]: [
            below.name
            for below in timeline.lanes[position + 1 :][:1]
            if below.depth == request.depth + 1
        ]
        for position, request in enumerate(timeline.lanes)
        if request.name.startswith("#")
    }
    assert requests == {
        "GET /export": ["thread: export()"],
        "GET /ping": ["thread: Barrier.wait()"],
    }
    assert State.THREAD in states(lane(timeline, "thread: export()"))
    ping_lane = next(lane for lane in timeline.lanes if lane.name.endswith("/ping"))
    assert "await asyncio.to_thread(arrived.wait)" in labels(ping_lane, State.AWAITING)
