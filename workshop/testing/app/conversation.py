"""One WebSocket against an app, with a client that does what the test says."""

from __future__ import annotations

import asyncio
import contextvars
import json as json_text
from collections import deque
from collections.abc import Mapping
from typing import Any

from workshop.testing.app.exchange import (
    Asgi,
    HasAsgi,
    Headers,
    Message,
    content_of,
    scope_of,
)
from workshop.testing.sync.condition import Condition

ABNORMAL = 1006  # what a client sees of a connection that ends without a close frame


class ClientDisconnectedError(OSError):
    """What `send` raises in the app when the client is known to have left."""


class Conversation:
    """A WebSocket in use. Make one with `conversation`.

    It behaves as with uvicorn. While the app has not received a message of the client,
    nothing else is read from the connection, so a client that leaves is not noticed.
    Once that is noticed, `send` raises an `OSError` and `receive` returns
    `websocket.disconnect`. While the client does not read, `send` waits in the app, and
    so does a close frame.
    """

    def __init__(self, app: Asgi, scope: Message) -> None:
        """Prepare the connection; `start` opens it."""
        self.messages: list[Message] = []
        self.lost: list[Message] = []
        # The types of the messages that wait because the client does not read.
        self.held_up: list[str] = []
        self.error: BaseException | None = None
        self.accepted = False
        self.name = f"WS {scope['path']}"
        self._app, self._scope = app, scope
        self._condition = Condition()
        self._wire: deque[Message] = deque()
        self._queue: deque[Message] = deque([{"type": "websocket.connect"}])
        self._room: int | None = None
        self._left = False
        self._gone = False
        self._code: int | None = None
        self._status: int | None = None
        self._refused = False
        self._task: asyncio.Task[None] | None = None

    @property
    def status(self) -> int | None:
        """The status of the handshake: 101, or that of the refusal."""
        if self.accepted:
            return 101
        return 500 if self._status is None and self.done else self._status

    @property
    def refusal(self) -> Any:
        """The body of the response that refused the connection."""
        return content_of(
            b"".join(
                message.get("body", b"")
                for message in self.messages
                if message["type"] == "websocket.http.response.body"
            )
        )

    @property
    def heard(self) -> list[Any]:
        """What the client has received, each read as JSON if it is JSON."""
        sent = [it for it in self.messages if it["type"] == "websocket.send"]
        return [
            content_of(text.encode() if (text := it.get("text")) else it["bytes"])
            for it in sent
        ]

    @property
    def code(self) -> int | None:
        """The close code that the client sees, 1006 if it got no close frame.

        None while the connection is open, or if it was never accepted.
        """
        if self._code is None and self.accepted and self.done:
            return ABNORMAL
        return self._code

    @property
    def blocked(self) -> bool:
        """Whether the next message has to wait because the client does not read."""
        return self._room == 0 and not self._gone

    @property
    def done(self) -> bool:
        """Whether the app has returned."""
        return self._task is not None and self._task.done()

    def start(self) -> Conversation:
        """Open the connection: the app runs in a task of its own. Returns itself."""
        self._task = asyncio.get_running_loop().create_task(
            self._run(), context=contextvars.Context(), name=self.name
        )
        return self

    def say(self, content: Any) -> None:
        """Send *content* to the app: text, bytes, or anything else as JSON."""
        if isinstance(content, bytes):
            message: Message = {"type": "websocket.receive", "bytes": content}
        else:
            text = content if isinstance(content, str) else json_text.dumps(content)
            message = {"type": "websocket.receive", "text": text}
        self._wire.append(message)
        self._read()

    def stop_reading(self, room: int = 0) -> None:
        """Stop reading. *room* messages fit into the buffers, then `send` waits."""
        self._room = room

    def read(self) -> None:
        """Read again, as fast as the app sends."""
        self._room = None
        self._condition.notify_all()

    def leave(self, code: int | None = 1000) -> None:
        """Close the connection with *code*, or let it break without a close frame."""
        if self._code is None:
            self._code = ABNORMAL if code is None else code
        self._left = True
        seen = 1005 if code is None else code
        self._wire.append({"type": "websocket.disconnect", "code": seen, "reason": ""})
        self._read()

    def cancel(self) -> None:
        """Cancel the app's task for this connection."""
        if self._task is not None:
            self._task.cancel()

    async def finished(self) -> None:
        """Wait until the app has returned. What it raised, if anything, is in `error`.

        Raises:
            TimeLimitExceeded: if it did not return within the outer limit.

        """
        await self._condition.wait_for(lambda: self.done, f"{self.name} never ended.")

    def _read(self, *, even_if_paused: bool = False) -> None:
        """Let the server read from the connection until it has an unread message."""
        unread = any(it["type"] == "websocket.receive" for it in self._queue)
        while self._wire and (even_if_paused or not unread):
            message = self._wire.popleft()
            unread = True
            if message["type"] == "websocket.disconnect":
                self._gone = True
                if not self.accepted:
                    message["code"] = ABNORMAL
            if not even_if_paused or self._gone:
                self._queue.append(message)
        self._condition.notify_all()

    async def _run(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.add_done_callback(self._end)
        try:
            await self._app(self._scope, self._receive, self._send)
        except asyncio.CancelledError as exc:
            self.error = exc
            raise
        except Exception as exc:  # noqa: BLE001 -- told by `error`; the test decides
            self.error = exc

    def _end(self, task: object) -> None:
        """Close the connection, because the app has returned."""
        self._gone = True
        self._condition.notify_all()

    async def _receive(self) -> Message:
        await self._condition.until(lambda: bool(self._queue))
        message = self._queue.popleft()
        self._read()
        return message

    async def _send(self, message: Message) -> None:
        self.held_up.append(message["type"])
        try:
            await self._condition.until(lambda: not self.blocked)
        finally:
            self.held_up.remove(message["type"])
        if self._gone:
            self.lost.append(message)
            raise ClientDisconnectedError
        self._take(message)
        self._condition.notify_all()

    def _take(self, message: Message) -> None:
        """Take a message of the app as uvicorn takes it in this state."""
        kind = message["type"]
        if self._refused or (self._code is not None and not self._left):
            raise RuntimeError(f"Unexpected ASGI message {kind!r} after the end.")
        if not self.accepted:
            self._answer(message)
        elif kind == "websocket.close":
            code = message.get("code", 1000)
            self._queue.append({"type": "websocket.disconnect", "code": code})
            self._code = code if self._code is None else self._code
        elif kind != "websocket.send":
            raise RuntimeError(f"Unexpected ASGI message {kind!r}.")
        if self._left:
            self.lost.append(message)
            # Only a connection that breaks answers what is sent to it.
            if self._code == ABNORMAL:
                self._read(even_if_paused=True)
            return
        if self._room:
            self._room -= 1
        self.messages.append(message)

    def _answer(self, message: Message) -> None:
        """Note how the app answers the handshake."""
        kind = message["type"]
        if kind == "websocket.accept":
            self.accepted = True
        elif kind == "websocket.close":
            self._status = 403
        elif kind == "websocket.http.response.start":
            self._status = int(message["status"])
            return
        elif kind != "websocket.http.response.body" or self._status is None:
            raise RuntimeError(f"Unexpected ASGI message {kind!r} before `accept`.")
        if not self.accepted and not message.get("more_body"):
            self._refused = True
            self._queue.append({"type": "websocket.disconnect", "code": ABNORMAL})


def conversation(
    app: HasAsgi | Asgi,
    path: str,
    *,
    headers: Headers = (),
    client: tuple[str, int] = ("127.0.0.1", 50000),
) -> Conversation:
    """Open a WebSocket to *path* of *app* and return it at once.

    *headers* are a mapping, or pairs where a header is sent more than once. A browser
    adds `Origin`; this client does not.

    Needs a running event loop. Nothing has to be cleaned up: a connection that is still
    open when the app is unloaded is cancelled.
    """
    pairs = [*(headers.items() if isinstance(headers, Mapping) else headers)]
    names = {name.lower() for name, _ in pairs}
    handshake = (
        ("host", "box-office"),
        ("upgrade", "websocket"),
        ("connection", "Upgrade"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    )
    pairs = [it for it in handshake if it[0] not in names] + pairs
    scope: Message = {
        **scope_of(path, pairs, client),
        "type": "websocket",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "scheme": "ws",
        "subprotocols": [],
        "extensions": {"websocket.http.response": {}},
    }
    asgi = app.asgi if hasattr(app, "asgi") else app
    return Conversation(asgi, scope).start()
