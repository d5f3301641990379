"""The addresses of this machine in its networks, for servers that others use."""

from __future__ import annotations

import errno
import ipaddress
import socket

from workshop.processes.loopback import bracketed, family_of

EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 -- only on request
"""The hosts that mean all addresses of this machine."""

# Reserved for documentation, so nothing is there. Connecting a datagram socket sends
# nothing, but makes the system choose the network.
_OUTSIDE = ("192.0.2.1", 9)


class HostError(Exception):
    """A server cannot listen at a host. The message says why and what to do."""


def addresses() -> list[str]:
    """Return the IPv4 addresses at which other machines reach this one.

    The one in the network of the default route is first.
    """
    import psutil

    up = {name for name, status in psutil.net_if_stats().items() if status.isup}
    found = [
        entry.address
        for name, entries in psutil.net_if_addrs().items()
        for entry in entries
        if name in up and entry.family == socket.AF_INET
    ]
    reached = [it for it in dict.fromkeys(found) if not _is_local(it)]
    return sorted(reached, key=lambda it: it != _routed())


def _is_local(address: str) -> bool:
    it = ipaddress.ip_address(address)
    return it.is_loopback or it.is_link_local


def _routed() -> str:
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect(_OUTSIDE)
            return str(probe.getsockname()[0])
    except OSError:
        return ""


def resolved(host: str, port: int | None = None) -> str:
    """Return the address of *host* at which a server can listen on this machine.

    Raises:
        HostError: *host* is unknown or another machine's, or *port* cannot be used.

    """
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise HostError(_not_here(host)) from None
    # A name may stand for an IPv6 and an IPv4 address; other machines know the latter.
    address = str(min(found, key=lambda it: it[0] != socket.AF_INET)[4][0])
    try:
        # Without a port, this fails only if the address is wrong.
        socket.create_server((address, port or 0), family=family_of(address)).close()
    except PermissionError:
        raise HostError(
            f"This system lets only administrators use port {port}. Choose one above "
            "1023, or leave out --port to use a free one."
        ) from None
    except OSError as problem:
        if problem.errno == errno.EADDRINUSE:
            raise HostError(
                f"Port {port} is taken by another program. Leave out --port to use a "
                "free one."
            ) from None
        raise HostError(_not_here(host)) from None
    return address


def _not_here(host: str) -> str:
    return f"`{host}` is not an address of this machine. {_advice()}"


def _advice() -> str:
    there = ", ".join(addresses())
    own = f" This machine has: {there}." if there else ""
    return f"Use 0.0.0.0 for all of its addresses.{own}"


def urls(host: str, port: int) -> list[str]:
    """Return the URLs at which other machines reach a server at *host* and *port*.

    There is none if *host* is a loopback address, or this machine is in no network.
    """
    if host in EVERYWHERE:
        hosts = addresses()
    else:
        hosts = [] if ipaddress.ip_address(host).is_loopback else [host]
    return [f"http://{bracketed(it)}:{port}/" for it in hosts]
