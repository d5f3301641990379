"""Run a lesson's tests repeatedly in one process, as fast as pytest can run them.

Nothing that starts a process for each run can be faster; a real verdict needs a new
process, because the last run may have left anything behind.

Standard input: a job, then one line for each round. Standard output: for each round,
one JSON object with the milliseconds from pytest's start to its last test (`all`), the
parts of it (`collection`, `setup`, `call`, `teardown`), and the processor time of the
process (`processor`).
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import sys
import time
from collections import defaultdict
from pathlib import Path

import pytest

from workshop.grading.worker import arguments


class Phases:
    """Adds up the seconds of each phase, and renders failures as a worker does."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._started = (time.perf_counter(), time.process_time())

    def pytest_configure(self, config: pytest.Config) -> None:
        """Let pytest render as little as it can."""
        config.option.tbstyle = "native"

    def pytest_collection_finish(self) -> None:
        """Note the time of starting pytest, importing the app and collecting."""
        self.seconds["collection"] = time.perf_counter() - self._started[0]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add a test's fixtures, or the test itself."""
        self.seconds[report.when] += report.duration

    def pytest_sessionfinish(self) -> None:
        """Note the time after the last test."""
        self.seconds["all"] = time.perf_counter() - self._started[0]
        self.seconds["processor"] = time.process_time() - self._started[1]


def main() -> None:
    """Run one round for each line."""
    job = json.loads(sys.stdin.readline())
    # Written as in a worker, to where nobody reads it; some tests look at the log.
    nowhere = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 -- kept
    logging.basicConfig(level=logging.INFO, stream=nowhere)
    for _ in sys.stdin:
        phases = Phases()
        with contextlib.redirect_stdout(io.StringIO()):
            pytest.main(arguments(job), plugins=[phases])
        figures = {name: round(1000 * s, 1) for name, s in phases.seconds.items()}
        os.write(1, f"{json.dumps(figures)}\n".encode())


if __name__ == "__main__":
    main()
