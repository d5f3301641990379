"""The process that outlives a front end, and then ends all that it has started.

``python -m workshop.processes.supervisor OWNER`` reads standard input to its end. The
end comes when the front end is gone, in whatever way: ended, crashed or killed. Then
everything that carries the word OWNER gets what Ctrl-C would send, has a few seconds
to end, and is killed. Last, abandoned temporary folders are deleted; those of earlier
front ends are deleted when this one starts.
"""

from __future__ import annotations

import signal
import sys
import time

from workshop.processes.liveness import has_ended
from workshop.processes.marks import OWNER
from workshop.processes.temporary import sweep

MODULE = "workshop.processes.supervisor"
"""What its command line runs; `__name__` would be `__main__` there."""

AT_ONCE = b"!"
"""Written by the owner: do not wait until anything ends by itself."""

GRACE_SECONDS = 5.0
"""How long an app may take for its own shutdown before it is killed."""

_TICK_SECONDS = 0.02


def main(owner: str) -> None:
    """Wait for the end of *owner*, a word of `name_of_process`, and clean up."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
        if hasattr(signal, name):
            # Ends of terminals and groups are for the owner.
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    sweep()
    try:
        # Imported while it is sure to be there: a set-up may replace it meanwhile.
        import psutil

        from workshop.processes.family import family, interrupt, kill_family
    except ImportError:
        return  # nothing is installed, so nothing was started that could stay
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
