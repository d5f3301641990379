"""What lesson tests use to see what an app does, and not what it seems to do."""

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
from workshop.lab.limit import LIMIT_SECONDS, within
from workshop.lab.rendezvous import Rendezvous
from workshop.lab.source import Held, Place
from workshop.lab.spy import Spy
from workshop.lab.stall import settle, until_stalled

__all__ = [
    "LIMIT_SECONDS",
    "AppExit",
    "AppLoadError",
    "Exchange",
    "Gate",
    "Held",
    "Journal",
    "Never",
    "Place",
    "Rendezvous",
    "ShutdownError",
    "Spy",
    "Stalled",
    "StartupError",
    "exchange",
    "settle",
    "until_stalled",
    "within",
]
