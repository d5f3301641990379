"""Requests that arrive while the loop is held."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any

from workshop.timeline import NameRequests, Span, State, Timeline, record, virtual


async def app(scope: MutableMapping[str, Any], receive: object, send: object) -> None:
    if scope["path"] == "/report":
        virtual.block(0.3)


def test_a_request_waits_from_its_arrival() -> None:
    async def main() -> Timeline:
        loop = asyncio.get_running_loop()
        served = NameRequests(app)
        tasks: list[asyncio.Task[None]] = []

        def call(path: str) -> None:
            scope = {"type": "http", "method": "GET", "path": path}
            coroutine = served(scope, None, None)  # type: ignore[arg-type]
            tasks.append(loop.create_task(coroutine))

        async with record(here=None) as recording:
            call("/report")
            loop.call_later(0.005, call, "/ping")
            await asyncio.sleep(0.01)
            await asyncio.gather(*tasks)
        return recording.timeline

    ping = virtual.run(main).lanes[-1]

    assert ping.name == "#2 GET /ping"
    assert ping.spans[0] == Span(State.READY, 5, 300)
