"""An imitation of Redis, for systems that have no wheel of a real one: Windows."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from workshop.services.service import Service


@contextmanager
def imitation_of_redis() -> Iterator[Service]:
    """Give a server in a thread of this process that answers as Redis would.

    It does what the lessons ask of Redis, but it has no INFO, and its CLIENT LIST
    is made up: connections cannot be counted by asking it. Needs fakeredis.
    """
    from fakeredis import (  # type: ignore[import-not-found,unused-ignore]  # Windows
        TcpFakeServer,
    )

    server = TcpFakeServer(("127.0.0.1", 0), server_type="valkey")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        url = f"redis://127.0.0.1:{server.server_address[1]}"
        yield Service(url, "redis", "imitation of Redis (fakeredis)")
    finally:
        server.shutdown()
        server.server_close()
