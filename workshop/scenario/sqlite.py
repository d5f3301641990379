"""SQLite in virtual time: there is no thread, and each call takes a modelled time.

aiosqlite makes each call in a thread, which takes real time. Here, the call is made at
once, and its result arrives after a small, known time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from workshop.private_apis.packages import aiosqlite_without_threads

CALL_SECONDS = 0.0005


class _Calls:
    """A stand-in for the queue between a connection and its thread."""

    def put_nowait(self, call: tuple[asyncio.Future[Any] | None, Any]) -> None:
        """Make the call, and set the result of its future later."""
        future, function = call
        result, failure = None, None
        try:
            result = function()
        except BaseException as problem:  # noqa: BLE001 -- raised where it is awaited
            failure = problem
        if future is not None:
            loop = future.get_loop()
            loop.call_later(CALL_SECONDS, _settle, future, result, failure)


def _settle(
    future: asyncio.Future[Any], result: object, failure: BaseException | None
) -> None:
    if future.done():
        return
    if failure is None:
        future.set_result(result)
    else:
        future.set_exception(failure)


class _NoThread:
    """A stand-in for the thread."""

    daemon = True

    def __init__(self, **_: object) -> None: ...

    def start(self) -> None:
        """Start nothing."""


@contextmanager
def modelled_sqlite() -> Iterator[None]:
    """Model the aiosqlite connections that are made in the block."""
    with aiosqlite_without_threads(_Calls, _NoThread):
        yield
