"""The operating system's side of a worker: a process of ours, or a fork of one."""

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
from pathlib import Path
from typing import IO, Any, Protocol

import psutil

from workshop.processes.supervised import own_group, supervised
from workshop.sandbox.markers import RUN_ID

_PATIENCE_SECONDS = 5.0
"""How long a process that was killed may take to be gone."""


class Running(Protocol):
    """A process with a pipe for its control, one for its events, one for its output."""

    control: IO[bytes]
    events: IO[bytes]
    output: IO[bytes]

    @property
    def pid(self) -> int | None:
        """Its number, None while it is not known."""

    def poll(self) -> int | None:
        """Return its exit code, None while it runs."""

    def wait(self) -> None:
        """Wait until it has ended."""

    def kill(self) -> None:
        """Kill it and its group."""

    def close(self) -> None:
        """Wait until it is gone, and let go of it."""


class Spawned:
    """A process that was started from nothing."""

    def __init__(self, root: Path, environment: Mapping[str, str]) -> None:
        self._process = _start(root, environment, [])
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self.control: IO[bytes] = self._process.stdin
        self.output: IO[bytes] = self._process.stdout
        self.events: IO[bytes] = self._process.stderr

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    def poll(self) -> int | None:
        """Return its exit code, None while it runs."""
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
        """Wait until it is gone, and close its control."""
        self._process.wait()
        with contextlib.suppress(OSError):
            self.control.close()


class ForkServer:
    """A worker that has done all that needs no answer, and forks one for each run.

    A forked process is ready at once, and as fresh as a new one: nothing that
    an answer does can reach the stem's memory. Only where forking is safe:
    on Linux, and while the stem has a single thread. `is_fit` tells.
    """

    def __init__(
        self, root: Path, environment: Mapping[str, str], job: Mapping[str, Any]
    ) -> None:
        self.badge = environment[RUN_ID]
        self.is_fit = True
        self.was_ready = False
        self._forks: dict[int, ForkedProcess] = {}
        self._numbers = 0
        self._lock = threading.Lock()
        self._socket, theirs = _pair_of_sockets()
        with theirs:
            self._process = _start(root, environment, ["--stem"], stdin=theirs)
        self._socket.send(json.dumps({**job, "waits": True}).encode())
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @staticmethod
    def is_possible() -> bool:
        """Whether this system can fork safely."""
        return sys.platform == "linux"

    def fork(self, environment: Mapping[str, str]) -> ForkedProcess:
        """Return a process that is being forked, with *environment* added to it."""
        if sys.platform != "linux":
            raise NotImplementedError
        with self._lock:
            self._numbers += 1
            forked = self._forks[self._numbers] = ForkedProcess(self)
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
        """Whether *process* is the stem, or was forked from it by request."""
        return self._process.pid in (process.pid, process.ppid())

    def end(self) -> None:
        """End the stem. What was forked from it is ended one by one."""
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
        """Nobody is there any more to tell how the forked ones end."""
        with self._lock:
            self.is_fit = False
            for forked in self._forks.values():
                forked.abandoned()
            self._forks.clear()


class ForkedProcess:
    """A process that was forked from a stem, or is about to be."""

    def __init__(self, stem: ForkServer) -> None:
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
        """Note the number that it was given."""
        self.pid = pid
        if self._killed:
            self.kill()

    def exited(self, code: int) -> None:
        """Note how it ended."""
        self._code = code
        self._over.set()

    def abandoned(self) -> None:
        """Note that nobody will tell how it ends: its stem is gone."""
        if self.pid is not None:
            with contextlib.suppress(psutil.Error):
                psutil.Process(self.pid).kill()
        self._over.set()

    def poll(self) -> int | None:
        """Return its exit code, None while it runs."""
        return self._code

    def wait(self) -> None:
        """Wait until it has ended."""
        self._over.wait(_PATIENCE_SECONDS)

    def kill(self) -> None:
        """Kill it and its group, or as soon as it is there."""
        if sys.platform != "linux":
            raise NotImplementedError
        self._killed = True
        if self.pid is None:
            return
        _kill_group(self.pid)  # Others may be in it when the first has ended.
        if not self._over.is_set():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """Wait until it is gone, and close its control."""
        with contextlib.suppress(OSError):
            self.control.close()
        self.wait()


def _pair_of_sockets() -> tuple[socket.socket, socket.socket]:
    if sys.platform != "linux":
        raise NotImplementedError
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def _start(
    root: Path,
    environment: Mapping[str, str],
    arguments: list[str],
    *,
    stdin: Any = subprocess.PIPE,
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "workshop.grading.worker", *arguments],
        cwd=root,
        env=supervised(environment),
        stdin=stdin,
        stdout=subprocess.PIPE if stdin is subprocess.PIPE else subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        # The whole group can be ended at once.
        **own_group(),
    )


def _kill_group(pid: int) -> None:
    if sys.platform != "win32":
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
