"""Keep the machine busy, as it is in a classroom or on a shared runner."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from workshop.grading.cores import cores

# Ends by itself when whoever started it has gone.
_BUSY = """
import sys, threading
threading.Thread(target=lambda: (sys.stdin.read(), __import__("os")._exit(0))).start()
while True: pass
"""


@contextmanager
def busy_cores() -> Iterator[int]:
    """Run one endless loop for each core meanwhile; yield how many."""
    count = cores()
    loops = [
        subprocess.Popen([sys.executable, "-c", _BUSY], stdin=subprocess.PIPE)
        for _ in range(count)
    ]
    try:
        yield count
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()
            assert loop.stdin is not None
            loop.stdin.close()
