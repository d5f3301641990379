"""Redis in virtual time: a real server whose replies take a modelled time.

A socket works in real time. Here, a command is sent at once, over a socket that the
loop does not know. Its reply is read after a small, known time.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from workshop.private_apis.event_loop import PulledReader

REPLY_SECONDS = 0.0005
_PATIENCE_SECONDS = 10.0


class _Replies(PulledReader):
    """The server's replies, which are read when the client wants them."""

    def __init__(self, connection: socket.socket, other: socket.socket) -> None:
        super().__init__()
        self._connection = connection
        self._other = other

    async def pull(self) -> None:
        """Read the server's data, after the modelled time."""
        await asyncio.sleep(REPLY_SECONDS)
        self._let_server_reply()
        if data := self._connection.recv(65_536):
            self.feed_data(data)
        else:
            self.feed_eof()

    def _let_server_reply(self) -> None:
        """Return when the server has replied to all commands so far.

        Otherwise it would depend on chance how many of several replies are there, and
        pictures would differ. The server visits its connections in turn. The first
        reply on the other connection may belong to the previous turn. The second one is
        later than all replies on this connection.
        """
        for _ in range(2):
            self._other.sendall(b"PING\r\n")
            said = b""
            while not said.endswith(b"\n"):
                part = self._other.recv(100)
                if not part:
                    return  # it has closed both connections
                said += part


class _Commands:
    """The other direction: the part of `StreamWriter` that redis-py uses."""

    def __init__(self, connection: socket.socket, other: socket.socket) -> None:
        self._connections = connection, other
        self.transport = self

    def get_extra_info(self, name: str) -> None:
        """Return None, because there is no transport."""

    def writelines(self, data: Iterable[bytes]) -> None:
        """Send *data* at once."""
        self._connections[0].sendall(b"".join(data))

    async def drain(self) -> None:
        """Return at once, because everything has been sent."""

    def close(self) -> None:
        """Close both connections."""
        for connection in self._connections:
            connection.close()

    async def wait_closed(self) -> None:
        """Return at once, because both connections are closed."""


async def _connect(host: str, port: int, **_: Any) -> tuple[_Replies, _Commands]:
    await asyncio.sleep(REPLY_SECONDS)
    address = host, port
    connection = socket.create_connection(address, _PATIENCE_SECONDS)
    other = socket.create_connection(address, _PATIENCE_SECONDS)
    return _Replies(connection, other), _Commands(connection, other)


@contextmanager
def modelled_redis() -> Iterator[None]:
    """Model the Redis connections that are opened in the block."""
    with mock.patch("asyncio.open_connection", _connect):
        yield
