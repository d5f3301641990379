"""The requests of `make lesson-12 timeline`.

The stand-ins take less time than the outside world in app.py.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor

from workshop.scenario import Stage


async def refunds(stage: Stage) -> None:
    """Two customers ask for refunds, and a turnstile calls /ping."""
    stage.headline(lambda: stage.wait_of("turnstile"))
    stage.request("POST", "/refunds/1", customer="Ann")
    stage.request("POST", "/refunds/2", customer="Bob", at=10)
    stage.request("GET", "/ping", customer="turnstile", at=20)


class Ledger:
    def add(self, number: int) -> None:
        time.sleep(0.12)

    def commit(self) -> None:
        pass

    rollback = close = commit


class Agency:
    async def close(self) -> None:
        pass


class Printer:
    def close(self) -> None:
        pass


async def connect_agency() -> Agency:
    return Agency()


def open_printer(on_printed: Callable[[str], None]) -> Printer:
    return Printer()


def open_ledger() -> Ledger:
    return Ledger()


def start_drawers() -> Executor:
    return ThreadPoolExecutor(1)


WORLD = {
    "connect_agency": connect_agency,
    "open_printer": open_printer,
    "open_ledger": open_ledger,
    "start_drawers": start_drawers,
}
