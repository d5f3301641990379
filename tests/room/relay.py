"""A network between a browser and the room that a test can cut or silence."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine, Iterator
from typing import Any

from tests.room.serving import RunningRoom


class Relay:
    """Passes bytes to the room, until its network fails.

    Browsers that a test sets offline keep the connections that are open already.
    """

    def __init__(self, room: RunningRoom) -> None:
        self._room = room
        self._is_cut = False
        self._connections: set[_Connection] = set()
        starting = asyncio.start_server(self._accept, "127.0.0.1", 0)
        self._server = self._run(starting)
        port = self._server.sockets[0].getsockname()[1]
        self.address = f"http://127.0.0.1:{port}"

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._room.loop).result()

    async def _accept(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if self._is_cut:
            writer.transport.abort()
            return
        upstream = await asyncio.open_connection("127.0.0.1", self._room.port)
        connection = _Connection((reader, writer), upstream)
        self._connections.add(connection)
        await connection.run()
        self._connections.discard(connection)

    def cut(self) -> None:
        """End all connections, and refuse new ones."""

        async def work() -> None:
            self._is_cut = True
            for connection in self._connections:
                connection.end()

        self._run(work())

    def mend(self) -> None:
        """Accept new connections again."""
        self._is_cut = False

    def silence(self) -> None:
        """Leave all connections open, but pass nothing more through them.

        That is what remains of a connection when a router forgets it. New ones work.
        """
        for connection in self._connections:
            connection.is_silent = True

    def close(self) -> None:
        """End everything."""
        self.cut()

        async def work() -> None:
            self._server.close()

        self._run(work())


class _Connection:
    def __init__(
        self,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        server: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        self.is_silent = False
        self._client = client
        self._server = server

    async def run(self) -> None:
        """Pass bytes both ways, until one side ends."""
        ways = [(self._client, self._server), (self._server, self._client)]
        try:
            await asyncio.gather(*[self._pass(a[0], b[1]) for a, b in ways])
        finally:
            self.end()

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                if not self.is_silent:
                    writer.write(data)
                    await writer.drain()
        if not self.is_silent:
            self.end()

    def end(self) -> None:
        """End both sides at once."""
        for _, writer in (self._client, self._server):
            writer.transport.abort()


@contextlib.contextmanager
def relayed(room: RunningRoom) -> Iterator[Relay]:
    """Put a relay before *room* in the block."""
    relay = Relay(room)
    try:
        yield relay
    finally:
        relay.close()
