"""The channel that tells a worker its job and when to start.

A worker reads it from standard input. If the other end is closed, no result is wanted
any more, or the process that started the worker has ended. Then the worker ends at
once.
"""

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
from collections.abc import Callable
from typing import IO, Any, NoReturn

from workshop.sandbox.event_channel import EventChannel

_CALM_SECONDS = 0.2
"""A new process stays idle for this long: the verdict before may need the cores."""


class ControlChannel:
    """Receives commands through a pipe, one line of JSON each."""

    def __init__(self, descriptor: int, channel: EventChannel) -> None:
        self.channel = channel
        self._control: IO[str] = os.fdopen(descriptor, encoding="utf-8")

    def job(self) -> dict[str, Any]:
        """Return the job. If it `waits`, call `wait_for_start` before its tests."""
        job: dict[str, Any] = json.loads(self._line())
        if not job["waits"]:
            self.channel.sign_with(job.pop("key"))
            self._end_with_the_pipe()
        return job

    def wait_for_start(self) -> list[str]:
        """Wait for the start command; return the names of the tests, in their order."""
        self.channel.send("ready")
        order = json.loads(self._line())
        self.channel.sign_with(order["key"])
        self._end_with_the_pipe()
        return list(order["tests"])

    def _line(self) -> str:
        line = self._control.readline()
        if not line:
            stop()
        return line

    def _end_with_the_pipe(self) -> None:
        threading.Thread(target=self._read_to_the_end, daemon=True).start()

    def _read_to_the_end(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._control.read()
        stop()


class ForkingControlChannel(ControlChannel):
    """Receives from a socket a job, then any number of requests to fork.

    Each request carries three descriptors and environment variables. The forked process
    takes the descriptors over and receives its start command there, while this process
    waits for the next request. When the socket is closed, this process ends, but the
    forked ones go on.

    Args:
        descriptor: the socket.
        channel: where events are reported.
        rehearse: called once in each forked process while it has nothing to do.

    """

    def __init__(
        self, descriptor: int, channel: EventChannel, rehearse: Callable[[], None]
    ) -> None:
        self.channel = channel
        self._rehearse = rehearse
        self._socket = socket.socket(fileno=descriptor)

    def job(self) -> dict[str, Any]:
        """Return the job that every forked process will run."""
        message = self._socket.recv(1 << 16)
        if not message:
            stop()
        job: dict[str, Any] = json.loads(message)
        return job

    def wait_for_start(self) -> list[str]:
        """Return the names of the tests to run, in each forked process; never here."""
        if sys.platform != "linux":
            raise NotImplementedError
        if len(os.listdir("/proc/self/task")) > 1:  # noqa: PTH208 -- only counted
            # A lock that another thread holds would stay locked after a fork.
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
                self._rehearse_if_idle()
                return super().wait_for_start()
            for descriptor in descriptors:
                os.close(descriptor)
            self.channel.send("forked", child=pid, number=request["number"])

    def _rehearse_if_idle(self) -> None:
        """Rehearse, unless the start command comes at once."""
        if not select.select([self._control], [], [], _CALM_SECONDS)[0]:
            self._rehearse()

    def _reap(self) -> None:
        """Report each forked process that has ended, with its exit code."""
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
        """Make this forked process independent, as if newly started."""
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
        tempfile.tempdir = None  # It caches the folder of the other process.
        stream = os.fdopen(events, "w", encoding="utf-8", buffering=1)
        self.channel.adopt(stream)
        faulthandler.enable(stream)


def stop() -> NoReturn:
    """End this process, and its group if it leads one."""
    if sys.platform != "win32" and os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(1)


def wait_to_be_ended() -> NoReturn:
    """Block until another process ends this one."""
    while True:
        threading.Event().wait()
