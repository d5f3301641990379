"""Start processes that end with the front end, however that ends."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workshop.paths import ROOT
from workshop.processes.environment import environment_of_tests
from workshop.processes.liveness import name_of_process
from workshop.processes.marks import OWNER, PROCESS, SUPERVISOR
from workshop.processes.supervisor import AT_ONCE, GRACE_SECONDS

if TYPE_CHECKING:
    import psutil

# Without a timeout a wait cannot be interrupted on Windows.
_WAIT_SECONDS = 0.2 if sys.platform == "win32" else None


class _Supervisor:
    """This process's supervisor, started when it is first needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pid = 0
        self._pipe = -1
        self._owner = ""

    def owner(self) -> str:
        """Return this process's name for `OWNER`, once there is a supervisor."""
        with self._lock:
            if self._pid != os.getpid():  # a fork has none yet
                self._start()
                self._pid = os.getpid()
            return self._owner

    def _start(self) -> None:
        self._owner = name_of_process()
        own = {"PYTHONPATH": str(ROOT), SUPERVISOR: "1"}
        environment = environment_of_tests(own)
        # No other supervisor is to end this one.
        environment.pop(OWNER, None)
        environment.pop(PROCESS, None)
        theirs, self._pipe = os.pipe()
        try:
            process = subprocess.Popen(
                [sys.executable, "-m", "workshop.processes.supervisor", self._owner],
                cwd=tempfile.gettempdir(),
                env=environment,
                stdin=theirs,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                **own_group(),
            )
        finally:
            os.close(theirs)
        # It ends after this process, so nobody waits for it.
        process.returncode = 0

    def hurry(self) -> None:
        """Let everything be killed at once when this process ends."""
        if self._pid == os.getpid():
            with contextlib.suppress(OSError):
                os.write(self._pipe, AT_ONCE)


_supervisor = _Supervisor()
hurry = _supervisor.hurry


def supervised(environment: Mapping[str, str]) -> dict[str, str]:
    """Return *environment* for a process that is to end with this one.

    Whatever is started with it is ended by the supervisor if this process is gone.
    """
    return {**environment, OWNER: _supervisor.owner()}


class SupervisedProcess:
    """A command that ends with its block, or with this process, in whatever way.

    It gets a session of its own, so that Ctrl-C in the terminal is for this process
    alone. *in_foreground* it shares ours, so that it can read from the terminal.
    Leaving the block sends what Ctrl-C would, so the program's own shutdown code runs.
    After *grace* seconds it is killed; what it has started and left behind is killed
    in any case. The streams are those of `subprocess.Popen`.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        environment: Mapping[str, str],
        cwd: Path | None = None,
        grace: float = GRACE_SECONDS,
        in_foreground: bool = False,
        **streams: Any,
    ) -> None:
        self._name = uuid.uuid4().hex
        self._has_group = not in_foreground
        self._grace = grace
        self._ended = False
        self.process: subprocess.Popen[Any] = subprocess.Popen(
            command,
            cwd=cwd,
            env={**supervised(environment), PROCESS: self._name},
            **(own_group() if self._has_group else {}),
            **streams,
        )

    def __enter__(self) -> SupervisedProcess:
        """Return the process itself."""
        return self

    def __exit__(self, *exc: object) -> None:
        """End it and all that it has started."""
        self.close()

    def poll(self) -> int | None:
        """Return the exit code, None while it runs."""
        return self.process.poll()

    def wait(self) -> int:
        """Wait for its end and return the exit code."""
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return self.process.wait(_WAIT_SECONDS)

    def interrupt(self) -> None:
        """Ask it and its group to end, as Ctrl-C would."""
        if self.poll() is not None:
            return
        with contextlib.suppress(OSError, ValueError):
            if not self._has_group:
                self.process.send_signal(signal.SIGINT)
            elif sys.platform == "win32":
                self.process.send_signal(signal.CTRL_BREAK_EVENT)
            else:
                os.killpg(self.process.pid, signal.SIGINT)

    def close(self) -> None:
        """End it, and let go of its streams."""
        self.end()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()

    def end(self) -> None:
        """End it and all that it has started, and wait for that."""
        if self._ended:
            return
        known = _descendants(self.process.pid) if self.poll() is None else []
        self.interrupt()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(self._grace)
        if self.poll() is None:
            known += _descendants(self.process.pid)
            self.process.kill()
            self.process.wait()
        # Without psutil nothing is installed yet that could start anything.
        with contextlib.suppress(ImportError):
            from workshop.processes.family import kill_family

            leader = self.process.pid
            kill_family(PROCESS, {self._name}, leader=leader, known=known)
        self._ended = True


def _descendants(pid: int) -> list[psutil.Process]:
    try:
        import psutil
    except ImportError:
        return []
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []


def call(
    command: Sequence[str | Path],
    *,
    environment: Mapping[str, str],
    cwd: Path | None = None,
    grace: float = GRACE_SECONDS,
) -> int:
    """Run *command* to its end on our own streams, and return its exit code."""
    with SupervisedProcess(
        command, environment=environment, cwd=cwd, grace=grace
    ) as process:
        return process.wait()


def own_group() -> dict[str, Any]:
    """Return the arguments of `subprocess.Popen` for a group of one's own.

    Ctrl-C in the terminal does not reach it.
    """
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}
