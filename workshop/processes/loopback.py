"""The loopback address of this machine: that of IPv4, or of IPv6 where only it exists.

Some containers and hardened machines have no 127.0.0.1. Everything that listens or
connects on this machine itself asks here for the address.
"""

from __future__ import annotations

import socket

_ADDRESSES = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))


class LoopbackError(OSError):
    """This machine cannot connect to itself."""


def loopback() -> str:
    """Return this machine's loopback address, preferably that of IPv4.

    Raises:
        LoopbackError: if it has none that accepts connections.

    """
    for family, host in _ADDRESSES:
        try:
            with socket.socket(family) as listener, socket.socket(family) as client:
                # If the interface is down, listening works but connecting fails.
                listener.bind((host, 0))
                listener.listen()
                client.connect(listener.getsockname())
        except OSError:
            continue
        return host
    raise LoopbackError(
        "This machine can connect to itself neither on 127.0.0.1 nor on ::1. Enable "
        "the loopback interface (`ip link set lo up`), and let the firewall or VPN "
        "allow local connections."
    )


def family_of(host: str) -> socket.AddressFamily:
    """Return the address family of the IP address *host*."""
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def bracketed(host: str) -> str:
    """Return *host* as it is written in a URL."""
    return f"[{host}]" if ":" in host else host


def free_port(host: str) -> int:
    """Return a port of *host* on which nothing listens."""
    with socket.socket(family_of(host)) as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
    return port


def is_taken(host: str, port: int) -> bool:
    """Return whether a server accepts connections on *port* of *host*."""
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False
