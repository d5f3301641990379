"""One HTTP request against an app, seen message by message as the app sends them."""

from __future__ import annotations

import asyncio
import contextvars
import json as json_text
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Mapping,
    MutableMapping,
    Sequence,
)
from contextlib import suppress
from typing import Any, Protocol
from urllib.parse import unquote

from workshop.testing.reporting.failures import NoResponse, TimeLimitExceeded
from workshop.testing.sync.condition import Condition
from workshop.testing.sync.journal import Journal
from workshop.testing.time.event_loop import settle

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]


# How much of a body fits into a message.
_MOST_CHARACTERS = 200

Headers = Mapping[str, str] | Sequence[tuple[str, str]]


class HasAsgi(Protocol):
    """An object that carries an ASGI app, such as the `app` fixture."""

    @property
    def asgi(self) -> Asgi:
        """The app itself."""


class Exchange:
    """A request in flight. Make one with `exchange`.

    It behaves as with uvicorn: after `disconnect`, messages from the app are dropped
    without an error, and `receive` returns `http.disconnect` once the client has
    disconnected or the response is complete.
    """

    def __init__(
        self,
        app: Asgi,
        scope: MutableMapping[str, Any],
        body: bytes,
        journal: Journal | None,
        probe: Callable[[], Awaitable[Any]] | None,
        look: Callable[[], Any] | None = None,
    ) -> None:
        """Prepare the request; `start` sends it."""
        self.messages: list[Message] = []
        self.probed: list[tuple[str, Any]] = []
        self.looked: list[tuple[str, Any]] = []
        self.error: BaseException | None = None
        self.name = f"{scope['method']} {scope['path']}"
        self._app, self._scope, self._body = app, scope, body
        self._journal, self._probe, self._look = journal, probe, look
        self._condition = Condition()
        self._start: Message | None = None
        self._complete = False
        self._asked = False
        self._gone = False
        self._cursor = 0
        self._task: asyncio.Task[None] | None = None

    @property
    def status(self) -> int | None:
        """The status code, once the response has started."""
        start = self._start
        return None if start is None else int(start["status"])

    @property
    def headers(self) -> dict[str, str]:
        """The response's headers, by lower-case name."""
        pairs = self._start["headers"] if self._start else []
        return {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in pairs}

    @property
    def body(self) -> bytes:
        """What has been sent of the body so far."""
        return b"".join(
            message.get("body", b"")
            for message in self.messages
            if message["type"] == "http.response.body"
        )

    @property
    def started(self) -> bool:
        """Whether the status and headers have been sent."""
        return self._start is not None

    @property
    def complete(self) -> bool:
        """Whether the last piece of the response has been sent."""
        return self._complete

    @property
    def done(self) -> bool:
        """Whether the app has returned, background tasks and clean-up included."""
        return self._task is not None and self._task.done()

    def json(self) -> Any:
        """Return the body so far, read as JSON."""
        return json_text.loads(self.body)

    @property
    def content(self) -> Any:
        """The body so far: read as JSON if it is JSON, else as text."""
        return content_of(self.body)

    @property
    def in_words(self) -> str:
        """The response so far, for a message: `200: {'sold': 'A1'}`."""
        if not self.started:
            return "no response"
        return f"{self.status}: {str(self.content)[:_MOST_CHARACTERS]}"

    def start(self) -> Exchange:
        """Send the request: the app runs in a task of its own. Returns itself."""
        # A context of its own, as with a real server: what an app's task starts by
        # driving an exchange is not the app's.
        self._task = asyncio.get_running_loop().create_task(
            self._run(), context=contextvars.Context(), name=self.name
        )
        return self

    async def response_started(self) -> None:
        """Wait until the status and headers have been sent, or the app has returned.

        Raises:
            NoResponse: if neither happened within the outer limit, or if the app
                returned without a response.

        """
        await self._until(lambda: self.started, "never got a response")

    async def response_complete(self) -> None:
        """Wait until the last piece of the response has been sent.

        Raises:
            NoResponse: if that did not happen within the outer limit, or if the app
                returned first.

        """
        await self._until(lambda: self.complete, "never got its whole response")

    async def next_message(self) -> Message | None:
        """Return the next message that the app sends, or None if the app has returned.

        Raises:
            TimeLimitExceeded: if neither happened within the outer limit.

        """
        await self._condition.wait_for(
            lambda: len(self.messages) > self._cursor or self.done,
            f"{self.name}: nothing more was ever sent, and it never ended.",
        )
        if len(self.messages) <= self._cursor:
            return None
        self._cursor += 1
        return self.messages[self._cursor - 1]

    def disconnect(self) -> None:
        """Close the connection from the client's side, without waiting."""
        self._gone = True
        self._condition.notify_all()

    def cancel(self) -> None:
        """Cancel the app's task for this request, as middleware or a timeout may do."""
        if self._task is not None:
            self._task.cancel()

    async def finished(self) -> None:
        """Wait until the app has returned, including background tasks and clean-up.

        What it raised, if anything, is in `error`.

        Raises:
            TimeLimitExceeded: if it did not return within the outer limit.

        """
        await self._condition.wait_for(lambda: self.done, f"{self.name} never ended.")

    async def _until(self, true: Callable[[], bool], never: str) -> None:
        with suppress(TimeLimitExceeded):
            await self._condition.wait_for(lambda: true() or self.done, "")
        if not true():
            because = f" The app raised {self.error!r}." if self.error else ""
            raise NoResponse(f"{self.name} {never}.{because} Expected: a response.")

    async def _run(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.add_done_callback(lambda _: self._condition.notify_all())
        try:
            await self._app(self._scope, self._receive, self._send)
        except asyncio.CancelledError as exc:
            self.error = exc
            raise
        except Exception as exc:  # noqa: BLE001 -- told by `error`; the test decides
            self.error = exc

    async def _receive(self) -> Message:
        if not self._asked and not self._gone:
            self._asked = True
            return {"type": "http.request", "body": self._body, "more_body": False}
        await self._condition.until(lambda: self._gone or self.complete)
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if self._gone:
            return
        if self._look is not None:
            self.looked.append((message["type"], self._look()))
        if self._probe is not None:
            self.probed.append((message["type"], await self._probe()))
        self.messages.append(message)
        if message["type"] == "http.response.start":
            self._start = self._start or message
        elif message["type"] == "http.response.body" and not message.get("more_body"):
            self._complete = True
        if self._journal is not None:
            self._journal.record(message["type"])
        self._condition.notify_all()


def scope_of(
    path: str, headers: Sequence[tuple[str, str]], client: tuple[str, int]
) -> dict[str, Any]:
    """Return what the scopes of a request and of a WebSocket have in common."""
    location, _, query = path.partition("?")
    return {
        "http_version": "1.1",
        "path": unquote(location),
        "raw_path": location.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [
            # As servers pass them on: names in lower case, in the order sent.
            (name.lower().encode("latin-1"), value.encode("latin-1"))
            for name, value in headers
        ],
        "client": client,
        "server": ("box-office", 80),
        "state": {},
    }


def content_of(body: bytes) -> Any:
    """Return *body* read as JSON, or as text if it is not JSON."""
    try:
        return json_text.loads(body)
    except ValueError:
        return body.decode(errors="replace")


async def cancelled_at_each_turn(
    start: Callable[[], Exchange], turns: int = 200
) -> AsyncIterator[Exchange]:
    """Start a request again and again, and cancel it one turn later each time.

    Yields each request when it is over, so that the test can look at what it left
    behind. The last one is the first that was complete before it could be cancelled.

    Raises:
        AssertionError: if no request was complete within *turns* turns of the loop.

    """
    for turn in range(turns):
        request = start()
        await settle(turn)
        if request.done:
            yield request
            return
        request.cancel()
        # A request that swallows its cancellation may go on to its end.
        await request.finished()
        yield request
    raise AssertionError(
        f"{request.name} took more than {turns} turns of the event loop. "
        "Let stand-ins answer at once, or raise `turns`."
    )


def exchange(
    app: HasAsgi | Asgi,
    method: str,
    path: str,
    *,
    json: Any = None,
    headers: Headers = (),
    journal: Journal | None = None,
    probe: Callable[[], Awaitable[Any]] | None = None,
    look: Callable[[], Any] | None = None,
    body: bytes = b"",
    client: tuple[str, int] = ("127.0.0.1", 50000),
) -> Exchange:
    """Start a request against *app* and return it at once.

    *headers* are a mapping, or pairs where a header is sent more than once. An attacker
    sends one line and the proxy adds a second: use pairs, and any case, for those.

    Every message that the app sends is recorded in *journal* by its type, for example
    `"http.response.start"`. *look* and *probe* observe what is true while the customer
    has nothing yet: they are called before the message counts as sent. *look* is a
    plain function, so nothing else can run meanwhile. *probe* is awaited, and tasks
    that the app does not wait for may catch up while it does. Their results are in
    `Exchange.looked` and `Exchange.probed`.

    Needs a running event loop. Nothing has to be cleaned up: a request that is still in
    flight when the app is unloaded is cancelled.
    """
    pairs = [*(headers.items() if isinstance(headers, Mapping) else headers)]
    names = {name.lower() for name, _ in pairs}
    if json is not None:
        body = json_text.dumps(json).encode()
    if "host" not in names:
        pairs.insert(0, ("host", "box-office"))
    for name, value, needed in (
        ("content-type", "application/json", json is not None),
        ("content-length", str(len(body)), bool(body)),
    ):
        if needed and name not in names:
            pairs.append((name, value))
    scope = {
        **scope_of(path, pairs, client),
        "type": "http",
        # What uvicorn announces. It makes Starlette listen for disconnects itself.
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "method": method.upper(),
        "scheme": "http",
    }
    asgi = app.asgi if hasattr(app, "asgi") else app
    return Exchange(asgi, scope, body, journal, probe, look).start()
