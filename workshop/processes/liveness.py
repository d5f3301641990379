"""Check whether a process still runs, even if its process id has been reused."""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from functools import cache
from pathlib import Path


def started_at(pid: int) -> str | None:
    """Return when process *pid* started, as an opaque string; None if it has ended.

    A zombie counts as ended. Process ids are reused, so only the id and the start time
    together identify a process. The string is empty if the system does not report
    start times.
    """
    if sys.platform == "linux":
        try:
            stat = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
        except (FileNotFoundError, ProcessLookupError):
            return None
        except OSError:
            return ""
        # The program's name may contain spaces and parentheses.
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
    """Return an identifier of the process id namespace that this process runs in.

    Containers may share a temporary folder, and so may machines over a network. Their
    process ids overlap with ours, so the processes must not be confused.
    """
    try:
        namespace = str(Path("/proc/self/ns/pid").stat().st_ino)
    except OSError:
        namespace = ""
    name = f"{platform.node()} {namespace}"
    return hashlib.sha256(name.encode()).hexdigest()[:6]


def name_of_process(pid: int | None = None) -> str:
    """Return a globally unique name of a process, by default of this one.

    It has three parts separated by dots: process id, start time, machine.
    """
    number = os.getpid() if pid is None else pid
    return f"{_short(number)}.{started_at(number) or ''}.{machine()}"


def has_ended(name: str) -> bool:
    """Return whether the process *name*, from `name_of_process`, has certainly ended.

    False if that is unknown, for example for a process of another machine.
    """
    number, start, where = name.split(".")
    if where != machine() or not start:
        return False
    now = started_at(int(number, 36))
    return now is None or now not in ("", start)


def _short(number: int) -> str:
    """Write *number* in base 36, because socket paths are limited to 100 characters."""
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return digits or "0"
