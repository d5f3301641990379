"""How much a run may use before it is ended."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Bounds on one run. All of them are far above what a good answer needs.

    `start_seconds` is the time until the first test begins: importing the
    libraries takes up to 8 s on a cold, loaded machine. `test_seconds` is for
    one test with its set-up and clean-up; the test kit's own waits end after 3 s.
    """

    start_seconds: float = 60.0
    test_seconds: float = 10.0
    run_seconds: float = 120.0
    output_bytes: int = 1_000_000
    processes: int = 40
