"""Start processes that end when the front end ends, even if it is killed."""

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
from workshop.processes.marks import OWNER, PROCESS, SUPERVISOR_MODULE
from workshop.processes.supervisor import AT_ONCE, GRACE_SECONDS

if TYPE_CHECKING:
    import psutil

# On Windows a wait without a timeout cannot be interrupted.
_WAIT_SECONDS = 0.2 if sys.platform == "win32" else None


class _Supervisor:
    """This process's supervisor, started on first use."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pid = 0
        self._pipe = -1
        self._owner = ""

    def owner(self) -> str:
        """Return this process's name for `OWNER`, after starting the supervisor."""
        with self._lock:
            if self._pid != os.getpid():  # after a fork
                self._start()
                self._pid = os.getpid()
            return self._owner

    def _start(self) -> None:
        self._owner = name_of_process()
        environment = environment_of_tests({"PYTHONPATH": str(ROOT)})
        # Another supervisor must not end this one.
        environment.pop(OWNER, None)
        environment.pop(PROCESS, None)
        theirs, self._pipe = os.pipe()
        try:
            process = subprocess.Popen(
                [sys.executable, "-m", SUPERVISOR_MODULE, self._owner],
                cwd=tempfile.gettempdir(),
                env=environment,
                stdin=theirs,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                **own_group(),
            )
        finally:
            os.close(theirs)
        # It outlives this process, so there is no wait for it.
        process.returncode = 0

    def hurry(self) -> None:
        """Make the supervisor kill everything at once when this process ends."""
        if self._pid == os.getpid():
            with contextlib.suppress(OSError):
                os.write(self._pipe, AT_ONCE)


_supervisor = _Supervisor()
hurry = _supervisor.hurry


def supervised(environment: Mapping[str, str]) -> dict[str, str]:
    """Return *environment* for a process that has to end when this one ends.

    The supervisor ends all processes that have this environment when this one is gone.
    """
    return {**environment, OWNER: _supervisor.owner()}


class SupervisedProcess:
    """A command that ends at the end of its block, or when this process ends.

    It runs in its own session, so Ctrl-C in the terminal only reaches this process.
    With *in_foreground* it shares our session, so that it can read from the terminal.
    Leaving the block sends the equivalent of Ctrl-C, so the program can shut down
    cleanly. After *grace* seconds it is killed. Processes that it leaves behind are
    always killed. The streams are those of `subprocess.Popen`.
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
        """Return the supervised process."""
        return self

    def __exit__(self, *exc: object) -> None:
        """End the process and everything that it has started."""
        self.close()

    def poll(self) -> int | None:
        """Return the exit code, or None while the process runs."""
        return self.process.poll()

    def wait(self) -> int:
        """Wait until the process ends and return its exit code."""
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return self.process.wait(_WAIT_SECONDS)

    def interrupt(self) -> None:
        """Ask the process and its group to end, as Ctrl-C would."""
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
        """End the process and close its streams."""
        self.end()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()

    def end(self) -> None:
        """End the process and everything that it has started, and wait for that."""
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
        # Without psutil nothing is installed yet that could start other processes.
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
    """Run *command* on our own streams until it ends, and return its exit code."""
    with SupervisedProcess(
        command, environment=environment, cwd=cwd, grace=grace
    ) as process:
        return process.wait()


def own_group() -> dict[str, Any]:
    """Return the arguments of `subprocess.Popen` that start a separate process group.

    Ctrl-C in the terminal does not reach that group.
    """
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}
