"""What the tests of lesson 12 put in the place of the outside world.

Each stand-in notes the thread and the event loop in which the app uses it. The pool
stands in for processes: a test says when its drawings are done, or break it. Where
a stand-in cannot show what happens, the processes are real, and connect to the test.
"""

import asyncio
import multiprocessing
import socket
import sqlite3
import sys
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import asynccontextmanager, suppress
from types import FrameType
from typing import Any

import anyio
import httpx2

from workshop.testing import (
    Exchange,
    Gate,
    Rendezvous,
    RunApp,
    RunningApp,
    TimeLimitExceeded,
    eventually,
    exchange,
    when_idle,
)

MOST_POOLS = 20  # that a test can need
KILLS = "Macbeth"  # the show whose drawing kills its process
SLOW = "Ring"  # the show whose drawing takes a minute
LIMIT = 3  # seconds that a plan may take; the clock of a process cannot be moved


class UnexpectedError(Exception):
    """The error of a library that has classes of its own."""


def errors() -> list[Exception]:
    """Return what an outside call may raise."""
    return [
        ConnectionError("connection refused"),
        httpx2.ReadTimeout("no response in time"),
        UnexpectedError("out of order"),
    ]


def price_of(show: str) -> int:
    """Return what the agency asks for a show."""
    return 20 + len(show)


async def finish(*requests: Exchange) -> None:
    """Wait until *requests* are done, or can never be."""
    await eventually(lambda: all(request.done for request in requests))


async def finish_in_time(request: Exchange) -> None:
    """Wait until *request* is done, but not longer than processes may take."""
    with suppress(TimeLimitExceeded):
        await request.finished()


def on_the_loop() -> bool:
    """Return whether the caller runs in the thread of the server's event loop."""
    return threading.current_thread() is threading.main_thread()


class Closing:
    """The end of a resource, which takes as long as the test wants.

    Attributes:
        gate: holds the calls.
        count: how many of them are complete.

    """

    def __init__(self) -> None:
        self.gate = Gate("the end")
        self.gate.open()
        self.count = 0

    async def __call__(self) -> None:
        """Close a resource of the event loop."""
        if on_the_loop():
            await self.gate()
        self.count += 1

    def blocking(self) -> None:
        """Close a resource in a thread."""
        with suppress(TimeLimitExceeded):  # because the event loop waits for this call
            self.gate.blocking()
        self.count += 1


class Agency:
    """Stands in for the agency's client, which belongs to one event loop.

    Attributes:
        opened: how many clients the app has opened.
        closing: how many of them it has closed.
        gate: holds the calls that use the right loop.
        error: raised by the calls, if it is set.

    """

    def __init__(self) -> None:
        self.opened, self.closing = 0, Closing()
        self.gate = Gate("the agency").results(price_of)
        self.error: Exception | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def connect(self) -> "Agency":
        """Open a client for the running loop, which other tasks use meanwhile."""
        self.opened += 1
        await asyncio.sleep(0)
        self._loop = asyncio.get_running_loop()
        return self

    async def price(self, show: str) -> int:
        """Return a price, or fail as a client does in a loop that is not its own."""
        if asyncio.get_running_loop() is not self._loop:
            raise RuntimeError("the connection is bound to a different event loop")
        if self.error is not None:
            raise self.error
        euros: int = await self.gate(show)
        return euros

    async def close(self) -> None:
        """Close a client."""
        await self.closing()


class Printer:
    """Stands in for the printer, whose thread reports what the test says."""

    def __init__(self) -> None:
        self.on_printed: Callable[[str], None] | None = None
        self.tickets: list[str] = []

    def open(self, on_printed: Callable[[str], None]) -> "Printer":
        """Take the function to which the thread reports."""
        self.on_printed = on_printed
        return self

    def print(self, ticket: str) -> None:
        """Note a ticket."""
        self.tickets.append(ticket)

    def close(self) -> None:
        """Do nothing."""

    def report(self, *tickets: str) -> asyncio.Task[None]:
        """Report *tickets* in another thread."""
        assert self.on_printed is not None, "The app has opened no printer."
        on_printed = self.on_printed

        def thread() -> None:
            for ticket in tickets:
                on_printed(ticket)

        return asyncio.create_task(asyncio.to_thread(thread))


class Board:
    """Stands in for the board.

    Attributes:
        gate: holds the tickets that the app wants to show.
        tickets: those that arrived in the server's event loop.
        elsewhere: those that arrived in another one.
        fails_for: a ticket, and what showing it raises.
        most: how many tickets the app has shown at the same time.

    """

    def __init__(self) -> None:
        self.gate = Gate("the board")
        self.gate.open()
        self.tickets: list[str] = []
        self.elsewhere: list[str] = []
        self.fails_for: dict[str, Exception] = {}
        self.most = self._showing = 0
        self._loop = asyncio.get_running_loop()

    async def show(self, ticket: str) -> None:
        """Show a ticket."""
        here = asyncio.get_running_loop() is self._loop
        (self.tickets if here else self.elsewhere).append(ticket)
        self._showing += 1
        self.most = max(self.most, self._showing)
        try:
            await self.gate(ticket)
            if ticket in self.fails_for:
                raise self.fails_for[ticket]
        finally:
            self._showing -= 1

    async def has_shown(self, count: int) -> None:
        """Wait until *count* tickets are shown, or no further one can be."""
        for enough in range(10, count + 1, 10):
            await eventually(lambda enough=enough: len(self.tickets) >= enough)


class Seats:
    """Stands in for the seat map and the bank.

    Attributes:
        free: the free seats of each show.
        meeting: where the calls of `first_free()` wait, after they have looked.
        taken: the seats that were taken, in order.
        charged: the seats that were charged, in order.
        bank: holds the charges of the show "Slow".
        results: what the next charges raise; None for those that succeed.
        unreadable: whether the next call of `first_free()` raises an exception.
        on_the_loop: the functions that were called in the event loop's thread.
        steps: holds the app's lines between `first_free()` and `take()`, if set.

    """

    def __init__(self) -> None:
        self.on_the_loop: list[str] = []
        self.steps: list[Gate] | None = None
        self.free: dict[str, list[int]] = {}
        self.meeting: Rendezvous | None = None
        self.taken: list[tuple[str, int]] = []
        self.charged: list[tuple[str, int]] = []
        self.bank = Gate("the bank")
        self.results: list[Exception | None] = []
        self.unreadable = False

    def first_free(self, show: str) -> int | None:
        """Return the first free seat as it was before the call waited."""
        self._note("first_free()")
        if self.unreadable:
            self.unreadable = False
            raise ConnectionError("the seat map is not readable")
        seat = min(self.free[show], default=None)
        if self.meeting is not None:
            self.meeting.blocking()
        if self.steps is not None:
            self._hold_lines(self.steps)
        return seat

    def take(self, show: str, seat: int) -> None:
        """Take a seat; as in the original, a second time is not noticed."""
        sys.settrace(None)
        self._note("take()")
        self.taken.append((show, seat))
        if seat in self.free[show]:
            self.free[show].remove(seat)

    def give_back(self, show: str, seat: int) -> None:
        """Make a seat free again."""
        self._note("give_back()")
        if seat not in self.free[show]:
            self.free[show].append(seat)

    def charge(self, show: str, seat: int) -> None:
        """Charge a seat, or raise what the test has set."""
        self._note("charge()")
        if show == "Slow":
            self.bank.blocking(show, seat)
        error = self.results.pop(0) if self.results else None
        if error is not None:
            raise error
        self.charged.append((show, seat))

    def _note(self, what: str) -> None:
        if on_the_loop():
            self.on_the_loop.append(what)

    def _hold_lines(self, steps: list[Gate]) -> None:
        """Hold each further line of the app in this thread, until it takes a seat."""

        def trace(frame: FrameType, event: str, _: object) -> Any:
            if event == "line":
                gate = Gate("the next line")
                steps.append(gate)
                gate.blocking()
            elif event == "return" and frame is outermost:
                sys.settrace(None)
            return trace

        frame: FrameType | None = sys._getframe(2)
        outermost = None
        while frame is not None:
            if frame.f_globals.get("take") == self.take:
                frame.f_trace = trace
                outermost = frame
            frame = frame.f_back
        if outermost is not None and not on_the_loop() and sys.gettrace() is None:
            sys.settrace(lambda *_: None)  # and no function that is called then


class Ledger:
    """Stands in for the old library's session, and fails in other threads as it does.

    Attributes:
        gate: holds `add()`.
        opened: how many sessions the app has opened.
        closing: how many of them it has closed.
        threads: the threads of all calls, the first one being that of the opening.
        strangers: the calls in other threads than the one that opened the session.
        committed: the numbers that are in the ledger.
        failing: which call fails for which number, and with what.

    """

    def __init__(self) -> None:
        self.gate = Gate("the ledger")
        self.gate.open()
        self.opened, self.closing = 0, Closing()
        self.threads: list[int] = []
        self.strangers: list[str] = []
        self.committed: list[int] = []
        self.failing: dict[tuple[str, int], Exception] = {}
        self._pending: list[int] = []
        self._last = 0

    def open(self) -> "Ledger":
        """Open a session for the calling thread."""
        self.opened += 1
        self.threads = [threading.get_ident()]
        return self

    def add(self, number: int) -> None:
        """Write a number, which is not in the ledger before the commit."""
        self._check("add()")
        self.gate.blocking(number)
        self._last = number
        self._fail("add", number)
        self._pending.append(number)

    def commit(self) -> None:
        """Commit what was added since the last commit or rollback."""
        self._check("commit()")
        self._fail("commit", self._last)
        self.committed += self._pending
        self._pending = []

    def rollback(self) -> None:
        """Drop what was added since the last commit or rollback."""
        self._check("rollback()")
        self._pending = []

    def close(self) -> None:
        """Close the session."""
        self._note("close()")
        self.closing.blocking()

    @property
    def thread_is_the_loops(self) -> bool:
        """Whether the session was opened in the thread of the event loop."""
        return self.threads[:1] == [threading.main_thread().ident]

    def _note(self, what: str) -> bool:
        self.threads.append(threading.get_ident())
        stranger = self.threads[-1] != self.threads[0]
        self.strangers += [what] * stranger
        return stranger

    def _check(self, what: str) -> None:
        if self._note(what):
            raise sqlite3.ProgrammingError(
                "objects created in a thread can only be used in that same thread"
            )

    def _fail(self, call: str, number: int) -> None:
        if (call, number) in self.failing:
            raise self.failing[call, number]


class Pool(Executor):
    """Stands in for a pool of processes.

    Attributes:
        closing: holds `shutdown()` until the processes have ended.
        waiting: the drawings under way, while the test holds them.
        holds: whether drawings wait for the test.
        broken: whether a process has died.
        running: whether its processes are running.

    """

    def __init__(self) -> None:
        self.closing = Closing()
        self.waiting: list[Future[Any]] = []
        self.holds = False
        self.broken = self.closed = False
        self.running = True
        self._processes: dict[int, Any] = {}

    def submit(
        self, fn: Callable[..., Any], /, *args: Any, **options: Any
    ) -> Future[Any]:
        """Draw at once, or keep the drawing until the pool breaks."""
        if self.broken:
            raise BrokenProcessPool("A child process terminated abruptly")
        if self.closed:
            raise RuntimeError("cannot schedule new futures after shutdown")
        drawing: Future[Any] = Future()
        self.waiting.append(drawing)
        if KILLS in args or KILLS in options.values():
            self.die()
        elif not self.holds:
            self.waiting.remove(drawing)
            try:
                drawing.set_result(fn(*args, **options))
            except Exception as error:  # noqa: BLE001 -- raised where it is awaited
                drawing.set_exception(error)
        return drawing

    def die(self) -> None:
        """Let a process die, which breaks the pool and ends the other processes."""
        self.broken, self.running = True, False
        drawings, self.waiting = self.waiting, []
        for drawing in drawings:
            if not drawing.cancelled():
                drawing.set_exception(
                    BrokenProcessPool("A process in the pool was terminated abruptly")
                )

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Accept no more drawings, and end the processes if the caller waits."""
        del cancel_futures
        self.closed = True
        if wait and self.running:
            self.closing.blocking()
            self.running = False

    def terminate_workers(self) -> None:
        """End the processes, as a pool of Python 3.14 can."""
        self.closed, self.running = True, False

    kill_workers = terminate_workers


class Drawings:
    """Stands in for `draw_plan()` in real processes.

    A process that draws SLOW is connected to the test until its drawing ends.
    """

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        # Plans that wait are sent to a process even after `close()`.
        self._address = self._server.getsockname()
        self._drawing: socket.socket | None = None

    def __call__(self, show: str) -> int:
        """Draw a plan in the process of the test."""
        return len(show)

    def __reduce__(self) -> tuple[Any, ...]:
        """Send code to the processes, because importing this file would be too slow."""
        text = (
            f"lambda show: len(show) if show != {SLOW!r} else len(__import__('socket')"
            f".create_connection({self._address!r}).recv(1))"
        )
        return eval, (text,)

    async def begin(self) -> None:
        """Wait until a process draws SLOW, but not longer than two seconds."""
        self._server.settimeout(2)
        with suppress(TimeoutError):
            self._drawing, _ = await asyncio.to_thread(self._server.accept)

    async def end(self) -> bool:
        """Wait until the drawing ends; return False if it goes on long after LIMIT."""
        drawing, self._drawing = self._drawing, None
        if drawing is None:
            return True
        with drawing:
            drawing.settimeout(LIMIT + 2)
            try:
                await asyncio.to_thread(drawing.recv, 1)
            except TimeoutError:
                return False
            except OSError:  # as on Windows, where a process that ends resets it
                pass
        return True

    def close(self) -> None:
        """Let every drawing end."""
        self._server.close()
        if self._drawing is not None:
            self._drawing.close()


class BoxOffice:
    """The app under test, with all stand-ins.

    Attributes:
        app: the running app.
        pools: the pools that the app has started.
        drawing_error: raised by each drawing, if it is set.
        drawings: the drawings in real processes.

    """

    def __init__(self) -> None:
        self.app: RunningApp
        self.drawings: Drawings
        self.agency = Agency()
        self.typesetter = Gate("the typesetter").results(
            lambda show, euros: f"{show}: {euros}"
        )
        self.typesetter.open()
        self.printer, self.board = Printer(), Board()
        self.seats, self.ledger = Seats(), Ledger()
        self.pools: list[Pool] = []
        self.drawing_error: Exception | None = None

    def stand_ins(self) -> dict[str, Any]:
        """Return what stands in for which function."""
        return {
            "connect_agency": self.agency.connect,
            "typeset": self.typesetter.blocking,
            "open_printer": self.printer.open,
            "show_on_board": self.board.show,
            "first_free": self.seats.first_free,
            "take": self.seats.take,
            "give_back": self.seats.give_back,
            "charge": self.seats.charge,
            "open_ledger": self.ledger.open,
            "start_drawers": self._start_drawers,
            "draw_plan": self._draw_plan,
        }

    def send(self, method: str, path: str) -> Exchange:
        """Send a request."""
        return exchange(self.app, method, path)

    async def waits_for(self, closing: Closing) -> bool:
        """Shut down, and return whether the shutdown waited for *closing*."""
        with Gate("the end") as closing.gate:
            shutdown = asyncio.create_task(self.app.shutdown())
            await when_idle(lambda: closing.count)
            # A shutdown that blocks the event loop waits, too.
            waited = not shutdown.done() or closing.count >= closing.gate.count
        await shutdown
        return waited

    @property
    def running(self) -> int:
        """How many pools have processes."""
        return sum(pool.running for pool in self.pools)

    def _start_drawers(self) -> Pool:
        if len(self.pools) == MOST_POOLS:
            raise OSError("too many processes")
        self.pools.append(Pool())
        return self.pools[-1]

    def _draw_plan(self, show: str) -> int:
        if self.drawing_error is not None:
            raise self.drawing_error
        return 100 * len(show)


@asynccontextmanager
async def busy_threads() -> AsyncIterator[None]:
    """Keep the threads busy that asyncio and anyio have started so far."""
    with Gate("other work") as work:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(3):
                tasks.create_task(asyncio.to_thread(work.blocking))
                tasks.create_task(anyio.to_thread.run_sync(work.blocking))
            await eventually(lambda: work.count == 6)
            try:
                yield
            finally:
                work.open()


def start_process() -> Executor:
    """Start a pool of one process, because a second one may start while it breaks."""
    return ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))


@asynccontextmanager
async def box_office(
    run_app: RunApp, *, processes: bool = False
) -> AsyncIterator[BoxOffice]:
    """Run the app with the stand-ins; with *processes* its pools are real."""
    office = BoxOffice()
    stand_ins = office.stand_ins()
    if processes:
        stand_ins["start_drawers"] = start_process
        stand_ins["draw_plan"] = office.drawings = Drawings()
        stand_ins["LIMIT"] = LIMIT
    async with run_app(replace=stand_ins) as app:
        office.app = app
        try:
            yield office
        finally:
            if processes:
                office.drawings.close()
