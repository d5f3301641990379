"""Server-sent events, parsed from the bytes of a response.

The rules are those of https://html.spec.whatwg.org/multipage/server-sent-events.html.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

LARGEST_EVENT = 64 * 1024
"""The maximum size of an event in bytes. Larger events are skipped."""

_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class ServerEvent:
    """One event: its name, its data, and the last id in the stream so far."""

    name: str
    data: str
    id: str


class EventStream:
    """Parses a stream of events, fed in chunks of any size.

    Attributes:
        last_id: The last id in the stream so far, for `Last-Event-ID`.
        retry_seconds: The pause before a reconnect that the server has asked for, or
            None.

    """

    def __init__(self, last_id: str = "", largest: int = LARGEST_EVENT) -> None:
        self.last_id = last_id
        self.retry_seconds: float | None = None
        self._largest = largest
        self._line = bytearray()
        self._line_is_empty = True
        self._size = 0
        self._is_first_line = True
        self._ended_with_cr = False
        self._id = last_id
        self._name = ""
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> Iterator[ServerEvent]:
        """Yield the events that end in *chunk*."""
        if not chunk:
            return
        if self._ended_with_cr:
            chunk = chunk.removeprefix(b"\n")
        self._ended_with_cr = chunk.endswith(b"\r")
        # Line ends are ASCII, so a chunk can be split before it is decoded.
        *ended, rest = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        for piece in ended:
            self._add(piece)
            event = self._end_line()
            if event is not None:
                yield event
        self._add(rest)

    def _add(self, piece: bytes) -> None:
        self._size += len(piece)
        self._line_is_empty = self._line_is_empty and not piece
        if self._size <= self._largest:
            self._line += piece

    def _end_line(self) -> ServerEvent | None:
        line, self._line = bytes(self._line), bytearray()
        is_empty, self._line_is_empty = self._line_is_empty, True
        if self._is_first_line:
            self._is_first_line = False
            line = line.removeprefix(_BOM)
            is_empty = not line
        is_too_large = self._size > self._largest
        if is_empty:
            return self._end_event(is_too_large)
        if line.startswith(b":") and not is_too_large:
            self._size -= len(line)  # a comment, which keeps the connection open
        elif not is_too_large:
            self._take(line.decode("utf-8", errors="replace"))
        return None

    def _end_event(self, is_too_large: bool) -> ServerEvent | None:
        name, data = self._name, self._data
        self._name, self._data, self._size = "", [], 0
        self.last_id = self._id
        if is_too_large or not data:
            return None
        return ServerEvent(name or "message", "\n".join(data), self._id)

    def _take(self, line: str) -> None:
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            self._data.append(value)
        elif field == "event":
            self._name = value
        elif field == "id" and "\0" not in value:
            self._id = value
        elif field == "retry" and value.isascii() and value.isdecimal():
            self.retry_seconds = int(value[:9]) / 1000
