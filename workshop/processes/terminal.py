"""Notice that the terminal or the parent of this process is gone.

The system does not always send a signal. GNU make, for example, catches the terminal's
signal and waits for its command, which never receives one.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import stat
import sys
import threading
from collections.abc import Callable

from workshop.processes.liveness import started_at

_TICK_SECONDS = 0.5
_MAKE = ("make", "gmake", "gnumake", "make.exe", "mingw32-make.exe")


class StarterWatch:
    """Calls *gone* once, from a thread, when the terminal or the parent is gone.

    Programs meant to keep running are exempt: `nohup` ignores the end of the terminal,
    and a shell makes its background commands ignore Ctrl-C.
    """

    def __init__(self, gone: Callable[[], None]) -> None:
        self._gone = gone
        self._stop = threading.Event()
        self._terminals = _duplicates_of_terminals()
        in_background = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        self._parent = None if in_background else os.getppid()
        self._make = _make_above() if "MAKELEVEL" in os.environ else None
        threading.Thread(target=self._work, name="starter watch", daemon=True).start()

    def close(self) -> None:
        """Stop watching. *gone* is not called after this."""
        self._stop.set()

    def _work(self) -> None:
        while not self._wait():
            if self._has_gone():
                self._stop.set()
                self._gone()
        for descriptor in self._terminals:
            os.close(descriptor)

    def _wait(self) -> bool:
        """Wait briefly, or until the terminal hangs up; return whether to stop."""
        if not self._terminals or sys.platform != "linux":
            return self._stop.wait(_TICK_SECONDS)
        poll = select.poll()
        for descriptor in self._terminals:
            poll.register(descriptor, 0)  # a hang-up is always reported
        if poll.poll(1000 * _TICK_SECONDS) and not self._has_gone():
            return self._stop.wait(_TICK_SECONDS)
        return self._stop.is_set()

    def _has_gone(self) -> bool:
        # After a hang-up, isatty is false.
        if not all(os.isatty(descriptor) for descriptor in self._terminals):
            return True
        if self._parent is not None and os.getppid() != self._parent:
            return True
        if self._make is None:
            return False
        pid, start = self._make
        return started_at(pid) != start


def let_go_of_terminal() -> None:
    """Replace standard streams whose terminal has hung up.

    Otherwise every read or write would fail from here on.
    """
    for descriptor, flags in ((0, os.O_RDONLY), (1, os.O_WRONLY), (2, os.O_WRONLY)):
        try:
            # After a hang-up the stream is still a device, but not a terminal.
            status = os.fstat(descriptor)
        except OSError:
            continue
        if _is_device(status) and not os.isatty(descriptor):
            null = os.open(os.devnull, flags)
            os.dup2(null, descriptor)
            os.close(null)


def _is_device(status: os.stat_result) -> bool:
    return stat.S_ISCHR(status.st_mode)


def _duplicates_of_terminals() -> list[int]:
    """Return duplicated descriptors, because the standard streams may be replaced."""
    found = []
    for descriptor in (0, 1, 2):
        with contextlib.suppress(OSError):
            if os.isatty(descriptor):
                found.append(os.dup(descriptor))
    return found


def _make_above() -> tuple[int, str | None] | None:
    """Return the process id and start of the `make` that runs this command, if any.

    A shell may stand between the two, and would wait for this process forever.
    """
    try:
        import psutil
    except ImportError:
        return None
    with contextlib.suppress(psutil.Error):
        for process in psutil.Process().parents():
            if process.name() in _MAKE:
                return process.pid, started_at(process.pid)
    return None


def is_watchable() -> bool:
    """Whether this system keeps a process running after its terminal is gone."""
    return sys.platform != "win32"
