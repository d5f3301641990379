"""Find all processes that one of ours has started, directly or indirectly.

Every process inherits its parent's environment. So an environment variable with a
unique value identifies all of them, including those that have left the process group
and those whose parents have ended.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Collection, Iterable

import psutil

from workshop.processes.marks import OWNER, PROCESS, SUPERVISOR_MODULE

_ROUNDS = 10


def family(
    variable: str, values: Collection[str], *, leader: int | None = None
) -> list[psutil.Process]:
    """Return the running processes whose environment has one of *values*.

    Also included are the sessions that they lead, all their descendants (in case one
    has cleared its environment), and the session that the process *leader* led before
    it ended. This process and supervisors are never included.
    """
    marked, others = [], []
    for process in psutil.process_iter():
        if process.pid == os.getpid():
            continue
        environment = _environment(process)
        if environment.get(variable) in values:
            marked.append(process)
        else:
            others.append(process)
    sessions = {process.pid for process in marked}
    # The system does not reuse a process id while it identifies a session.
    if leader is not None and not psutil.pid_exists(leader):
        sessions.add(leader)
    found = marked + [it for it in others if _session(it.pid) in sessions]
    for process in list(found):
        with contextlib.suppress(psutil.Error):
            found += process.children(recursive=True)
    unique = {it.pid: it for it in found if it.pid != os.getpid()}
    return [it for it in unique.values() if _is_to_be_ended(it)]


def interrupt(processes: Iterable[psutil.Process]) -> None:
    """Ask *processes* to end, as Ctrl-C in their terminal would."""
    for process in processes:
        with contextlib.suppress(psutil.Error, OSError, ValueError):
            if sys.platform == "win32":
                process.send_signal(signal.CTRL_BREAK_EVENT)
            else:
                process.send_signal(signal.SIGINT)


def kill_family(
    variable: str,
    values: Collection[str],
    *,
    leader: int | None = None,
    known: Iterable[psutil.Process] = (),
) -> None:
    """Kill the processes that `family` finds, including those started meanwhile.

    *known* are processes that an earlier call found. They may be unreachable for
    `family` once their parents have ended.
    """
    found = [it for it in known if _is_to_be_ended(it)]
    for _ in range(_ROUNDS):
        found += family(variable, values, leader=leader)
        if not found:
            return
        for process in found:
            with contextlib.suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(found, timeout=1)
        found = []


def _session(pid: int) -> int | None:
    if sys.platform == "win32":
        return None
    try:
        return os.getsid(pid)
    except OSError:
        return None


def _is_to_be_ended(process: psutil.Process) -> bool:
    try:
        runs = process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
    return runs and not is_supervisor(process)


def is_supervisor(process: psutil.Process) -> bool:
    """Return whether *process* is a supervisor, which ends by itself when all is done.

    An app could set any variable, so what tells is the command line, and that no
    supervisor has the variables by which others end it.
    """
    try:
        command = process.cmdline()
    except (psutil.Error, OSError):
        return False
    marks = {OWNER, PROCESS}
    return (
        command[1:3] == ["-m", SUPERVISOR_MODULE]
        and not marks & _environment(process).keys()
    )


def _environment(process: psutil.Process) -> dict[str, str]:
    try:
        environment: dict[str, str] = process.environ()
    except (psutil.Error, OSError):
        return {}
    return environment
