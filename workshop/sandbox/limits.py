"""Limits on the time, output and processes of one run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Limits on one run. All of them are far above what a good answer needs.

    Attributes:
        start_seconds: until the first test starts. On a cold, loaded machine importing
            the libraries takes up to 8 s.
        test_seconds: for one test with its set-up and clean-up. The test kit's own
            waits end after 3 s.
        run_seconds: for all tests together.
        output_bytes: what may be printed.
        processes: how many may run at once, besides the worker.

    """

    start_seconds: float = 60.0
    test_seconds: float = 10.0
    run_seconds: float = 120.0
    output_bytes: int = 1_000_000
    processes: int = 40
