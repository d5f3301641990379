"""A connection to a server that does only what the test says.

Every HTTP and WebSocket library reads by itself. A client that has stopped reading, or
that vanishes without a word, needs a bare socket.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from workshop.processes.loopback import family_of
from workshop.testing.app.server import Server
from workshop.testing.time.limits import fail_after

_RECEIVE_BUFFER = 4096
_AT_ONCE = 65_536


class RawConnection:
    """A TCP connection that neither reads nor closes by itself."""

    def __init__(self, connected: socket.socket) -> None:
        """Wrap *connected*. Use `raw_connection` instead."""
        self._socket = connected

    async def send(self, data: bytes) -> None:
        """Send *data*: a whole request, or a part of one.

        Raises:
            TimeLimitExceeded: if the server did not take it within the outer limit.

        """
        await fail_after(
            asyncio.get_running_loop().sock_sendall(self._socket, data),
            never="The server stopped reading what the client sent.",
        )

    async def read(self, until: bytes) -> bytes:
        """Return what the server has sent, up to and including *until*.

        If the server closes the connection first, return what there was.

        Raises:
            TimeLimitExceeded: if *until* did not arrive within the outer limit.

        """
        return await fail_after(
            self._read(until), never=f"The server never sent {until!r}."
        )

    async def _read(self, until: bytes) -> bytes:
        received = bytearray()
        while until not in received[-len(until) - _AT_ONCE :]:
            data = await asyncio.get_running_loop().sock_recv(self._socket, _AT_ONCE)
            if not data:
                break
            received += data
        return bytes(received)

    def close(self) -> None:
        """Close it, as a client does that leaves."""
        self._socket.close()

    def reset(self) -> None:
        """Break it off without a farewell, as a client does that has crashed."""
        at_once = struct.pack("ii", 1, 0)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        self._socket.close()


@asynccontextmanager
async def raw_connection(
    server: Server, *, receive_buffer: int = _RECEIVE_BUFFER
) -> AsyncIterator[RawConnection]:
    """Connect to *server* for the length of the block.

    *receive_buffer* is how many bytes the system may accept before the test reads them.
    The system may choose a larger number.
    """
    with socket.socket(family_of(server.host)) as connected:
        connected.setblocking(False)
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        await asyncio.get_running_loop().sock_connect(
            connected, (server.host, server.port)
        )
        yield RawConnection(connected)
