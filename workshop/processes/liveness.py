"""Whether a process still runs, told apart from a later one with the same number."""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from functools import cache
from pathlib import Path


def started_at(pid: int) -> str | None:
    """Return when process *pid* started, as a word to compare; None if it has ended.

    A process that has ended but was not waited for yet has ended. Numbers of
    processes are used again, so only number and start together name one process.
    The word is empty where the system does not tell.
    """
    if sys.platform == "linux":
        try:
            stat = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
        except (FileNotFoundError, ProcessLookupError):
            return None
        except OSError:
            return ""
        # The name of the program may hold spaces and brackets.
        fields = stat.rpartition(")")[2].split()
        return None if fields[0] in ("Z", "X") else _short(int(fields[19]))
    try:
        import psutil
    except ImportError:
        return ""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return _short(int(process.create_time() * 1000))
    except psutil.NoSuchProcess:
        return None
    except psutil.Error:
        return ""


@cache
def machine() -> str:
    """Return a word for the place where process numbers mean something.

    Containers may share a folder for temporary files, and so may machines over a
    network: their processes have the same numbers and are not ours to judge.
    """
    try:
        namespace = str(Path("/proc/self/ns/pid").stat().st_ino)
    except OSError:
        namespace = ""
    name = f"{platform.node()} {namespace}"
    return hashlib.sha256(name.encode()).hexdigest()[:6]


def name_of_process(pid: int | None = None) -> str:
    """Return a word that names one process for ever, this one by default.

    It has three parts with dots between: number, start, machine.
    """
    number = os.getpid() if pid is None else pid
    return f"{_short(number)}.{started_at(number) or ''}.{machine()}"


def has_ended(name: str) -> bool:
    """Return whether the process *name*, made by `name_of_process`, is sure to be gone.

    False where that cannot be known, for example for another machine's process.
    """
    number, start, where = name.split(".")
    if where != machine() or not start:
        return False
    now = started_at(int(number, 36))
    return now is None or now not in ("", start)


def _short(number: int) -> str:
    """Write *number* in base 36: paths of sockets may have a hundred characters."""
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return digits or "0"
