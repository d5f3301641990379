"""A real uvicorn inside the test's own event loop.

The in-process client can neither close a connection half-way nor read slowly. A client
of a server on a real socket can, and the test still shares its gates with the app.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import uvicorn

from workshop.processes.loopback import bracketed, family_of, loopback
from workshop.testing.app.application import RunningApp, let_go
from workshop.testing.reporting.failures import StartupError, TimeLimitExceeded
from workshop.testing.time.clock import ManualClockLoop
from workshop.testing.time.debugging import real_seconds
from workshop.testing.time.limits import LIMIT_SECONDS, end, fail_after

_log = logging.getLogger("uvicorn.error")


class OwnWords(logging.Filter):
    """Filters out uvicorn's messages on its startup and shutdown, and repeated errors.

    Startup and shutdown belong to the test, and an error of *app* was already reported
    with its request. Messages that the app writes to the same logger stay, and so do
    uvicorn's own warnings and errors.
    """

    _folder = str(Path(uvicorn.__file__).parent)

    def __init__(self, app: RunningApp) -> None:
        """Listen while *app* is served."""
        super().__init__()
        self._app = app

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether *record* may be shown."""
        if not record.pathname.startswith(self._folder):
            return True
        if record.levelno < logging.WARNING:
            return False
        error = record.exc_info[1] if record.exc_info else None
        return not any(error is known for known in self._app.errors)


class Server(uvicorn.Server):
    """uvicorn on a port that the system chose. Make one with the `serve` fixture."""

    def __init__(self, config: uvicorn.Config, listening: socket.socket) -> None:
        """Serve *config* on *listening*."""
        super().__init__(config)
        host, port = listening.getsockname()[:2]
        self.host: str = host
        self.port: int = port
        self._listening = listening
        self._task: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """The server's address, without a slash at the end."""
        return f"http://{bracketed(self.host)}:{self.port}"

    def client(self, **options: Any) -> httpx2.AsyncClient:
        """Return a new client that talks to this server over the network.

        It ignores proxies named in the environment, because none of them can reach this
        machine's loopback address.
        """
        limit = real_seconds(LIMIT_SECONDS)
        chosen = {"timeout": limit, "trust_env": False, **options}
        return httpx2.AsyncClient(base_url=self.url, **chosen)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the process's signal handlers to pytest."""
        yield

    async def up(self) -> None:
        """Start, and return when connections are accepted.

        Raises:
            StartupError: if the app's startup failed.
            TimeLimitExceeded: if it was not complete within the outer limit.

        """
        self._task = asyncio.get_running_loop().create_task(
            self._serve_until_told(), name="uvicorn"
        )
        await fail_after(self._until_started(), "The server never started.")
        if not self.started:
            raise StartupError("The app's start-up failed, so uvicorn gave up.")

    async def stop(self) -> None:
        """Stop as on SIGTERM: accept no new connections and wait for the open ones.

        Raises:
            TimeLimitExceeded: if connections were still open at the outer limit.

        """
        if self._task is None or self._task.done():
            return
        self.should_exit = True
        await fail_after(
            asyncio.wait({self._task}),
            never="The server never stopped: it waits for a connection that is open.",
        )

    async def kill(self) -> None:
        """Stop without waiting for open connections."""
        self.should_exit = self.force_exit = True
        if self._task is not None and not self._task.done():
            with contextlib.suppress(TimeLimitExceeded):
                await fail_after(asyncio.wait({self._task}), never="")
            await end(self._task)
        self._listening.close()

    async def _serve_until_told(self) -> None:
        # uvicorn leaves by SystemExit when it cannot start.
        with contextlib.suppress(SystemExit):
            await self.serve(sockets=[self._listening])

    async def _until_started(self) -> None:
        assert self._task is not None
        # uvicorn has no event for it. It takes a few turns of the loop.
        while not self.started and not self._task.done():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


@asynccontextmanager
async def serving(app: RunningApp, **options: Any) -> AsyncIterator[Server]:
    """Serve *app* for the length of the block; *options* are uvicorn's.

    If the app has been started, its lifespan continues; otherwise uvicorn runs it. At
    the end all gates open and the server stops.

    Raises:
        StartupError: if the app's startup failed.
        TimeLimitExceeded: if the server did not start or stop within the outer limit.

    """
    assert not isinstance(asyncio.get_running_loop(), ManualClockLoop), (
        "uvicorn lives by the loop's time: use `serve` or `clock`, not both"
    )
    host = loopback()
    listening = socket.socket(family_of(host))
    listening.bind((host, 0))
    chosen = {
        "lifespan": "off" if app.started else "on",
        "log_config": None,
        "access_log": False,
        # A bound method: uvicorn would take it for the older, two-step interface.
        "interface": "asgi3",
        **options,
    }
    server = Server(uvicorn.Config(app.asgi, **chosen), listening)
    own_words = OwnWords(app)
    _log.addFilter(own_words)
    try:
        await server.up()
        yield server
        let_go(app)
        await server.stop()
    finally:
        let_go(app)
        await server.kill()
        _log.removeFilter(own_words)
