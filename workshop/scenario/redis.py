"""Redis in virtual time: a real server, whose replies take a modelled time.

A socket lives in real time. Here a command is sent at once, over a socket that the loop
does not know, and its reply is read after a small, known time.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from workshop.private_apis.event_loop import PulledReader

ANSWER_SECONDS = 0.0005
_PATIENCE_SECONDS = 10.0


class _Answers(PulledReader):
    """The server's replies, read when a client wants them."""

    def __init__(self, line: socket.socket, other: socket.socket) -> None:
        super().__init__()
        self._line = line
        self._other = other

    async def pull(self) -> None:
        """Read what the server has sent, a modelled moment later."""
        await asyncio.sleep(ANSWER_SECONDS)
        self._let_server_answer()
        if data := self._line.recv(65_536):
            self.feed_data(data)
        else:
            self.feed_eof()

    def _let_server_answer(self) -> None:
        """Return when the server has answered all that it was asked so far.

        Of several answers one or all may be there at once, by chance, and a picture
        would differ. The server looks at its lines in turns. The first answer on
        the other line may be of the turn before; after the second it is certain.
        """
        for _ in range(2):
            self._other.sendall(b"PING\r\n")
            said = b""
            while not said.endswith(b"\n"):
                part = self._other.recv(100)
                if not part:
                    return  # it has hung up, and will have done so here as well
                said += part


class _Commands:
    """The other direction, as far as redis-py uses a StreamWriter."""

    def __init__(self, line: socket.socket, other: socket.socket) -> None:
        self._lines = line, other
        self.transport = self

    def get_extra_info(self, name: str) -> None:
        """Know nothing: there is no transport."""

    def writelines(self, data: Iterable[bytes]) -> None:
        """Send *data* at once."""
        self._lines[0].sendall(b"".join(data))

    async def drain(self) -> None:
        """Have nothing left to send."""

    def close(self) -> None:
        """Hang up."""
        for line in self._lines:
            line.close()

    async def wait_closed(self) -> None:
        """Have hung up already."""


async def _connect(host: str, port: int, **_: Any) -> tuple[_Answers, _Commands]:
    await asyncio.sleep(ANSWER_SECONDS)
    address = host, port
    line = socket.create_connection(address, _PATIENCE_SECONDS)
    other = socket.create_connection(address, _PATIENCE_SECONDS)
    return _Answers(line, other), _Commands(line, other)


@contextmanager
def modelled_redis() -> Iterator[None]:
    """Model the connections that are opened in the block."""
    with mock.patch("asyncio.open_connection", _connect):
        yield
