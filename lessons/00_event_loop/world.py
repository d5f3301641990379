"""What the tests of lesson 00 put in the place of the outside world, and how they wait.

The slow functions of app.py are replaced by gates: a call that enters a gate waits
there until the test opens it.
"""

from __future__ import annotations

import asyncio
import itertools
import multiprocessing
from collections.abc import Awaitable, Callable
from contextlib import suppress

from workshop.testing import (
    Exchange,
    Gate,
    RunningApp,
    Stalled,
    TimeLimitExceeded,
    settle,
    until_stalled,
)

ERRORS = (OSError("no route to host"), RuntimeError("busy"), TimeoutError("too slow"))

# What the customers paid, by order.
PAID = {2041: 45, 2042: 30, 2043: 72}
# How often something is given another chance that is only slow, such as a process.
PATIENCE = 4


class AuditBook:
    """The book behind `write_audit_entry()`: entries wait until `pen` opens."""

    def __init__(self, app: RunningApp) -> None:
        self.entries: list[str] = []
        self.error: Exception | None = None
        self.failures = 1_000
        self.pen = Gate("the audit book").results(self._write)

        async def write_audit_entry(entry: str) -> None:
            await self.pen(entry)

        app.replace("amount_paid", open_gate(PAID.get))
        app.replace("write_audit_entry", write_audit_entry)

    def of(self, order: int) -> list[str]:
        """Return the entries that name *order*."""
        return [entry for entry in self.entries if str(order) in entry]

    def _write(self, entry: str) -> None:
        if self.error is not None and self.failures > 0:
            self.failures -= 1
            raise type(self.error)(*self.error.args)
        self.entries.append(entry)


class Archive:
    """The archive behind `write_export()`: it finishes exports in rounds."""

    def __init__(self) -> None:
        self.now = Gate("the archive").results(file_of)
        # Calls from a pool of processes reach this one by its address.
        self.blocking = open_gate(lambda show_id: self.now.blocking(show_id)).blocking

    def finish_round(self) -> None:
        """Finish the exports that are being written now."""
        finished, self.now = self.now, Gate("the archive").results(file_of)
        finished.open()

    async def is_called_by(self, exports: list[Exchange]) -> bool:
        """Wait until an export is being written. False if none is left to write."""
        await until_idle(lambda: first_of(self.now.entered(), all_finished(exports)))
        return self.now.waiting > 0


def open_gate(compute: Callable[..., object]) -> Gate:
    """Return a gate that answers at once with *compute*, also in other processes."""
    gate = Gate("an answer").results(compute)
    gate.open()
    return gate


def broken_gate() -> Gate:
    """Return a gate at which every call fails, each with another error."""
    errors = itertools.cycle(ERRORS)

    def fail(*args: object) -> None:
        error = next(errors)
        raise type(error)(*error.args)

    return open_gate(fail)


def drawing(sold: set[int]) -> str:
    """Return what the stand-in of `draw_seat_map()` draws."""
    return f"a hall without the seats {sorted(sold)}"


def file_of(show_id: int) -> str:
    """Return what the stand-in of `write_export()` returns."""
    return f"archive/{show_id * 7 + 3}.csv"


def has_its_file(export: Exchange) -> bool:
    """Return whether *export* brought the file of its own show."""
    return export.content == {"file": file_of(int(export.name.split("/")[2]))}


# ---------------------------------------------------------------- waiting


async def until_idle(wanted: Callable[[], Awaitable[object]]) -> None:
    """Wait for *wanted*, or until nothing in the app can make progress any more."""
    for _ in range(PATIENCE):
        with suppress(Stalled, TimeLimitExceeded):
            await until_stalled(wanted())
            return
        if not multiprocessing.active_children():
            return  # else a process may still be starting


async def is_called(gate: Gate, times: int = 1) -> None:
    """Wait until *gate* has been called, or cannot be called any more."""
    await until_idle(lambda: gate.entered(times))


async def finish(request: Exchange) -> None:
    """Wait until *request* has ended, or never can; let time pass if it sleeps."""
    for _ in range(PATIENCE):
        await until_idle(request.finished)
        if request.done:
            return
        await put_clock_forward(60)


async def put_clock_forward(seconds: float) -> None:
    """Let every sleep and timeout on the event loop end that is due in *seconds*."""
    loop = asyncio.get_running_loop()
    before = loop.time
    loop.time = lambda: before() + seconds  # type: ignore[method-assign]
    await settle()


async def first_of(*waiting: Awaitable[object]) -> None:
    """Wait until one of *waiting* is over, and cancel the others."""
    tasks = [asyncio.ensure_future(each) for each in waiting]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


async def all_finished(requests: list[Exchange]) -> None:
    """Wait until all *requests* have ended."""
    for request in requests:
        await request.finished()


# ---------------------------------------------------------------- what was seen


def blocked_the_loop(gate: Gate) -> bool:
    """Return whether calls at this closed gate have ended: nothing could open it."""
    arrived = gate.count  # read first, because a thread may be arriving just now
    left = arrived - gate.waiting
    return gate.held is not None or gate.waiting == 0 or left > 1


def is_refused(request: Exchange) -> bool:
    """Return whether the response has an error status."""
    return request.status is not None and request.status >= 400
