"""Connections that lead to a function in the same loop, and no further."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

Session = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""Serves one connection, as for ``asyncio.start_server``."""


class Wire(asyncio.Transport):
    """One end of a connection: what is written arrives at the other end."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, protocol: asyncio.BaseProtocol
    ) -> None:
        """Belong to *protocol*; `connect` makes a pair of them."""
        super().__init__()
        self._loop, self._protocol = loop, protocol
        self._other: Wire | None = None
        self._closing = self._paused = self._ended = False
        self._kept: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Let *data* arrive in the loop's next turn."""
        if self._other is not None and not self._closing and data:
            self._loop.call_soon(self._other.receive, bytes(data))

    def receive(self, data: bytes) -> None:
        """Hand *data* to the protocol, or keep it while reading pauses."""
        if self._paused:
            self._kept.append(data)
        elif not self._closing and isinstance(self._protocol, asyncio.Protocol):
            self._protocol.data_received(data)

    def pause_reading(self) -> None:
        """Keep what arrives."""
        self._paused = True

    def resume_reading(self) -> None:
        """Hand on what was kept, and what arrives."""
        self._paused = False
        kept, self._kept = self._kept, []
        for data in kept:
            self.receive(data)
        if self._ended:
            self.end()

    def is_reading(self) -> bool:
        """Tell whether reading goes on."""
        return not self._paused and not self._closing

    def close(self) -> None:
        """End both ends."""
        if self._closing:
            return
        self._closing = True
        self._loop.call_soon(self._protocol.connection_lost, None)
        if self._other is not None:
            self._loop.call_soon(self._other.end)

    abort = close

    def end(self) -> None:
        """Close because the other end did, once all that came is read."""
        self._ended = True
        if not self._kept:
            self.close()

    def is_closing(self) -> bool:
        """Tell whether it is closed."""
        return self._closing

    def can_write_eof(self) -> bool:
        """Tell that one end cannot be closed alone."""
        return False

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return whose transport it is."""
        return self._protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Belong to another protocol from now on."""
        self._protocol = protocol

    def get_write_buffer_size(self) -> int:
        """Tell that nothing is kept here."""
        return 0


def connect(
    loop: asyncio.AbstractEventLoop,
    protocol: Any,
    session: Session,
) -> Wire:
    """Connect *protocol* with a new *session*, and return the client's end."""
    reader = asyncio.StreamReader(loop=loop)
    server = asyncio.StreamReaderProtocol(reader, session, loop=loop)
    here, there = Wire(loop, protocol), Wire(loop, server)
    here._other, there._other = there, here
    server.connection_made(there)
    protocol.connection_made(here)
    return here
