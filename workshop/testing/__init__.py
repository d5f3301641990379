"""The test kit: what lesson tests use to observe an app from outside."""

import importlib
from typing import TYPE_CHECKING

from workshop.testing.app.application import RunningApp
from workshop.testing.app.conversation import Conversation, conversation
from workshop.testing.app.exchange import (
    Exchange,
    cancelled_at_each_turn,
    content_of,
    exchange,
)
from workshop.testing.app.leaks import Leaks
from workshop.testing.reporting.cases import cases
from workshop.testing.reporting.failures import (
    AppExit,
    AppLoadError,
    ShutdownError,
    Stalled,
    StartupError,
    TimeLimitExceeded,
)
from workshop.testing.reporting.source import Held, SourceLine
from workshop.testing.services.fake_service import FakeService
from workshop.testing.sync.gate import Gate
from workshop.testing.sync.idle import eventually, until_stalled, when_idle
from workshop.testing.sync.journal import Journal
from workshop.testing.sync.rendezvous import Rendezvous
from workshop.testing.sync.spy import Spy
from workshop.testing.time.clock import Clock
from workshop.testing.time.event_loop import settle
from workshop.testing.time.limits import LIMIT_SECONDS, fail_after
from workshop.testing.time.time_module import time_follows_loop

if TYPE_CHECKING:
    from workshop.testing.app.raw_connection import RawConnection, raw_connection
    from workshop.testing.app.server import Server
    from workshop.testing.app.server_process import ServerProcess
    from workshop.testing.app.thread_pool import ThreadPool
    from workshop.testing.plugin import RunApp, Serve, ServeProcess
    from workshop.testing.services.database import Activity, Database
    from workshop.testing.services.redis import RedisServer
    from workshop.testing.services.redis_proxy import RedisProxy
    from workshop.testing.services.statements import before_statements

__all__ = [
    "LIMIT_SECONDS",
    "Activity",
    "AppExit",
    "AppLoadError",
    "Clock",
    "Conversation",
    "Database",
    "Exchange",
    "FakeService",
    "Gate",
    "Held",
    "Journal",
    "Leaks",
    "RawConnection",
    "RedisProxy",
    "RedisServer",
    "Rendezvous",
    "RunApp",
    "RunningApp",
    "Serve",
    "ServeProcess",
    "Server",
    "ServerProcess",
    "ShutdownError",
    "SourceLine",
    "Spy",
    "Stalled",
    "StartupError",
    "ThreadPool",
    "TimeLimitExceeded",
    "before_statements",
    "cancelled_at_each_turn",
    "cases",
    "content_of",
    "conversation",
    "eventually",
    "exchange",
    "fail_after",
    "raw_connection",
    "settle",
    "time_follows_loop",
    "until_stalled",
    "when_idle",
]


# Where these live is imported only when a test uses them: they are not cheap.
_LATE = {
    "Activity": "workshop.testing.services.database",
    "Database": "workshop.testing.services.database",
    "RawConnection": "workshop.testing.app.raw_connection",
    "RedisProxy": "workshop.testing.services.redis_proxy",
    "RedisServer": "workshop.testing.services.redis",
    "RunApp": "workshop.testing.plugin",
    "Serve": "workshop.testing.plugin",
    "ServeProcess": "workshop.testing.plugin",
    "Server": "workshop.testing.app.server",
    "ServerProcess": "workshop.testing.app.server_process",
    "ThreadPool": "workshop.testing.app.thread_pool",
    "raw_connection": "workshop.testing.app.raw_connection",
    "before_statements": "workshop.testing.services.statements",
}


def __getattr__(name: str) -> object:
    """Import a costly class when it is first asked for."""
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_LATE[name]), name)
