"""The pipe on which a worker reports events, and its markers on standard output."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
from collections.abc import Callable
from json.encoder import encode_basestring_ascii
from typing import IO, Any

from workshop.sandbox.markers import AGAIN, MARK, RUN_ID
from workshop.sandbox.signature import signer


class EventChannel:
    """Sends events to the process that started this one."""

    def __init__(self, stream: IO[str]) -> None:
        self._lock = threading.Lock()
        self._signed: Callable[[str], str] = str
        self.adopt(stream)

    def adopt(self, stream: IO[str]) -> None:
        """Send events to *stream* from now on, and only from this process."""
        self.stream = stream
        self._pid = os.getpid()
        self._run_id = os.environ.get(RUN_ID, "")

    @property
    def is_own(self) -> bool:
        """Whether this is the process that reports, and not a child of the answer."""
        return os.getpid() == self._pid

    def sign_with(self, key: str) -> None:
        """Sign each event from now on, so that no other code can write one."""
        self._signed = signer(key)

    def send(self, event: str, **facts: Any) -> None:
        """Write one event as a line of JSON."""
        self._write(json.dumps({"event": event, "pid": self._pid, **facts}))

    def alarm(self) -> Callable[[str, str], None]:
        """Return a function that reports what the app has done to the tests.

        It keeps references to all that it calls, because the app may have replaced
        what their names stand for.
        """
        quoted, write, pid = encode_basestring_ascii, self._write, self._pid

        def alarm(what: str, line: str) -> None:
            write(
                f'{{"event": "tampered", "pid": {pid}, '
                f'"what": {quoted(what)}, "line": {quoted(line)}}}'
            )

        return alarm

    def _write(self, line: str, getpid: Callable[[], int] = os.getpid) -> None:
        if getpid() != self._pid:
            return  # A child made with os.fork() would report in this process's name.
        with self._lock:
            self.stream.write(self._signed(line) + "\n")
            self.stream.flush()

    def mark(self, test: str, *, again: bool = False) -> None:
        """Write on standard output where the output of *test* begins.

        With *again*, what the test has printed so far is discarded.
        """
        if not self.is_own:
            return
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        words = f"{self._run_id} {test} {AGAIN}" if again else f"{self._run_id} {test}"
        os.write(1, f"{MARK}{words}\n".encode())
