"""What lesson tests use to see what an app does, and not what it seems to do."""

import importlib
from typing import TYPE_CHECKING

from workshop.lab.application import RunningApp
from workshop.lab.cases import cases
from workshop.lab.clock import Clock
from workshop.lab.exchange import Exchange, exchange
from workshop.lab.failures import (
    AppExit,
    AppLoadError,
    Never,
    ShutdownError,
    Stalled,
    StartupError,
)
from workshop.lab.gate import Gate
from workshop.lab.journal import Journal
from workshop.lab.leaks import Leaks
from workshop.lab.limit import LIMIT_SECONDS, within
from workshop.lab.rendezvous import Rendezvous
from workshop.lab.source import Held, Place
from workshop.lab.spy import Spy
from workshop.lab.stall import settle, until_stalled

if TYPE_CHECKING:
    from workshop.lab.database import Database
    from workshop.lab.plugin import RunApp, Serve
    from workshop.lab.redis_server import RedisServer
    from workshop.lab.server import Server
    from workshop.lab.thread_pool import ThreadPool

__all__ = [
    "LIMIT_SECONDS",
    "AppExit",
    "AppLoadError",
    "Clock",
    "Database",
    "Exchange",
    "Gate",
    "Held",
    "Journal",
    "Leaks",
    "Never",
    "Place",
    "RedisServer",
    "Rendezvous",
    "RunApp",
    "RunningApp",
    "Serve",
    "Server",
    "ShutdownError",
    "Spy",
    "Stalled",
    "StartupError",
    "ThreadPool",
    "cases",
    "exchange",
    "settle",
    "until_stalled",
    "within",
]


# Where these live is imported only when a test uses them: they are not cheap.
_LATE = {
    "Database": "workshop.lab.database",
    "RedisServer": "workshop.lab.redis_server",
    "RunApp": "workshop.lab.plugin",
    "Serve": "workshop.lab.plugin",
    "Server": "workshop.lab.server",
    "ThreadPool": "workshop.lab.thread_pool",
}


def __getattr__(name: str) -> object:
    """Import a costly class when it is first asked for."""
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_LATE[name]), name)
