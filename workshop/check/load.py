"""Keep all cores busy, as on a classroom laptop or a shared runner."""

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
    """Run an endless loop on each core during the block; yield the number of cores."""
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
