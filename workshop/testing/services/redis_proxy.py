"""A proxy between an app and Redis that can hold a reply or break the connection."""

from __future__ import annotations

import contextlib
import select
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Self

from workshop.processes.loopback import family_of, loopback
from workshop.services.address import read_redis
from workshop.testing.reporting.failures import TimeLimitExceeded
from workshop.testing.sync.gate import Gate

# What a client sends when it connects, before any command of the app.
_GREETINGS = frozenset(
    {b"HELLO", b"AUTH", b"SELECT", b"CLIENT", b"PING", b"INFO", b"COMMAND"}
)


class RedisProxy(socketserver.ThreadingTCPServer):
    """Passes on what an app and Redis send, until the test interferes.

    It runs in threads of its own, so it works even if the app blocks the event loop.
    Use it in a `with` block, and give the app its `url` instead of the server's.

    Attributes:
        url: the address that leads to Redis through this proxy.
        connections: how many connections the app has made.

    """

    daemon_threads = True

    def __init__(self, url: str) -> None:
        """Forward to the Redis at *url*."""
        host = loopback()
        self.address_family = family_of(host)
        super().__init__((host, 0), _Connection)
        redis = read_redis(url)
        self.url = replace(redis, host=host, port=self.server_address[1]).url()
        self.connections = 0
        self._redis = (redis.host, redis.port)
        self._open: set[socket.socket] = set()
        self._remaining = 0
        self._passes: Callable[[], bool] = lambda: True
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def __enter__(self) -> Self:
        """Return the proxy; it closes at the end of the block."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close the proxy."""
        self.close()

    @property
    def open_connections(self) -> int:
        """How many connections of the app are open now."""
        return len(self._open)

    @contextmanager
    def hold(self, command: int = 1) -> Iterator[Gate]:
        """Hold the reply to the app's *command*-th command from now on at a gate."""
        gate = Gate("Redis's answer")
        with gate, self._disturb(command, lambda: gate.blocking() is None):
            yield gate

    @contextmanager
    def cut(self, command: int = 1) -> Iterator[None]:
        """Break the connection in place of the reply to that command.

        Redis has carried it out, but the app does not know that.
        """
        with self._disturb(command, lambda: False):
            yield

    def close(self) -> None:
        """Break every connection and accept no more, like a server that has died."""
        self.shutdown()
        self.server_close()
        for end in list(self._open):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    @contextmanager
    def _disturb(self, command: int, passes: Callable[[], bool]) -> Iterator[None]:
        self._passes, self._remaining = passes, command
        try:
            yield
        finally:
            self._remaining = 0

    def _passes_on(self) -> bool:
        """Return whether the reply that has come may go on to the app."""
        self._remaining -= 1
        return self._remaining != 0 or self._passes()


class _Connection(socketserver.BaseRequestHandler):
    """One connection through the proxy, in a thread of its own."""

    server: RedisProxy

    def handle(self) -> None:
        """Pass on data in both directions until one side or the proxy closes."""
        proxy, app = self.server, self.request
        with (
            contextlib.suppress(OSError, TimeLimitExceeded),
            socket.create_connection(proxy._redis) as redis,
        ):
            proxy.connections += 1
            proxy._open.add(app)
            asked = False
            while True:
                for end in select.select([app, redis], [], [])[0]:
                    data = end.recv(65_536)
                    if end is app:
                        command = data.split(b"\r\n", 3)[2:3]
                        asked = bool(command) and command[0].upper() not in _GREETINGS
                    elif asked:
                        asked = False
                        if not proxy._passes_on():
                            return
                    if not data:
                        return
                    (redis if end is app else app).sendall(data)

    def finish(self) -> None:
        """Forget the connection."""
        self.server._open.discard(self.request)
