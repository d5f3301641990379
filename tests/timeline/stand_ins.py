"""A database and a Redis that live in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import aiosqlite.core
import pytest

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

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("aiosqlite.core.SimpleQueue", Queue)
        patch.setattr("aiosqlite.core.Thread", Thread)
        yield


class Redis:
    """Answers GET and SET, each after *seconds*, and nods at the rest."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._values = seconds, dict[bytes, bytes]()

    async def __call__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while line := await reader.readline():
            words = []
            for _ in range(int(line[1:])):
                size = int((await reader.readline())[1:])
                words.append((await reader.readexactly(size + 2))[:-2])
            writer.write(await self._answer([words[0].upper(), *words[1:]]))

    async def _answer(self, words: list[bytes]) -> bytes:
        if words[0] == b"HELLO":
            return b"%1\r\n+proto\r\n:3\r\n"
        if words[0] == b"SET":
            await asyncio.sleep(self._seconds)
            self._values[words[1]] = words[2]
        if words[0] == b"GET":
            await asyncio.sleep(self._seconds)
            value = self._values.get(words[1])
            return b"_\r\n" if value is None else b"$%d\r\n%s\r\n" % (len(value), value)
        return b"+OK\r\n"
