"""Counting what is checked out of and into every SQLAlchemy pool, whoever made it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class PoolCounters:
    """Check-outs, check-ins, and connections opened and closed, of all pools.

    This object holds each connection that was never given back, so the garbage
    collector cannot give it back either: `out` is what the app did, not what happened
    to be collected.
    """

    def __init__(self) -> None:
        self.checkouts = 0
        self.checkins = 0
        self.connects = 0
        self.closes = 0
        self._out: dict[Any, Any] = {}

    @property
    def out(self) -> int:
        """How many connections are checked out now."""
        return self.checkouts - self.checkins

    @property
    def connections_open(self) -> int:
        """How many connections are open now, in use or idle in a pool."""
        return self.connects - self.closes

    def on_checkout(self, connection: Any, record: Any, proxy: Any) -> None:
        """Count a connection that leaves the pool, and hold it."""
        self.checkouts += 1
        self._out[record] = proxy

    def on_checkin(self, connection: Any, record: Any) -> None:
        """Count a connection that comes back.

        If connecting again fails, the pool reports a check-in without a check-out.
        """
        if self._out.pop(record, None) is not None:
            self.checkins += 1

    def on_connect(self, connection: Any, record: Any) -> None:
        """Count a new connection."""
        self.connects += 1

    def on_close(self, connection: Any, record: Any = None) -> None:
        """Count a connection that is closed, with or without its pool."""
        self.closes += 1

    def let_go(self) -> None:
        """Close the connections that were never given back.

        The loop may have closed already, so nothing is awaited: the driver's thread or
        socket is told to stop.
        """
        out, self._out = list(self._out.values()), {}
        for proxy in out:
            driver = proxy.driver_connection
            if not proxy.is_detached and proxy.is_valid:
                proxy.detach()  # else SQLAlchemy warns when it is collected
            for name in ("stop", "terminate"):  # aiosqlite's word, asyncpg's word
                if hasattr(driver, name):
                    getattr(driver, name)()
                    break


@contextmanager
def counted_pools() -> Iterator[PoolCounters]:
    """Count from here to the end of the block; nothing is left behind in SQLAlchemy."""
    from sqlalchemy import event
    from sqlalchemy.pool import Pool

    counters = PoolCounters()
    listeners: list[tuple[str, Callable[..., None]]] = [
        ("checkout", counters.on_checkout),
        ("checkin", counters.on_checkin),
        ("connect", counters.on_connect),
        ("close", counters.on_close),
        ("close_detached", counters.on_close),
    ]
    for name, listener in listeners:
        event.listen(Pool, name, listener)
    try:
        yield counters
    finally:
        for name, listener in listeners:
            event.remove(Pool, name, listener)
        counters.let_go()
