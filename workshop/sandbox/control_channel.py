"""A worker's control channel: its job, and the signal to start."""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import select
import signal
import socket
import sys
import tempfile
import threading
from typing import IO, TYPE_CHECKING, Any, NoReturn

from workshop.grading.warm_up import rehearse

if TYPE_CHECKING:
    from workshop.grading.worker import Channel


_CALM_SECONDS = 0.2
"""How long a new process leaves the cores to the verdict before it."""


class ControlChannel:
    """Messages from a pipe, one per line: the job, then which tests if the job waits.

    The end of the pipe means that the result is no longer wanted, or that the parent
    process has ended. Then this process stops at once.
    """

    def __init__(self, descriptor: int, channel: Channel) -> None:
        self.channel = channel
        self._control: IO[str] = os.fdopen(descriptor, encoding="utf-8")

    def job(self) -> dict[str, Any]:
        """Return the job, and continue; a waiting job calls `wait_for_start` itself."""
        job: dict[str, Any] = json.loads(self._line())
        if not job["waits"]:
            self.channel.sign_with(job.pop("key"))
            self._stop_at_the_end()
        return job

    def wait_for_start(self) -> set[str]:
        """Wait for the signal to start, and return the names of the tests to run."""
        self.channel.send("ready")
        order = json.loads(self._line())
        self.channel.sign_with(order["key"])
        self._stop_at_the_end()
        return set(order["tests"])

    def _line(self) -> str:
        line = self._control.readline()
        if not line:
            stop()
        return line

    def _stop_at_the_end(self) -> None:
        threading.Thread(target=self._read_to_the_end, daemon=True).start()

    def _read_to_the_end(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._control.read()
        stop()


class ForkingControlChannel(ControlChannel):
    """Messages from a socket: a job, then any number of requests to fork.

    Each request comes with three descriptors and an environment. The forked process
    uses the descriptors as its own and receives its tests there, while this one waits
    for the next request. The end of the socket ends this process, but not those that it
    has forked.
    """

    def __init__(self, descriptor: int, channel: Channel) -> None:
        self.channel = channel
        self._socket = socket.socket(fileno=descriptor)

    def job(self) -> dict[str, Any]:
        """Return the job that every forked process will run."""
        message = self._socket.recv(1 << 16)
        if not message:
            stop()
        job: dict[str, Any] = json.loads(message)
        return job

    def wait_for_start(self) -> set[str]:
        """Return in each forked process when it may start; never in this one."""
        if sys.platform != "linux":
            raise NotImplementedError
        if len(os.listdir("/proc/self/task")) > 1:  # noqa: PTH208 -- only counted
            # A lock that another thread holds would be held forever after a fork.
            self.channel.send("unfit")
            stop()
        self.channel.send("ready")
        woken, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        while True:
            ready = select.select([self._socket.fileno(), woken], [], [])[0]
            if woken in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(woken, 1 << 16)
                self._reap()
            if self._socket.fileno() not in ready:
                continue
            message, descriptors, _, _ = socket.recv_fds(self._socket, 1 << 16, 3)
            if not message:
                stop()
            request = json.loads(message)
            pid = os.fork()
            if not pid:
                os.close(woken)
                os.close(wake)
                self._become(request, descriptors)
                self._use_the_wait()
                return super().wait_for_start()
            for descriptor in descriptors:
                os.close(descriptor)
            self.channel.send("forked", child=pid, number=request["number"])

    def _use_the_wait(self) -> None:
        """Rehearse, unless the signal to start comes at once."""
        if not select.select([self._control], [], [], _CALM_SECONDS)[0]:
            rehearse()

    def _reap(self) -> None:
        """Reap forked processes that have ended, and report their exit codes."""
        if sys.platform != "linux":
            raise NotImplementedError
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    return
                code = os.waitstatus_to_exitcode(status)
                self.channel.send("reaped", child=pid, code=code)

    def _become(self, request: dict[str, Any], descriptors: list[int]) -> None:
        """Turn the forked process into an independent one, as if newly started."""
        if sys.platform != "linux":
            raise NotImplementedError
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._socket.close()
        control, output, events = descriptors
        for descriptor in (1, 2):
            os.dup2(output, descriptor)
        os.close(output)
        self._control = os.fdopen(control, encoding="utf-8")
        os.environ.update(request["environment"])
        tempfile.tempdir = None  # it caches the folder of the other process
        stream = os.fdopen(events, "w", encoding="utf-8", buffering=1)
        self.channel.adopt(stream)
        faulthandler.enable(stream)


def stop() -> NoReturn:
    """End this process, and its group if it leads one."""
    if sys.platform != "win32" and os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(1)


def rest() -> NoReturn:
    """Wait to be ended."""
    while True:
        threading.Event().wait()
