"""The open streams. Sending to them never waits for a client.

Patterns of lessons 05 (a stream releases its resources when its client disconnects)
and 09 (a bounded buffer per client, so a slow client does not delay the others).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager

from workshop.room.server.sse import BYE, KEEP_ALIVE, RETRY

_BUFFERED = 64
"""The number of events that may be buffered for a slow client."""


class FullError(Exception):
    """The server has reached its limit of open streams."""


class Stream:
    """The events that one client has not received yet.

    If the buffer overflows, all of it is dropped, and the client gets a *snapshot* of
    the current state instead.
    """

    def __init__(self, snapshot: Callable[[], bytes]) -> None:
        self._snapshot = snapshot
        self._waiting: deque[bytes] = deque()
        self._is_behind = False
        self._is_closed = False
        self._news = asyncio.Event()

    def put(self, data: bytes) -> None:
        """Buffer *data* for the client. Never waits."""
        if len(self._waiting) >= _BUFFERED:
            self._waiting.clear()
            self._is_behind = True
        if not self._is_behind:
            self._waiting.append(data)
        self._news.set()

    def close(self) -> None:
        """End the stream with a `bye` event."""
        self._is_closed = True
        self._news.set()

    async def chunks(self, first: bytes) -> AsyncIterator[bytes]:
        """Yield *first* and then the buffered events, until the stream is closed."""
        yield RETRY + first
        while not self._is_closed:
            await self._news.wait()
            self._news.clear()
            if self._is_behind:
                self._is_behind = False
                yield self._snapshot()
            elif self._waiting:
                data = b"".join(self._waiting)
                self._waiting.clear()
                yield data
        yield BYE


class Streams:
    """All open streams, by channel. At most *limit* are open at a time."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._channels: dict[str, set[Stream]] = {}
        self._number = 0
        self._is_closed = False

    def __len__(self) -> int:
        """Return the number of open streams."""
        return self._number

    @property
    def is_full(self) -> bool:
        """Whether no more streams can be opened."""
        return self._number >= self._limit or self._is_closed

    def channels(self, prefix: str) -> list[str]:
        """Return the channels with this *prefix* that have subscribers."""
        return [name for name in self._channels if name.startswith(prefix)]

    @contextmanager
    def opened(
        self, channels: tuple[str, ...], snapshot: Callable[[], bytes]
    ) -> Iterator[Stream]:
        """Open a stream that is subscribed to *channels*, and close it at the end.

        Raises:
            FullError: The limit is reached, or the server is shutting down.

        """
        if self.is_full:
            raise FullError
        stream = Stream(snapshot)
        self._number += 1
        for name in channels:
            self._channels.setdefault(name, set()).add(stream)
        try:
            yield stream
        finally:
            self._number -= 1
            for name in channels:
                self._channels[name].discard(stream)
                if not self._channels[name]:
                    del self._channels[name]

    def send(self, channel: str, data: bytes) -> None:
        """Send *data* to every stream of *channel*."""
        for stream in self._channels.get(channel, ()):
            stream.put(data)

    def keep_alive(self) -> None:
        """Send an event to every stream, so that no proxy closes it as idle."""
        for stream in self._all():
            stream.put(KEEP_ALIVE)

    def close(self) -> None:
        """End every stream and reject new ones. Calling it again is safe."""
        self._is_closed = True
        for stream in self._all():
            stream.close()

    def _all(self) -> set[Stream]:
        return {stream for streams in self._channels.values() for stream in streams}
