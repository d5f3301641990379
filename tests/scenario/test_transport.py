"""The transport that serves an app as a server does."""

from __future__ import annotations

import asyncio

import httpx2

from workshop.scenario.transport import App, StreamingTransport


async def test_a_caller_that_is_cancelled_has_disconnected() -> None:
    seen = list[str]()
    begun = asyncio.Event()

    async def app(scope: object, receive: object, send: object) -> None:
        while (message := await receive())["type"] != "http.disconnect":  # type: ignore[operator]
            seen.append(message["type"])
            begun.set()
        seen.append(message["type"])
        await send({"type": "http.response.start", "status": 200})  # type: ignore[operator]
        await send({"type": "http.response.body", "body": b"late"})  # type: ignore[operator]
        seen.append("end")

    served: App = app
    transport = StreamingTransport(served)
    async with httpx2.AsyncClient(transport=transport, base_url="http://app") as client:
        call = asyncio.create_task(client.get("/"))
        await begun.wait()
        call.cancel()
        await transport.empty()

    assert seen == ["http.request", "http.disconnect", "end"]
    assert call.cancelled()
