"""An imitation of Redis for Windows, which has no wheel of a real one."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from workshop.processes.loopback import bracketed, family_of, loopback
from workshop.services.service import Service


@contextmanager
def imitation_of_redis() -> Iterator[Service]:
    """Provide a server, in a thread of this process, that responds as Redis would.

    It supports what the lessons use, but has no INFO, and its CLIENT LIST is made up,
    so connections cannot be counted by asking it. Needs fakeredis.
    """
    from fakeredis import (  # type: ignore[import-not-found,unused-ignore]  # Windows
        TcpFakeServer,
    )

    host = loopback()

    class PromptServer(TcpFakeServer):  # type: ignore[misc,unused-ignore]  # Windows
        """Sends each response at once, as Redis does.

        Otherwise (Nagle's algorithm) the second of two short responses waits about
        40 ms for the client's acknowledgement of the first. With a manual clock the
        client's timeout would have passed by then.
        """

        address_family = family_of(host)

        def get_request(self) -> tuple[socket.socket, Any]:
            connection, address = super().get_request()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return connection, address

    server = PromptServer((host, 0), server_type="valkey")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        url = f"redis://{bracketed(host)}:{server.server_address[1]}"
        yield Service(url, "redis", "imitation of Redis (fakeredis)")
    finally:
        server.shutdown()
        server.server_close()
