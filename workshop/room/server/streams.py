"""The open streams: who gets what, without waiting for anyone.

Patterns of lessons 05 (a stream releases what it holds when its client leaves) and 09
(a bounded buffer per client; a slow client loses its place, not everybody's time).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager

from workshop.room.server.sse import BYE, KEEP_ALIVE, RETRY

_BUFFERED = 64
"""How many events may wait for a slow client."""


class FullError(Exception):
    """There are as many streams as the server allows."""


class Stream:
    """What one client has still to get.

    If too much waits for it, everything is dropped, and the client gets a *snapshot*
    of the present state instead.
    """

    def __init__(self, snapshot: Callable[[], bytes]) -> None:
        self._snapshot = snapshot
        self._waiting: deque[bytes] = deque()
        self._is_behind = False
        self._is_closed = False
        self._news = asyncio.Event()

    def put(self, data: bytes) -> None:
        """Send *data* to the client as soon as it can take it. Never waits."""
        if len(self._waiting) >= _BUFFERED:
            self._waiting.clear()
            self._is_behind = True
        if not self._is_behind:
            self._waiting.append(data)
        self._news.set()

    def close(self) -> None:
        """Say good-bye to the client, and end the stream."""
        self._is_closed = True
        self._news.set()

    async def chunks(self, first: bytes) -> AsyncIterator[bytes]:
        """Yield *first*, then what is put, until the stream is closed."""
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
        """Return the channels with that *prefix* to which somebody listens."""
        return [name for name in self._channels if name.startswith(prefix)]

    @contextmanager
    def opened(
        self, channels: tuple[str, ...], snapshot: Callable[[], bytes]
    ) -> Iterator[Stream]:
        """Open a stream that gets everything sent to one of *channels*.

        Raises:
            FullError: The limit is reached, or the server is about to stop.

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
        """Send every stream a comment, so that no proxy takes it for dead."""
        for stream in self._all():
            stream.put(KEEP_ALIVE)

    def close(self) -> None:
        """End every stream, and open no more. May be called twice."""
        self._is_closed = True
        for stream in self._all():
            stream.close()

    def _all(self) -> set[Stream]:
        return {stream for streams in self._channels.values() for stream in streams}
