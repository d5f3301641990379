"""What the tests of lesson 11 put in the place of venues, log file, trace and server.

The log keeps each line with the name in front of it. A connection stands in for
uvicorn: it writes the same lines, and starts a request in the context uvicorn uses.
The trace keeps each span that begins or ends.
"""

import asyncio
import contextvars
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import httpx2

from workshop.testing import Exchange, Gate, RunningApp, eventually, exchange, settle
from workshop.testing.app.exchange import Message, Receive, Send

SHOP = "https://tickets.example"
LOGS = ["box_office", "uvicorn.error", "uvicorn.access"]
# uvicorn stops reading when this many bytes of a body wait for the app.
HIGH_WATER_LIMIT = 65536
POSTER = b"x" * 70_000
# What a browser sends before the shop's page may send the header X-Customer.
PREFLIGHT = {
    "origin": SHOP,
    "access-control-request-method": "GET",
    "access-control-request-headers": "x-customer",
}


class UnexpectedError(Exception):
    """The error of a client that has classes of its own."""


def errors() -> list[Exception]:
    """Return what an outside call may raise."""
    return [
        ConnectionError("connection refused"),
        httpx2.ReadTimeout("no response in time"),
        UnexpectedError("the Dome is closed"),
    ]


@contextmanager
def loggers_restored() -> Iterator[None]:
    """Put the loggers back that the app configures, because they are shared."""
    loggers = [logging.getLogger(name) for name in LOGS]
    before = [(each.handlers, each.level, each.propagate) for each in loggers]
    try:
        yield
    finally:
        for logger, (handlers, level, propagate) in zip(loggers, before, strict=True):
            logger.handlers, logger.propagate = handlers, propagate
            logger.setLevel(level)


class Log:
    """Stands in for `write_line()`.

    Attributes:
        lines: the name and the text of each line, in order.

    """

    def __init__(self, app: RunningApp) -> None:
        self.lines: list[tuple[str, str]] = []

        def write_line(name: str, text: str) -> None:
            self.lines.append((name, text))

        app.replace("write_line", write_line)
        for name in LOGS:  # or pytest would show each line again
            logging.getLogger(name).propagate = False

    def about(self, *words: str) -> list[tuple[str, str]]:
        """Return the lines that contain all *words*, with their names."""
        return [
            (name, text)
            for name, text in self.lines
            if all(word in text for word in words)
        ]

    def begin(self, text: str) -> list[str]:
        """Return the names in front of the lines that begin with *text*."""
        return [name for name, line in self.lines if line.startswith(text)]

    def names(self, *words: str) -> list[str]:
        """Return the names in front of the lines that contain all *words*."""
        return [name for name, _ in self.about(*words)]


class Venues:
    """Stands in for the outside calls: each waits for its gate, if that is closed."""

    def __init__(self, app: RunningApp) -> None:
        self.gate = Gate("the venue").results(lambda show: 20 + len(show))
        self.seats = Gate("the seat map").results(lambda show: 100 * len(show))
        self.error: Exception | None = None

        async def ask_venue(show: str) -> int:
            await settle(2)
            if self.error is not None:
                raise self.error
            euros: int = await self.gate(show)
            return euros

        async def find_customer(code: str) -> str:
            await self.gate(code)
            return code.title()

        async def find_order(number: int) -> str | None:
            await settle(2)
            if self.error is not None:
                raise self.error
            return f"Show {number}" if number < 100 else None

        app.replace("ask_venue", ask_venue)
        app.replace("count_seats", self.seats.blocking)
        app.replace("find_customer", find_customer)
        app.replace("find_order", find_order)

    def answer(self) -> None:
        """Answer all calls, also those that follow."""
        self.gate.open()
        self.seats.open()


class Prices:
    """Stands in for `ask_venue()`: a show has a new price when the test says so."""

    def __init__(self, app: RunningApp) -> None:
        self._new: dict[str, asyncio.Queue[int | Exception]] = {}
        self._asking: dict[str, int] = {}

        async def ask_venue(show: str) -> int:
            await settle(2)
            self._asking[show] = self._asking.get(show, 0) + 1
            try:
                price = await self._of(show).get()
            finally:
                self._asking[show] -= 1
            if isinstance(price, Exception):
                raise price
            return price

        app.replace("ask_venue", ask_venue)

    async def tell(self, show: str, *prices: int | Exception) -> None:
        """Give each of *prices* to a stream that waits for it."""
        for price in prices:
            await eventually(lambda: self.awaited(show) > 0)
            self._of(show).put_nowait(price)
            await eventually(lambda: self._of(show).empty())
        await eventually(lambda: self.awaited(show) > 0)

    def awaited(self, show: str) -> int:
        """Return how many streams wait for a price of *show*."""
        return self._asking.get(show, 0)

    def _of(self, show: str) -> asyncio.Queue[int | Exception]:
        return self._new.setdefault(show, asyncio.Queue())


class Span(Protocol):
    """A span of the app."""

    name: str
    parent: "Span | None"


class Trace:
    """Stands in for `send_span()`."""

    def __init__(self, app: RunningApp) -> None:
        self._begun: list[Span] = []
        self._ended: list[Span] = []

        def send_span(event: str, span: Span) -> None:
            (self._begun if event == "begun" else self._ended).append(span)

        app.replace("send_span", send_span)

    def ends(self, show: str) -> list[int]:
        """Return how often each span 'prices of *show*' has ended, in ascending order.

        There is one number for each span that has begun.
        """
        return sorted(
            sum(other is span for other in self._ended)
            for span in self._begun
            if span.name == f"prices of {show}"
        )

    def in_words(self, show: str) -> str:
        """Say how often each of these spans has ended, for a message."""
        ends = self.ends(show)
        if not ends:
            return f"No span 'prices of {show}' has begun."
        words = {0: "not ended", 1: "ended once"}
        each = [words.get(number, f"ended {number} times") for number in ends]
        if len(each) == 1:
            return f"The span 'prices of {show}' has {each[0]}."
        found = [f"{each.count(text)} {text}" for text in dict.fromkeys(each)]
        return f"Of {len(each)} spans 'prices of {show}', {', '.join(found)}."

    def above(self, show: str) -> list[str]:
        """Return the names of all parents of the spans 'prices of *show*'."""
        names = []
        for span in self._begun:
            parent = span.parent if span.name == f"prices of {show}" else None
            while parent is not None:
                names.append(parent.name)
                parent = parent.parent
        return names


class Connection:
    """A connection to a server that logs like uvicorn and keeps contexts like it.

    uvicorn starts the task of a request in the context in which it went on reading the
    socket. After a large body, or when a client sends two requests at once, that is
    the context of the request before.
    """

    def __init__(self, app: RunningApp) -> None:
        self._app = app
        self._context = contextvars.Context()

    def request(
        self,
        method: str,
        path: str,
        name: str | None = None,
        *,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
    ) -> Exchange:
        """Send a request, with *name* in its header."""
        named = {"x-customer": name} if name is not None else {}
        return exchange(
            self.asgi, method, path, body=body, headers={**named, **(headers or {})}
        )

    def socket(self, path: str, name: str | None = None) -> "Socket":
        """Turn the connection into a WebSocket, with *name* in its header."""
        return Socket(self._app, path, name, self._context.copy())

    async def asgi(self, scope: Message, receive: Receive, send: Send) -> None:
        """Run the app in a task whose context is that of this connection."""
        loop = asyncio.get_running_loop()
        task = loop.create_task(
            self._run(scope, receive, send), context=self._context.copy()
        )
        try:
            await asyncio.wait({task})
        finally:
            task.cancel()
        await task

    async def _run(self, scope: Message, receive: Receive, send: Send) -> None:
        large = False

        async def take() -> Message:
            nonlocal large
            message = await receive()
            if len(message.get("body", b"")) > HIGH_WATER_LIMIT:
                large, self._context = True, contextvars.copy_context()
            return message

        async def send_and_log(message: Message) -> None:
            if message["type"] == "http.response.start":
                logging.getLogger("uvicorn.access").info(
                    '%s - "%s %s HTTP/1.1" %d',
                    "127.0.0.1:50000",
                    scope["method"],
                    scope["path"],
                    message["status"],
                )
            await send(message)
            over = message["type"] == "http.response.body" and not message.get(
                "more_body"
            )
            if over and not large:
                self._context = contextvars.copy_context()

        try:
            await self._app.asgi(scope, take, send_and_log)
        except Exception:
            logging.getLogger("uvicorn.error").error("Exception in ASGI application")
            raise


class OneContext:
    """A server that runs one request after another in the same context.

    httpx2's `ASGITransport` does the same if one task sends several requests with it.
    """

    def __init__(self, app: RunningApp) -> None:
        self._app, self._context = app, contextvars.Context()

    async def asgi(self, scope: Message, receive: Receive, send: Send) -> None:
        """Run the app in a task that uses this context itself, not a copy of it."""
        await asyncio.get_running_loop().create_task(
            self._run(scope, receive, send), context=self._context
        )

    async def _run(self, scope: Message, receive: Receive, send: Send) -> None:
        await self._app.asgi(scope, receive, send)


class Socket:
    """A WebSocket whose client only listens.

    Attributes:
        messages: what the app has sent.
        task: the app's task.

    """

    def __init__(
        self,
        app: RunningApp,
        path: str,
        name: str | None,
        context: contextvars.Context,
    ) -> None:
        self.messages: list[Message] = []
        headers = [(b"host", b"box-office")]
        headers += [(b"x-customer", name.encode())] if name is not None else []
        scope = {
            "type": "websocket",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "scheme": "ws",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": b"",
            "headers": headers,
            "client": ("127.0.0.1", 50000),
            "server": ("box-office", 80),
            "subprotocols": [],
            "state": {},
        }
        incoming = iter([{"type": "websocket.connect"}])

        async def receive() -> Message:
            if (message := next(incoming, None)) is not None:
                return message
            await asyncio.Event().wait()
            raise AssertionError

        async def send(message: Message) -> None:
            self.messages.append(message)

        self.task = asyncio.get_running_loop().create_task(
            app.asgi(scope, receive, send), context=context
        )
