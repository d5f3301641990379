"""How far a run of tests is, in one line of the terminal."""

from __future__ import annotations

import sys
from typing import Any

from workshop.terminal.output import trusted


class RunProgress:
    """A line in the terminal that shows the progress of the run, until it ends."""

    def __init__(self, total: int, *, shown: bool) -> None:
        self._total = total
        self._shown = shown
        self._begun = 0

    def __enter__(self) -> RunProgress:
        self._write("Importing the libraries ...")
        return self

    def __exit__(self, *exc: object) -> None:
        self._write("")

    def update(self, event: dict[str, Any]) -> None:
        """Show that another test has begun, if *event* says so."""
        if event["event"] == "start":
            self._begun += 1
            self._write(f"Test {self._begun} of {self._total} ...")

    def _write(self, text: str) -> None:
        if self._shown:
            stream = trusted(sys.stderr)
            stream.write(f"\r{text:<40}" + ("\r" if not text else ""))
            stream.flush()
