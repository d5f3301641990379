"""The process that outlives a front end and then ends everything it has started.

`python -m workshop.processes.supervisor OWNER` reads standard input until its end,
which comes when the front end has ended, crashed or been killed. Then every process
marked with OWNER is asked to end as by Ctrl-C, and killed a few seconds later. Finally,
abandoned temporary folders are deleted; those of earlier front ends are deleted when
the supervisor starts.
"""

from __future__ import annotations

import signal
import sys
import time

from workshop.processes.liveness import has_ended
from workshop.processes.marks import OWNER
from workshop.processes.temporary import sweep

AT_ONCE = b"!"
"""Written by the owner: kill everything without waiting."""

GRACE_SECONDS = 5.0
"""How long an app may take to shut down before it is killed."""

_TICK_SECONDS = 0.02


def main(owner: str) -> None:
    """Wait until *owner*, a name from `name_of_process`, has ended; clean up."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
        if hasattr(signal, name):
            # Signals for the terminal and the group are meant for the owner.
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    sweep()
    try:
        # Import now: a set-up may replace the package later.
        import psutil

        from workshop.processes.family import family, interrupt, kill_family
    except ImportError:
        return  # psutil is not installed, so no process was started that could remain
    at_once = AT_ONCE in sys.stdin.buffer.read()
    # The pipe is closed a moment before the process has ended.
    end = time.monotonic() + GRACE_SECONDS
    while not has_ended(owner) and time.monotonic() < end:
        time.sleep(_TICK_SECONDS)
    found = family(OWNER, {owner})
    if not at_once:
        interrupt(found)
        psutil.wait_procs(found, timeout=GRACE_SECONDS)
    kill_family(OWNER, {owner}, known=found)
    sweep()


if __name__ == "__main__":
    main(sys.argv[1])
