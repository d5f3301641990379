"""Ports of this machine, for servers of the workshop."""

from __future__ import annotations

import socket


def free_port() -> int:
    """Return a free port of this machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def is_taken(port: int) -> bool:
    """Return whether a server accepts connections at *port* of this machine."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False
