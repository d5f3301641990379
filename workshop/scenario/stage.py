"""The stage of a scene: a started app, and customers who call it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from workshop.timeline.words import time

if TYPE_CHECKING:
    import httpx2

    from workshop.scenario.transport import RequestRun, StreamingTransport
    from workshop.testing import RunningApp


class Stage:
    """The app, and requests to it at set times.

    Attributes:
        app: the running app, as lesson tests know it. client: for requests that the
        scene sends itself. The httpx2 extension `customer`
            names their customer.
        requests: the responses to come.
        left_out: the functions whose lanes are not shown.

    """

    def __init__(
        self, app: RunningApp, client: httpx2.AsyncClient, transport: StreamingTransport
    ) -> None:
        self.app = app
        self.client = client
        self._transport = transport
        self.requests: list[asyncio.Future[httpx2.Response]] = []
        self.left_out: frozenset[str] = frozenset()
        self._headline: Callable[[], str] = str
        self._tasks: set[asyncio.Task[None]] = set()
        self._began = asyncio.get_running_loop().time()

    def request(
        self,
        method: str,
        path: str,
        *,
        customer: str = "",
        at: float | None = None,
        **options: Any,
    ) -> asyncio.Future[httpx2.Response]:
        """Send a request to *path*, and return the response to come.

        A request that is sent while the loop is blocked waits from then on, like one
        from outside. The scene need not wait for the response.

        Args:
            method: the HTTP method.
            path: the path.
            customer: who sends it. The lane of the request has this name.
            at: when to send it, in milliseconds of the scene; by default now.
            options: those of an httpx2 request.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[httpx2.Response] = loop.create_future()
        request = self.client.build_request(
            method, path, extensions={"customer": customer}, **options
        )
        # Timers for the same moment fire in any order. A nanosecond settles it.
        start = loop.time() if at is None else self._began + at / 1000
        when = start + len(self.requests) * 1e-9

        def call() -> None:
            # The request has a task of its own, so that it waits for the event loop
            # from the moment at which the customer called.
            run = self._transport.enter(request, when)
            task = loop.create_task(self._read(answer, run))
            self._tasks.add(task)

        self.requests.append(answer)
        loop.call_at(when, call)
        return answer

    def headline(self, words: Callable[[], str]) -> None:
        """Show the result of *words*, called after the scene, above the picture."""
        self._headline = words

    def leave_out(self, *functions: str) -> None:
        """Show no lanes of tasks that run these functions of the app.

        For tasks that only wait, where more lanes would hide what the picture shows.
        """
        self.left_out |= {*functions}

    def headline_words(self) -> str:
        """Return the headline; empty if the scene did not get far enough for one."""
        try:
            words = self._headline()
        except Exception:  # noqa: BLE001 -- what it reads may not exist
            return ""
        return f"{words[:1].upper()}{words[1:]}"

    def wait_of(self, customer: str) -> str:
        """Return how long *customer* waited: "Bob waited 300 ms"."""
        run = next(it for it in self._transport.runs if it.customer == customer)
        if run.answered is None:
            return f"{customer} got no response"
        return f"{customer} waited {time(1000 * max(0.0, run.answered - run.sent))}"

    async def at(self, milliseconds: float) -> None:
        """Wait until this many milliseconds into the scene."""
        left = self._began + milliseconds / 1000 - asyncio.get_running_loop().time()
        await asyncio.sleep(max(0.0, left))

    async def ended(self) -> None:
        """Wait until the app has finished every request."""
        await asyncio.gather(*self.requests, return_exceptions=True)
        await self._transport.empty()

    async def clear(self) -> None:
        """Cancel the requests that still have no response."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _read(
        self, answer: asyncio.Future[httpx2.Response], run: RequestRun
    ) -> None:
        try:
            response = await run.begun
            await response.aread()
        except Exception as problem:  # noqa: BLE001 -- raised where it is awaited
            answer.set_exception(problem)
            answer.exception()  # the scene need not await it
        else:
            answer.set_result(response)
