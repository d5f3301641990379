"""What the tests of lesson 08 put in the place of the outside world.

Drawings, the Dome, the bank and the venues answer when the test says so. A request that
is sent with `send` can also be cancelled as servers and middleware cancel it: by
`task.cancel()`, or by a cancel scope of anyio.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from typing import Any

import anyio
import httpx2
from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse

from workshop.testing import (
    Clock,
    Exchange,
    Gate,
    RunningApp,
    eventually,
    exchange,
    settle,
    when_idle,
)
from workshop.testing.app.exchange import Asgi, Message, Receive, Send
from workshop.testing.app.tasks import describe

VENUES = ("Apollo", "Bijou", "Corso")
# Longer than any time limit that an app may have added, in seconds.
MINUTE, DAY = 60, 24 * 60 * 60
NATIVE = "task.cancel()"
TWICE = "two task.cancel() calls"
SCOPE = "an anyio cancel scope"
DISCONNECT = "a disconnect of its client"


def errors() -> list[Exception]:
    """Return what the outside world may raise, the expected and the unexpected."""
    return [
        ConnectionError("connection refused"),
        TimeoutError(),
        httpx2.ReadTimeout("no response in time"),
        ValueError("that is not a number"),
        ExceptionGroup("both addresses", [OSError("refused"), OSError("timed out")]),
    ]


async def at_rest() -> None:
    """Wait until nothing can make progress, before the test acts or time passes.

    An app may use threads, so a number of turns of the event loop proves nothing.
    """
    await when_idle(lambda: None)


class Sent:
    """A request that can be cancelled like those of a server.

    Attributes:
        request: the request.
        was_cancelled: whether a cancellation of this class ended it.
        left: the app's tasks that were running when the request was over.
        saw: what *look* returned at that moment.
    """

    def __init__(self, look: Callable[[], Any]) -> None:
        self.request: Exchange
        self.was_cancelled = False
        self.left: list[str] = []
        self.saw: Any = None
        self.cancellations = 0
        self.task: asyncio.Task[Any] | None = None
        self.scope = anyio.CancelScope()
        self.look = look

    async def cancel(self, how: str) -> None:
        """Cancel the task that runs the route; *how* is one of the three above."""
        if how == SCOPE:
            self.cancellations += 1
            self.scope.cancel()
        elif self.task is not None:
            for _ in range(2 if how == TWICE else 1):
                self.cancellations += 1
                self.task.cancel()
                await settle(5)

    async def over(self, clock: Clock | None = None) -> bool:
        """Wait until the request has ended, and let a second pass if it sleeps."""
        if clock is not None and not await eventually(lambda: self.request.done):
            await clock.advance(1)
        return await eventually(lambda: self.request.done)

    @property
    def outcome(self) -> str:
        """How the request ended, in words, for a message."""
        if not self.request.done:
            return "the request had not ended"
        if self.was_cancelled:
            return "the request had ended as cancelled"
        return f"the request had ended with {self.request.in_words}, not as cancelled"


_sent: ContextVar[Sent | None] = ContextVar("sent", default=None)


class Inside:
    """The innermost middleware of the app: the deadline of another developer."""

    def __init__(self, app: Asgi) -> None:
        self.app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        sent, started = _sent.get(), False
        if scope["type"] != "http" or sent is None:
            return await self.app(scope, receive, send)

        async def send_on(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        sent.task = asyncio.current_task()
        assert sent.task is not None
        with sent.scope:
            try:
                await self.app(scope, receive, send_on)
            except asyncio.CancelledError:
                sent.was_cancelled = sent.cancellations > 0
                if sent.scope.cancel_called or not sent.was_cancelled:
                    raise
                for _ in range(sent.cancellations):
                    sent.task.uncancel()
        if sent.was_cancelled and not started:
            await PlainTextResponse("cancelled", 503)(scope, receive, send)
        return None


def send(
    app: RunningApp,
    method: str,
    path: str,
    *,
    json: Any = None,
    look: Callable[[], Any] = lambda: None,
) -> Sent:
    """Start a request that can be cancelled; see `Sent`."""
    fastapi = app.module.app
    while not isinstance(fastapi, FastAPI):
        fastapi = fastapi.app
    if not any(it.cls is Inside for it in fastapi.user_middleware):
        fastapi.user_middleware.append(Middleware(Inside))
        fastapi.middleware_stack = None  # it is built again
    sent = Sent(look)

    async def watched(scope: Message, receive: Receive, send: Send) -> None:
        _sent.set(sent)
        try:
            await app.asgi(scope, receive, send)
        finally:
            sent.left, sent.saw = running_tasks(app), look()

    sent.request = exchange(watched, method, path, json=json)
    return sent


def running_tasks(app: RunningApp) -> list[str]:
    """Return descriptions of the tasks that *app* has made and that have not ended."""
    owners = getattr(asyncio.get_running_loop(), "owners", {})
    return sorted(
        describe(task)
        for task, owner in list(owners.items())
        if owner is app and not task.done() and task is not asyncio.current_task()
    )


class Call:
    """A call of the outside world that is in flight until its gate opens.

    A call that is cancelled ends when *ending* opens, however often it is cancelled.
    """

    def __init__(self, name: str, result: Any, ending: Gate) -> None:
        self.name = name
        self.gate = Gate(name, result=result)
        self.ending = ending
        self.over = False
        self._task: asyncio.Task[Any] | None = None

    @property
    def cancelled(self) -> bool:
        """Whether the task that makes the call has been cancelled."""
        return self._task is not None and self._task.cancelling() > 0

    async def wait(self) -> Any:
        """Wait at the gate; a call that is cancelled takes a moment to end."""
        self._task = asyncio.current_task()
        try:
            return await self.gate(self.name)
        except asyncio.CancelledError:
            turns = 5
            while turns or not self.ending.is_open:
                with suppress(asyncio.CancelledError):
                    await (asyncio.sleep(0) if self.ending.is_open else self.ending())
                turns = max(0, turns - 1)
            raise
        finally:
            self.over = True


class Drawings:
    """Stands in for `draw_report()`; each drawing waits at a gate of its own.

    Attributes:
        ending: drawings that are cancelled end when it opens; it is open at first.
        all: every drawing that was begun, the oldest first.
        most: how many were under way at the same time, at most.
        error: what drawings that begin now raise.
    """

    def __init__(self, app: RunningApp) -> None:
        self.all: list[Call] = []
        self.most = 0
        self.error: Exception | None = None
        self.ending = Gate("the pens")
        self.ending.open()

        async def draw_report(show: str) -> dict[str, int]:
            drawing = Call(show, {"seats": 100 + len(show)}, self.ending)
            self.all.append(drawing)
            self.most = max(self.most, len(self.under_way))
            if self.error is not None:
                drawing.gate.fail(self.error)
            seats: dict[str, int] = await drawing.wait()
            return seats

        app.replace("draw_report", draw_report)

    @property
    def under_way(self) -> list[str]:
        """The shows of the drawings that have not ended."""
        return [drawing.name for drawing in self.all if not drawing.over]

    async def are(self, *shows: str) -> bool:
        """Wait until exactly these are being drawn, or never will be."""
        return await eventually(lambda: sorted(self.under_way) == sorted(shows))

    def finish(self) -> None:
        """Let all drawings come to their end."""
        for drawing in self.all:
            drawing.gate.open()


class Dome:
    """Stands in for `ask_price()`, a client library with its own idea of errors.

    Attributes:
        client_library: "quotes" leaves a cancellation alone, "retries" takes two for
            failures, and "wraps" raises an error of its own after the third. With
            "answers", the try after a cancellation is answered at once.
    """

    LIBRARIES = ("quotes", "retries", "wraps")

    def __init__(self, app: RunningApp) -> None:
        self.client_library = "quotes"
        self.asked = Counter[str]()
        self.in_flight = Counter[str]()
        self._gates: dict[str, Gate] = {}

        async def ask_price(show: str) -> int:
            self.asked[show] += 1
            self.in_flight[show] += 1
            try:
                await settle(3)  # no remote call answers in the same turn of the loop
                return await self._tries(show)
            finally:
                self.in_flight[show] -= 1

        app.replace("ask_price", ask_price)

    def at(self, show: str) -> Gate:
        """Return the gate at which calls for *show* wait."""
        return self._gates.setdefault(show, Gate("the Dome", result=20 + len(show)))

    def close(self) -> None:
        """Let the calls that follow wait again."""
        self._gates.clear()

    async def is_asked(self, show: str) -> bool:
        """Wait until it is being asked for *show*, or never will be."""
        return await eventually(lambda: self.at(show).waiting > 0)

    async def _tries(self, show: str) -> int:
        for _ in range(2):
            try:
                return int(await self.at(show)(show))
            except asyncio.CancelledError:
                if self.client_library == "quotes":
                    raise
                if self.client_library == "answers":
                    self.at(show).open()
        try:
            return int(await self.at(show)(show))
        except asyncio.CancelledError as error:
            if self.client_library == "wraps":
                raise ConnectionError("failed three times") from error
            raise


class Bank:
    """Stands in for `charge()` and for `record()`, the ledger.

    What the bank was sent it charges, whether or not anybody waits for its answer.

    Attributes:
        declines: the customers whose charges are declined.
        error: what `charge()` raises.
        charged: the customers and amounts that were charged.
        ledger: the customers and amounts that were written into the ledger.
    """

    def __init__(self, app: RunningApp) -> None:
        self.declines: set[str] = set()
        self.error: Exception | None = None
        self.charged: list[str] = []
        self.ledger: list[str] = []
        self._gates: dict[tuple[str, str], Gate] = {}

        async def charge(customer: str, euros: int) -> bool:
            accepted = customer not in self.declines and self.error is None
            if accepted:
                self.charged.append(f"{customer} {euros}")
            await settle(15)  # longer than it takes a request to end
            await self.at("charge", customer)(customer, euros)
            if self.error is not None:
                raise self.error
            return accepted

        async def record(customer: str, euros: int) -> None:
            await settle(15)
            await self.at("record", customer)(customer, euros)
            self.ledger.append(f"{customer} {euros}")

        app.replace("charge", charge)
        app.replace("record", record)

    def at(self, function: str, customer: str) -> Gate:
        """Return the gate at which calls of *function* for *customer* wait."""
        return self._gates.setdefault((function, customer), Gate(function))

    def open(self, customer: str) -> None:
        """Let all calls for *customer* return."""
        self.at("charge", customer).open()
        self.at("record", customer).open()

    async def reached(self, function: str, customer: str) -> bool:
        """Wait until *function* is being called for *customer*, or never will be."""
        return await eventually(lambda: self.at(function, customer).waiting > 0)

    def look(self) -> tuple[list[str], list[str]]:
        """Return who was charged and who is in the ledger, as they are now."""
        return sorted(self.charged), sorted(self.ledger)


class Venues:
    """Stands in for `find_seat()`; each call waits at a gate of its own.

    Attributes:
        ending: calls that are cancelled end when it opens.
    """

    def __init__(self, app: RunningApp) -> None:
        self.ending = Gate("the end of a call")
        self.all: list[tuple[str, Call]] = []

        async def find_seat(venue: str, show: str) -> str:
            call = Call(venue, f"{venue[0]}{len(show)}", self.ending)
            self.all.append((show, call))
            seat: str = await call.wait()
            return seat

        app.replace("find_seat", find_seat)

    def in_flight(self, show: str = "Hamlet") -> list[str]:
        """Return the venues that are being asked for *show* now."""
        return sorted(c.name for s, c in self.all if s == show and not c.over)

    def unended(self, show: str = "Hamlet") -> list[str]:
        """Return the same, and say of each call whether it has been cancelled."""
        calls = sorted(
            (call for s, call in self.all if s == show and not call.over),
            key=lambda call: call.name,
        )
        return [
            call.name + " (cancelled, but not yet ended)" * call.cancelled
            for call in calls
        ]

    async def are_asked(self, show: str = "Hamlet") -> bool:
        """Wait until all are being asked for *show*, or never will be."""
        return await eventually(lambda: self.in_flight(show) == [*VENUES])

    def of(self, venue: str, show: str = "Hamlet") -> Gate:
        """Return the gate of the last call of *venue* for *show*."""
        return [c.gate for s, c in self.all if (s, c.name) == (show, venue)][-1]

    async def end(self, sent: Sent, clock: Clock) -> bool:
        """Wait for the end of a request, and let calls end that it has to wait for."""
        await sent.over(clock)
        self.ending.open()
        over = await sent.over(clock)
        self.ending = Gate("the end of a call")
        return over
