"""Keep the machine busy, as it is in a classroom or on a shared runner."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from workshop.processes.supervised import SupervisedProcess
from workshop.sandbox.cores import cores


@contextmanager
def busy_cores() -> Iterator[int]:
    """Run one endless loop for each core meanwhile; yield how many."""
    count = cores()
    with ExitStack() as stack:
        for _ in range(count):
            stack.enter_context(
                SupervisedProcess(
                    [sys.executable, "-c", "while True: pass"],
                    environment=os.environ,
                    grace=0,
                    stderr=subprocess.DEVNULL,
                )
            )
        yield count
