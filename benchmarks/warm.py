"""Run a lesson's tests again and again in one process that never starts anew.

No tool that starts a process for each run can be faster, and none can be
trusted that does not. Standard input: a job, then a line for each round.
Standard output: a line with the milliseconds of each, from pytest's start to
its last test.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import sys
import time
from pathlib import Path

import pytest

from workshop.grading.worker import arguments


class Clock:
    """Notes when the tests are over, and has failures rendered as in a worker."""

    def __init__(self, wanted: set[str]) -> None:
        self.wanted = wanted
        self.over = 0.0

    def pytest_configure(self, config: pytest.Config) -> None:
        """Let pytest render as little as it can."""
        config.option.tbstyle = "native"

    def pytest_sessionfinish(self) -> None:
        """Take the time."""
        self.over = time.perf_counter()


def main() -> None:
    """Run a round for each line."""
    job = json.loads(sys.stdin.readline())
    # Written as in a worker, to where nobody reads it; some tests look at the log.
    nowhere = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 -- kept
    logging.basicConfig(level=logging.INFO, stream=nowhere)
    for _ in sys.stdin:
        clock = Clock(set(job["tests"]))
        began = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            pytest.main(arguments(job), plugins=[clock])
        os.write(1, f"{1000 * (clock.over - began):.1f}\n".encode())


if __name__ == "__main__":
    main()
