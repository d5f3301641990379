"""Requests as a server handles them: the response arrives while the app goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any

import httpx2

Message = MutableMapping[str, Any]
App = Callable[
    [
        Message,
        Callable[[], Awaitable[Message]],
        Callable[[Message], Awaitable[None]],
    ],
    Awaitable[None],
]


class StreamingTransport(httpx2.AsyncBaseTransport):
    """A transport to an app in the same loop that keeps the real order of events.

    httpx2's in-process transport responds when the app has returned. By then background
    tasks are over and sessions are committed, so what a client sees before that is
    lost. Here each request has a task of its own, as with uvicorn. Its response begins
    with the first message, and closing it early is a disconnect.
    """

    def __init__(self, app: App) -> None:
        """Send requests to *app*."""
        self._app = app
        self._requests: set[asyncio.Task[None]] = set()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send *request*, and return as soon as its response begins."""
        await request.aread()
        return await self.enter(request).begun

    def enter(self, request: httpx2.Request) -> RequestRun:
        """Serve *request*, which has been read, in a task made now."""
        run = RequestRun(request.content)
        url = request.url
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": request.method,
            "headers": [(key.lower(), value) for key, value in request.headers.raw],
            "scheme": url.scheme,
            "path": url.path,
            "raw_path": url.raw_path.split(b"?")[0],
            "query_string": url.query,
            "server": (url.host, url.port),
            "client": ("127.0.0.1", 50_000),
            "root_path": "",
        }
        served = run.pass_through(self._app, scope)
        task = asyncio.get_running_loop().create_task(served)
        self._requests.add(task)
        task.add_done_callback(self._requests.discard)
        return run

    async def empty(self) -> None:
        """Wait until the app has finished every request."""
        while self._requests:
            await asyncio.wait(self._requests)

    async def aclose(self) -> None:
        """Disconnect every client that is still connected."""
        for task in self._requests:
            task.cancel()
        await asyncio.gather(*self._requests, return_exceptions=True)


class RequestRun(httpx2.AsyncByteStream):
    """One request, from its first message to the app's return.

    Attributes:
        begun: the response, as soon as it begins; its body may be still to come.
        over: when the app had finished it, by the loop's clock; None before.

    """

    def __init__(self, body: bytes) -> None:
        self._body: bytes | None = body
        loop = asyncio.get_running_loop()
        self.begun: asyncio.Future[httpx2.Response] = loop.create_future()
        self.over: float | None = None
        self._parts: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._left = asyncio.Event()
        self._whole = False

    async def pass_through(self, app: App, scope: Message) -> None:
        """Let *app* answer."""
        try:
            await app(scope, self._receive, self._send)
        except Exception:  # noqa: BLE001 -- the app keeps and tells what it raises
            if not self.begun.done():
                self._whole = True
                self.begun.set_result(httpx2.Response(500, stream=self))
        finally:
            self.over = asyncio.get_running_loop().time()
            if not self.begun.done():
                self.begun.cancel()
            self._parts.put_nowait(None)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield what the app sends, as it sends it."""
        while (part := await self._parts.get()) is not None:
            yield part
        if not self._whole:
            raise httpx2.RemoteProtocolError("The answer broke off.")

    async def aclose(self) -> None:
        """Leave: the app is told, as it is by a server."""
        self._left.set()

    async def _receive(self) -> Message:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = message.get("headers", [])
            self.begun.set_result(
                httpx2.Response(message["status"], headers=headers, stream=self)
            )
            return
        if self._left.is_set():
            return
        if message.get("body"):
            self._parts.put_nowait(message["body"])
        if not message.get("more_body"):
            self._whole = True
            self._parts.put_nowait(None)
