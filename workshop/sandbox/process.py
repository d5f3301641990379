"""A worker as the operating system sees it: a new process, or a fork of one."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from typing import IO, Any, Protocol

import psutil

from workshop.paths import ROOT
from workshop.processes.supervised import own_group, supervised
from workshop.sandbox.markers import RUN_ID

_PATIENCE_SECONDS = 5.0
"""How long a killed process may take to end."""


class Running(Protocol):
    """A process with pipes for its control, its events and its output."""

    control: IO[bytes]
    events: IO[bytes]
    output: IO[bytes]

    @property
    def pid(self) -> int | None:
        """The process's id; None while it is not known."""

    def poll(self) -> int | None:
        """Return the exit code; None while it runs."""

    def wait(self) -> None:
        """Wait until it has ended."""

    def kill(self) -> None:
        """Kill it and its group."""

    def close(self) -> None:
        """Wait until it has ended, and close its control."""


class Spawned:
    """A new process that runs the module *worker*."""

    def __init__(self, worker: str, environment: Mapping[str, str]) -> None:
        self._process = _start([worker], environment)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self.control: IO[bytes] = self._process.stdin
        self.output: IO[bytes] = self._process.stdout
        self.events: IO[bytes] = self._process.stderr

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def poll(self) -> int | None:
        """Return the exit code; None while it runs."""
        return self._process.poll()

    def wait(self) -> None:
        """Wait until it has ended."""
        self._process.wait()

    def kill(self) -> None:
        """Kill it and its group."""
        _kill_group(self._process.pid)
        with contextlib.suppress(OSError):
            self._process.kill()

    def close(self) -> None:
        """Wait until it has ended, and close its control."""
        self._process.wait()
        with contextlib.suppress(OSError):
            self.control.close()


class ForkServer:
    """A fork server: a worker that has prepared everything, and forks one per run.

    A forked process is ready at once. It is as clean as a new one, because nothing that
    an answer does can reach the fork server's memory. Forking is safe only on Linux and
    while the fork server has a single thread; `is_fit` says whether that is so.

    Args:
        worker: the module to run.
        environment: all its environment variables, including `RUN_ID`.
        job: what every forked process will do.

    """

    def __init__(
        self, worker: str, environment: Mapping[str, str], job: Mapping[str, Any]
    ) -> None:
        self.run_id = environment[RUN_ID]
        self.is_fit = True
        self.was_ready = False
        self._forks: dict[int, ForkedProcess] = {}
        self._numbers = 0
        self._lock = threading.Lock()
        self._socket, theirs = _pair_of_sockets()
        with theirs:
            self._process = _start([worker, "--fork-server"], environment, theirs)
        self._socket.send(json.dumps({**job, "waits": True}).encode())
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @staticmethod
    def is_possible() -> bool:
        """Return whether this system can fork safely."""
        return sys.platform == "linux"

    def fork(self, environment: Mapping[str, str]) -> ForkedProcess:
        """Request a fork whose environment includes *environment*, and return it."""
        if sys.platform != "linux":
            raise NotImplementedError
        with self._lock:
            self._numbers += 1
            forked = self._forks[self._numbers] = ForkedProcess()
        request = {"number": self._numbers, "environment": dict(environment)}
        theirs = forked.their_ends
        try:
            socket.send_fds(self._socket, [json.dumps(request).encode()], theirs)
        except OSError:
            self._lost()
        finally:
            for descriptor in theirs:
                os.close(descriptor)
        return forked

    def owns(self, process: psutil.Process) -> bool:
        """Return whether *process* is the fork server or was forked by request."""
        return self._process.pid in (process.pid, process.ppid())

    def end(self) -> None:
        """End the fork server and all that it has forked."""
        self._socket.close()
        _kill_group(self._process.pid)
        self._process.wait()
        self._reader.join()

    def _read(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as pipe:
            for raw in pipe:
                try:
                    event = json.loads(raw)
                    kind = event["event"]
                except (ValueError, KeyError, TypeError):
                    continue
                with self._lock:
                    if kind == "ready":
                        self.was_ready = True
                    elif kind == "forked":
                        self._forks[event["number"]].started(event["child"])
                    elif kind == "reaped":
                        self._reaped(event["child"], event["code"])
                    elif kind in ("unfit", "done", "broken"):
                        _kill_group(self._process.pid)
        self._lost()

    def _reaped(self, pid: int, code: int) -> None:
        for number, forked in self._forks.items():
            if forked.pid == pid:
                forked.exited(code)
                del self._forks[number]
                return

    def _lost(self) -> None:
        """Note that the fork server has ended and will report nothing more."""
        with self._lock:
            self.is_fit = False
            for forked in self._forks.values():
                forked.abandoned()
            self._forks.clear()


class ForkedProcess:
    """A process that a fork server has forked, or will fork shortly."""

    def __init__(self) -> None:
        control, write = os.pipe()
        read, output = os.pipe()
        listen, events = os.pipe()
        self.their_ends = [control, output, events]
        self.control: IO[bytes] = open(write, "wb")  # noqa: PTH123, SIM115 -- a pipe
        self.output: IO[bytes] = open(read, "rb")  # noqa: PTH123, SIM115 -- a pipe
        self.events: IO[bytes] = open(listen, "rb")  # noqa: PTH123, SIM115 -- a pipe
        self.pid: int | None = None
        self._code: int | None = None
        self._over = threading.Event()
        self._killed = False

    def started(self, pid: int) -> None:
        """Note its process id."""
        self.pid = pid
        if self._killed:
            self.kill()

    def exited(self, code: int) -> None:
        """Record its exit code."""
        self._code = code
        self._over.set()

    def abandoned(self) -> None:
        """Kill it: the fork server has ended, so its end would not be reported."""
        if self.pid is not None:
            with contextlib.suppress(psutil.Error):
                psutil.Process(self.pid).kill()
        self._over.set()

    def poll(self) -> int | None:
        """Return the exit code; None while it runs."""
        return self._code

    def wait(self) -> None:
        """Wait until it has ended."""
        self._over.wait(_PATIENCE_SECONDS)

    def kill(self) -> None:
        """Kill it and its group, or as soon as it exists."""
        if sys.platform != "linux":
            raise NotImplementedError
        self._killed = True
        if self.pid is None:
            return
        _kill_group(self.pid)  # the group may outlive its first process
        if not self._over.is_set():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """Wait until it has ended, and close its control."""
        with contextlib.suppress(OSError):
            self.control.close()
        self.wait()


def _pair_of_sockets() -> tuple[socket.socket, socket.socket]:
    if sys.platform != "linux":
        raise NotImplementedError
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def _start(
    module: list[str], environment: Mapping[str, str], stdin: Any = subprocess.PIPE
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", *module],
        cwd=ROOT,
        env=supervised(environment),
        stdin=stdin,
        stdout=subprocess.PIPE if stdin is subprocess.PIPE else subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        # A separate session, so that the whole group can be ended at once.
        **own_group(),
    )


def _kill_group(pid: int) -> None:
    if sys.platform != "win32":
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
