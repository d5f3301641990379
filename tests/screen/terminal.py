"""A terminal of our own: a program runs in it, and its screen can be read."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import termios
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pyte

_SECONDS = 60.0
"""An outer limit that turns a hang into a message."""


@dataclass
class Terminal:
    """A pseudo-terminal of 80 columns and 24 lines in which *argv* runs."""

    argv: list[str]
    folder: Path
    environment: Mapping[str, str]
    written: bytearray = field(default_factory=bytearray)

    def __enter__(self) -> Terminal:
        """Start the program."""
        self._screen = pyte.Screen(80, 24)
        self._stream = pyte.ByteStream(self._screen)
        self._ours, self._theirs = pty.openpty()
        size = struct.pack("HHHH", 24, 80, 0, 0)
        fcntl.ioctl(self._theirs, termios.TIOCSWINSZ, size)
        self.modes_before = self.modes
        self.process = psutil.Popen(
            self.argv,
            cwd=self.folder,
            env=dict(self.environment),
            stdin=self._theirs,
            stdout=self._theirs,
            stderr=self._theirs,
            # As a shell would: its own session, on this terminal.
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        return self

    def __exit__(self, *_: object) -> None:
        """Kill its remaining processes."""
        for process in [*self.descendants(), self.process]:
            if process.is_running():
                process.kill()
        self.process.wait()
        self.hang_up()
        os.close(self._theirs)

    @property
    def modes(self) -> list[Any]:
        """The terminal's modes for keys and output."""
        return termios.tcgetattr(self._theirs)

    @property
    def text(self) -> str:
        """The text on the screen."""
        return "\n".join(line.rstrip() for line in self._screen.display)

    def descendants(self) -> list[psutil.Process]:
        """Return the processes of the program that still run."""
        try:
            return self.process.children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def type(self, keys: str) -> None:
        """Press *keys*."""
        os.write(self._ours, keys.encode())

    def hang_up(self) -> None:
        """Close the terminal's window."""
        if self._ours >= 0:
            os.close(self._ours)
            self._ours = -1

    def until(self, *wanted: str) -> str:
        """Read until the screen shows all of *wanted*, and return the screen."""
        return self._read_until(
            lambda: all(words in self.text for words in wanted),
            f"never showed {wanted}",
        )

    def until_ended(self) -> int:
        """Read until the program has ended, and return its exit code."""
        self._read_until(lambda: self.process.poll() is not None, "never ended")
        while self._is_readable(seconds=0):
            self._read()
        return int(self.process.wait())

    def read_a_little(self) -> None:
        """Read the program's new output, or wait briefly for it."""
        if self._ours < 0:
            select.select([], [], [], 0.05)  # its window has been closed
        elif self._is_readable(seconds=0.05):
            self._read()

    def _read_until(self, happened: Callable[[], bool], complaint: str) -> str:
        end = time.monotonic() + _SECONDS
        while not happened():
            assert time.monotonic() < end, f"The screen {complaint}:\n{self.text}"
            if self._is_readable(seconds=0.05):
                self._read()
            elif self.process.poll() is not None and not happened():
                raise AssertionError(f"The program ended and {complaint}:\n{self.text}")
        return self.text

    def _is_readable(self, *, seconds: float) -> bool:
        return bool(select.select([self._ours], [], [], seconds)[0])

    def _read(self) -> None:
        # Little at once: no state is passed over that was shown in between.
        data = os.read(self._ours, 1024)
        self.written += data
        self._stream.feed(data)
