"""Short messages on standard error about the progress of the set-up."""

from __future__ import annotations

import shutil
import sys
import time


class ProgressLine:
    """Prints what is being done and for how long.

    On a terminal this is one line, updated each second. Elsewhere it is a line at the
    start, one every ten seconds, and one at the end.
    """

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._started = time.monotonic()
        self._spoken = self._started
        self._doing = ""
        self._shown = False

    def begin(self, doing: str) -> None:
        """Print what starts now."""
        self._doing = doing
        self._started = self._spoken = time.monotonic()
        if self._live:
            self.tick("")
        else:
            self.say(f"{doing} …")

    def tick(self, detail: str) -> None:
        """Print that work continues; *detail* is the installer's latest line."""
        now = time.monotonic()
        seconds = f"{now - self._started:.0f} s"
        if self._live:
            width = shutil.get_terminal_size().columns - 1
            line = f"{self._doing} … {seconds}  {detail}"
            self._shown = True
            sys.stderr.write(f"\r{line[:width]:<{width}}")
            sys.stderr.flush()
        elif now - self._spoken >= 10:
            self._spoken = now
            self.say(f"… {seconds}  {detail}".rstrip())

    def end(self, done: str) -> None:
        """Print the end of the work, with the time that it took."""
        self.clear()
        self.say(f"{done} ({time.monotonic() - self._started:.1f} s)")

    def clear(self) -> None:
        """Clear the live line before other output."""
        if self._shown:
            width = shutil.get_terminal_size().columns - 1
            sys.stderr.write(f"\r{'':<{width}}\r")
            self._shown = False

    def say(self, sentence: str) -> None:
        """Print a complete line."""
        sys.stderr.write(sentence + "\n")
        sys.stderr.flush()
