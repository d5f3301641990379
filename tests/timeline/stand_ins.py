"""A database that lives in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import aiosqlite.core

from workshop.private_apis.packages import aiosqlite_without_threads

Job = tuple["asyncio.Future[Any] | None", Callable[[], Any]]


@contextmanager
def modelled_sqlite(seconds: float) -> Iterator[None]:
    """Let every statement and commit of aiosqlite take *seconds*.

    Each connection has a thread that works through a queue. Here the queue does
    the work itself, in the loop's thread, when it is time.
    """

    class Queue:
        def __init__(self) -> None:
            self.free_at = 0.0

        def put_nowait(self, job: Job) -> None:
            future, function = job
            loop = asyncio.get_running_loop()
            name = getattr(getattr(function, "func", None), "__name__", "")
            takes = seconds if name in ("execute", "executemany", "commit") else 0.0
            self.free_at = max(self.free_at, loop.time()) + takes
            loop.call_at(self.free_at, self._work, future, function)

        def _work(
            self, future: asyncio.Future[Any] | None, function: Callable[[], Any]
        ) -> None:
            try:
                result = function()
            except BaseException as failure:  # noqa: BLE001 -- as aiosqlite does
                if future is not None:
                    aiosqlite.core.set_exception(future, failure)
            else:
                if future is not None:
                    aiosqlite.core.set_result(future, result)

    class Thread:
        daemon = False

        def __init__(self, **_: object) -> None:
            """Take what a thread takes."""

        def start(self) -> None:
            """Do nothing: the queue works."""

    with aiosqlite_without_threads(Queue, Thread):
        yield
