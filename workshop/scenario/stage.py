"""What a scene has to work with: a started app, and customers who call it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx2

    from workshop.lab import RunningApp


@dataclass(frozen=True)
class Answer:
    """What a customer got: a status, or 0 where there was no answer."""

    request: str
    status: int


class Stage:
    """The app, and requests to it at set times.

    Attributes:
        app: the running app, as lesson tests know it.
        client: for requests that the scene makes itself.
        answers: what customers got so far.

    """

    def __init__(self, app: RunningApp, client: httpx2.AsyncClient) -> None:
        self.app = app
        self.client = client
        self.answers: list[Answer] = []
        self.requests: list[asyncio.Future[httpx2.Response]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._began = asyncio.get_running_loop().time()

    def request(
        self, method: str, path: str, *, at: float = 0, **options: Any
    ) -> asyncio.Future[httpx2.Response]:
        """Let a customer call *path*, *at* so many milliseconds into the scene.

        Returns the answer to come; a scene need not wait for it. *options* are
        those of httpx2. Who calls while the loop is held waits from then on, as
        somebody outside would.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[httpx2.Response] = loop.create_future()

        def call() -> None:
            task = loop.create_task(self._call(answer, method, path, options))
            self._tasks.add(task)

        # Timers for the same moment go off in any order. A nanosecond settles it.
        when = self._began + at / 1000 + len(self.requests) * 1e-9
        self.requests.append(answer)
        loop.call_at(when, call)
        return answer

    async def at(self, milliseconds: float) -> None:
        """Wait until so many milliseconds into the scene."""
        left = self._began + milliseconds / 1000 - asyncio.get_running_loop().time()
        await asyncio.sleep(max(0.0, left))

    async def ended(self) -> None:
        """Wait until every request has been answered, or has failed."""
        await asyncio.gather(*self.requests, return_exceptions=True)

    async def clear(self) -> None:
        """Send away customers who are still waiting."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _call(
        self,
        answer: asyncio.Future[httpx2.Response],
        method: str,
        path: str,
        options: dict[str, Any],
    ) -> None:
        name = f"{method} {path}"
        try:
            response = await self.client.request(method, path, **options)
        except Exception as problem:  # noqa: BLE001 -- handed to who awaits it
            self.answers.append(Answer(name, 0))
            answer.set_exception(problem)
            answer.exception()  # nobody has to look at it
        else:
            self.answers.append(Answer(name, response.status_code))
            answer.set_result(response)
