"""What a scene works with: a started app, and clients that call it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx2

    from workshop.scenario.transport import RequestRun, StreamingTransport
    from workshop.testing import RunningApp


@dataclass(frozen=True)
class Answer:
    """The response to a client: its status, or 0 if there was none.

    `at` is when the client had all of it, and `over` when the app had finished the
    request, in milliseconds of the scene; None until then.
    """

    request: str
    status: int
    at: float
    run: RequestRun
    began: float

    @property
    def over(self) -> float | None:
        """When the app was done, in milliseconds of the scene; None while it is not."""
        over = self.run.over
        return None if over is None else 1000 * (over - self.began)


class Stage:
    """The app, and requests to it at set times.

    Attributes:
        app: the running app, as lesson tests know it.
        client: for requests that the scene makes itself.
        answers: the responses so far.
        told: the scene's notes so far, each with its millisecond.

    """

    def __init__(
        self, app: RunningApp, client: httpx2.AsyncClient, transport: StreamingTransport
    ) -> None:
        self.app = app
        self.client = client
        self._transport = transport
        self.answers: list[Answer] = []
        self.told: list[tuple[str, float]] = []
        self.requests: list[asyncio.Future[httpx2.Response]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._began = asyncio.get_running_loop().time()

    def request(
        self, method: str, path: str, *, at: float | None = None, **options: Any
    ) -> asyncio.Future[httpx2.Response]:
        """Send a request to *path*, *at* this many milliseconds into the scene, or now.

        Returns the response to come; a scene need not wait for it. *options* are those
        of httpx2. A request that is sent while the loop is blocked waits from then on,
        like one from outside.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[httpx2.Response] = loop.create_future()

        request = self.client.build_request(method, path, **options)

        def call() -> None:
            # The task that is made here is the request's own, so that it waits for
            # its turn from the moment at which the customer called.
            run = self._transport.enter(request)
            task = loop.create_task(self._read(answer, run, f"{method} {path}"))
            self._tasks.add(task)

        # Timers for the same moment go off in any order. A nanosecond settles it.
        start = loop.time() if at is None else self._began + at / 1000
        when = start + len(self.requests) * 1e-9
        self.requests.append(answer)
        loop.call_at(when, call)
        return answer

    def tell(self, words: str) -> None:
        """Write under the picture what happens now: "Ann reads that A1 is sold"."""
        now = asyncio.get_running_loop().time()
        self.told.append((words, 1000 * (now - self._began)))

    async def at(self, milliseconds: float) -> None:
        """Wait until this many milliseconds into the scene."""
        left = self._began + milliseconds / 1000 - asyncio.get_running_loop().time()
        await asyncio.sleep(max(0.0, left))

    async def ended(self) -> None:
        """Wait until the app has finished every request."""
        await asyncio.gather(*self.requests, return_exceptions=True)
        await self._transport.empty()

    async def clear(self) -> None:
        """Cancel the requests that are still waiting."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _read(
        self, answer: asyncio.Future[httpx2.Response], run: RequestRun, name: str
    ) -> None:
        try:
            response = await run.begun
            await response.aread()
        except Exception as problem:  # noqa: BLE001 -- raised where it is awaited
            self._note(name, 0, run)
            answer.set_exception(problem)
            answer.exception()  # nobody has to look at it
        else:
            self._note(name, response.status_code, run)
            answer.set_result(response)

    def _note(self, name: str, status: int, run: RequestRun) -> None:
        at = 1000 * (asyncio.get_running_loop().time() - self._began)
        self.answers.append(Answer(name, status, at, run, self._began))
