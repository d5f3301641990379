"""A room that does what its test says: it answers, is silent, or talks nonsense."""

from __future__ import annotations

import json
import queue
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SECONDS = 60.0
"""An outer limit that turns a hang into a message."""

CODE = "K7QF"


@dataclass(frozen=True)
class Request:
    """A request that has arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events of a batch."""
        found: list[dict[str, Any]] = json.loads(self.body)["events"]
        return found

    @property
    def ids(self) -> list[str]:
        """The ids of the events of a batch, without heartbeats."""
        return [it["id"] for it in self.events if it["kind"] != "heartbeat"]


@dataclass
class Reply:
    """A response: its status, its JSON or raw body, and further headers."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes = b""
    kind: str = "application/json"


LOST = Reply(-1)
"""The room does what was asked, but its response is lost."""


def garbage(raw: bytes) -> Reply:
    """Return a response that is not HTTP."""
    return Reply(0, raw=raw)


class FakeRoom:
    """The server, its learners, and every request so far.

    Attributes:
        replies: What to reply to the next requests for a path, instead of the usual.
        stored: The events by id, in the order in which they arrived first.
        learners: The tokens of those who have joined, by learner id.
        gate: Every response waits until it is open, as it is at first.

    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.replies: dict[str, list[Reply]] = {}
        self.stored: dict[str, dict[str, Any]] = {}
        self.learners: dict[str, str] = {}
        self.names: dict[str, str] = {}
        self.gate = threading.Event()
        self.gate.set()
        self.streams: list[queue.SimpleQueue[bytes | None]] = []
        self._changed = threading.Condition()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), daemon=True
        )

    @property
    def address(self) -> str:
        """Its address, as learners type it."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def open(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def close(self) -> None:
        """Stop, and let everyone go who waits."""
        self.gate.set()
        self.end_streams()
        self._server.shutdown()
        self._server.server_close()

    # What tests do

    def until(self, happened: Callable[[], bool]) -> None:
        """Wait until something has *happened* in the room."""
        with self._changed:
            assert self._changed.wait_for(happened, SECONDS), self.requests

    def until_request(self, method: str, path: str, number: int = 1) -> Request:
        """Wait for a request, and return it."""
        self.until(lambda: len(self.of(method, path)) >= number)
        return self.of(method, path)[number - 1]

    def until_stored(self, number: int) -> list[dict[str, Any]]:
        """Wait until this many events are stored, without heartbeats."""
        self.until(lambda: len(self.stored) >= number)
        return list(self.stored.values())

    def of(self, method: str, path: str) -> list[Request]:
        """Return the requests so far for *path*."""
        return [it for it in self.requests if (it.method, it.path) == (method, path)]

    def kinds(self) -> list[str]:
        """Return the kinds of the stored events."""
        return [str(it["kind"]) for it in self.stored.values()]

    def reply(self, path: str, *replies: Reply) -> None:
        """Give these *replies* to the next requests for *path*."""
        self.replies.setdefault(path, []).extend(replies)

    def tell(self, name: str, data: Any, id: str = "") -> None:
        """Send an event to every open stream; wait for one first."""
        self.until(lambda: bool(self.streams))
        lines = [f"event: {name}", f"data: {json.dumps(data)}"]
        lines += [f"id: {id}"] if id else []
        for stream in self.streams:
            stream.put(("\n".join(lines) + "\n\n").encode())

    def end_streams(self) -> None:
        """Close every open stream."""
        with self._changed:
            streams, self.streams = self.streams, []
        for stream in streams:
            stream.put(None)

    # What the server does

    def _note(self, request: Request) -> None:
        with self._changed:
            self.requests.append(request)
            self._changed.notify_all()

    def _usual(self, request: Request) -> Reply:
        if request.path == "/api/join":
            return self._join(json.loads(request.body))
        learner, _, token = (
            request.headers.get("authorization", "").removeprefix("Bearer ")
        ).partition(".")
        if self.learners.get(learner) != token:
            return Reply(401, {"detail": "The room does not know you."})
        if request.method == "DELETE":
            del self.learners[learner]
            return Reply(204)
        new = 0
        for event in request.events:
            if event["kind"] != "heartbeat" and event["id"] not in self.stored:
                self.stored[event["id"]] = event
                new += 1
        return Reply(200, {"new": new})

    def _join(self, wanted: dict[str, Any]) -> Reply:
        if wanted["code"] != CODE:
            return Reply(403, {"detail": "Wrong code."})
        if self.learners.get(wanted["learner"], wanted["token"]) != wanted["token"]:
            return Reply(409, {"detail": "Taken."})
        self.learners[wanted["learner"]] = wanted["token"]
        self.names[wanted["learner"]] = wanted["name"]
        return Reply(200, {"room": "Monday", "more": "of a newer room"})

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        room = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _do(self) -> None:
                length = int(self.headers.get("content-length", 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                body = self.rfile.read(length)
                request = Request(self.command, self.path, headers, body)
                room._note(request)
                room.gate.wait(SECONDS)
                waiting = room.replies.get(self.path, [])
                if waiting:
                    reply = waiting.pop(0)
                    if reply is LOST:
                        room._usual(request)
                elif self.path == "/api/stream":
                    self._stream(request)
                    return
                else:
                    reply = room._usual(request)
                self._send(reply)
                with room._changed:
                    room._changed.notify_all()

            do_GET = do_POST = do_DELETE = _do  # noqa: N815 -- the library's names

            def _send(self, reply: Reply) -> None:
                if reply.status <= 0:
                    self.wfile.write(reply.raw)
                    self.close_connection = True
                    return
                body = reply.raw
                if reply.body is not None:
                    body = json.dumps(reply.body).encode()
                self.send_response(reply.status)
                self.send_header("Content-Type", reply.kind)
                if reply.status != 204:
                    self.send_header("Content-Length", str(len(body)))
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def _stream(self, request: Request) -> None:
                learner = request.headers["authorization"].removeprefix("Bearer ")
                if learner.partition(".")[0] not in room.learners:
                    self._send(Reply(401, {"detail": "The room does not know you."}))
                    return
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(b": welcome\n\n")
                stream: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
                with room._changed:
                    room.streams.append(stream)
                    room._changed.notify_all()
                while (chunk := stream.get(timeout=SECONDS)) is not None:
                    self.wfile.write(chunk)
                self.close_connection = True

            def log_message(self, format: str, *args: Any) -> None:
                pass

        return Handler


@contextmanager
def opened_room() -> Iterator[FakeRoom]:
    """Yield a room that serves."""
    room = FakeRoom()
    room.open()
    try:
        yield room
    finally:
        room.close()


@contextmanager
def silent_address() -> Iterator[str]:
    """Yield an address where connections are accepted, but never answered."""

    class Silent(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            released.wait(SECONDS)

    released = threading.Event()
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Silent) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            released.set()
            server.shutdown()
            thread.join()
