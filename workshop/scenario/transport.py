"""Requests as a server handles them: the response may arrive before the app ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any

import httpx2

from workshop.timeline.requests import CUSTOMER

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

    httpx2's in-process transport responds when the app has returned. By then,
    background tasks have ended and sessions are committed, so a client cannot see
    anything earlier. Here, each request has a task of its own, as with uvicorn. Its
    response begins with the first message, and closing it early is a disconnect.

    Attributes:
        runs: the requests so far.

    """

    def __init__(self, app: App) -> None:
        """Send requests to *app*."""
        self._app = app
        self.runs: list[RequestRun] = []
        self._requests: set[asyncio.Task[None]] = set()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send *request*, and return when its response begins.

        A caller that is cancelled before that has disconnected.
        """
        await request.aread()
        run = self.enter(request)
        try:
            return await run.begun
        except asyncio.CancelledError:
            await run.aclose()
            raise

    def enter(self, request: httpx2.Request, sent: float | None = None) -> RequestRun:
        """Serve *request*, which has been read, in a new task.

        *sent* is when the customer sent it, by the loop's clock; by default now. The
        extension `customer` of the request names the customer.
        """
        url = request.url
        customer = str(request.extensions.get("customer", ""))
        run = RequestRun(
            request.content, f"{request.method} {url.path}", customer, sent
        )
        self.runs.append(run)
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
            CUSTOMER: customer,
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
        name: its method and path.
        customer: who sent it; may be empty.
        sent: when it was sent. All times are those of the loop's clock.
        begun: the response, as soon as it begins. The body may come later.
        answered: when the last part of the response was sent; None before.
        failure: the exception that the app raised, or None.

    """

    def __init__(
        self, body: bytes, name: str, customer: str, sent: float | None
    ) -> None:
        loop = asyncio.get_running_loop()
        self.name, self.customer = name, customer
        self.sent = loop.time() if sent is None else sent
        self.answered: float | None = None
        self.failure: Exception | None = None
        self._body: bytes | None = body
        self.begun: asyncio.Future[httpx2.Response] = loop.create_future()
        self._parts: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._left = asyncio.Event()
        self._whole = False

    async def pass_through(self, app: App, scope: Message) -> None:
        """Let *app* respond."""
        try:
            await app(scope, self._receive, self._send)
        except Exception as failure:  # noqa: BLE001 -- a note reports it
            self.failure = failure
            if not self.begun.done():
                self._end()
                self.begun.set_result(httpx2.Response(500, stream=self))
        finally:
            if not self.begun.done():
                self.begun.cancel()
            self._parts.put_nowait(None)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield what the app sends, as it sends it."""
        while (part := await self._parts.get()) is not None:
            yield part
        if not self._whole:
            raise httpx2.RemoteProtocolError("The response is incomplete.")

    async def aclose(self) -> None:
        """Disconnect, which the app can notice."""
        self._left.set()

    async def _receive(self) -> Message:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if self.begun.done():  # the client has disconnected
                return
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
            self._end()
            self._parts.put_nowait(None)

    def _end(self) -> None:
        self._whole = True
        self.answered = asyncio.get_running_loop().time()
