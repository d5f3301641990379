"""uvicorn in a process of its own, with real signals and real child processes.

A server in the test's event loop cannot show what remains after it has ended. It takes
a second or two to start one, so a lesson has at most two tests that do.
"""

from __future__ import annotations

import asyncio
import re
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2

from workshop.processes.environment import environment_of_apps
from workshop.processes.family import family
from workshop.processes.loopback import loopback
from workshop.processes.supervised import SupervisedProcess
from workshop.testing.reporting.failures import StartupError, TimeLimitExceeded

if TYPE_CHECKING:
    import psutil

_MARK = "WORKSHOP_TEST_SERVER"
_READY = "Application startup complete."
_ADDRESS = re.compile(r"Uvicorn running on (http://\S+)")
_SECONDS = 60.0
"""The limit for a start or an end: a busy machine needs several seconds for either."""


class ServerProcess:
    """A server that runs in another process. Make one with `serve_process`.

    Attributes:
        url: the server's address, without a slash at the end.
        output: the lines that it has written so far, on both streams.

    """

    def __init__(self, supervised: SupervisedProcess, mark: str, workers: int) -> None:
        """Read the output of *supervised*, whose environment has *mark*."""
        self.url = ""
        self.output: list[str] = []
        self._supervised = supervised
        self._process: subprocess.Popen[str] = supervised.process
        self._mark = mark
        self._workers = workers
        self._news = threading.Condition()
        self._is_silent = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def exit_code(self) -> int | None:
        """The server's exit code, as `subprocess` gives it. None while it runs."""
        return self._process.poll()

    def client(self, **options: Any) -> httpx2.AsyncClient:
        """Return a new client of this server, which uses no proxy."""
        chosen = {"timeout": _SECONDS, "trust_env": False, **options}
        return httpx2.AsyncClient(base_url=self.url, **chosen)

    def children(self) -> list[psutil.Process]:
        """Return the running processes that the server has started.

        They are also found when their parent has ended, and when they have a session
        of their own.
        """
        found = family(_MARK, [self._mark])
        return [each for each in found if each.pid != self._process.pid]

    def terminate(self) -> None:
        """Ask the server to stop: SIGTERM, or Ctrl-Break on Windows."""
        if sys.platform == "win32":
            self._process.send_signal(signal.CTRL_BREAK_EVENT)
        else:
            self._process.terminate()

    async def ended(self) -> int:
        """Wait until the server has ended, and return its exit code.

        Raises:
            TimeLimitExceeded: if it did not end within a minute.

        """
        try:
            code = await asyncio.to_thread(self._process.wait, _SECONDS)
        except subprocess.TimeoutExpired:
            raise TimeLimitExceeded("The server process never ended.") from None
        return code

    async def started(self) -> None:
        """Wait until all workers have started the app.

        Raises:
            StartupError: if the server has ended, or has not started within a minute.

        """
        await asyncio.to_thread(self._until_started)
        if not self._has_started():
            raise StartupError(
                "The server process did not start. It wrote:\n" + "\n".join(self.output)
            )

    def _until_started(self) -> None:
        with self._news:
            self._news.wait_for(
                lambda: self._has_started() or self._is_silent, timeout=_SECONDS
            )

    def _has_started(self) -> bool:
        ready = sum(_READY in line for line in self.output)
        return bool(self.url) and ready >= self._workers

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._news:
                self.output.append(line.rstrip("\n"))
                if found := _ADDRESS.search(line):
                    self.url = found[1]
                self._news.notify_all()
        with self._news:
            self._is_silent = True
            self._news.notify_all()

    def kill(self) -> None:
        """Kill the server and all that it has started."""
        self._supervised.end()
        self._reader.join()
        self._supervised.close()


@asynccontextmanager
async def serving_process(
    file: Path, *, workers: int = 1, env: Mapping[str, str] | None = None
) -> AsyncIterator[ServerProcess]:
    """Serve the `app` in *file* with a uvicorn process for the length of the block.

    *env* is added to the environment. At the end the server is killed, with all
    processes that it has started.

    Raises:
        StartupError: if the server did not start.

    """
    mark = uuid.uuid4().hex
    server = await asyncio.to_thread(
        _start, file, workers, {**(env or {}), _MARK: mark}
    )
    process = ServerProcess(server, mark, workers)
    try:
        await process.started()
        yield process
    finally:
        await asyncio.to_thread(process.kill)


def _start(file: Path, workers: int, env: Mapping[str, str]) -> SupervisedProcess:
    command = [sys.executable, "-m", "uvicorn", f"{file.stem}:app"]
    command += ["--app-dir", str(file.parent), "--port", "0", "--no-access-log"]
    command += ["--host", loopback(), "--workers", str(workers), "--no-use-colors"]
    return SupervisedProcess(
        command,
        environment=environment_of_apps({"PYTHONUNBUFFERED": "1", **env}),
        grace=0,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    )
