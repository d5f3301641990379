"""The events that the room has not confirmed yet, stored on disk.

Each event is a separate file, which is created atomically and removed once the room has
stored the event. So a killed process leaves only complete events, and two processes can
add and remove events at the same time without a lock. If both send the same event, the
room recognises its id.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from workshop import files
from workshop.room.client.reports import Report

LIMIT = 5_000
"""The maximum number of events. The oldest are dropped first."""

_EVENT = ".json"
_UNFINISHED = ".unfinished"
_LARGEST = 64 * 1024
_HOUR_SECONDS = 60 * 60


@dataclass(frozen=True)
class Stored:
    """An event in the outbox: its file and its content."""

    file: Path
    report: Report


class Outbox:
    """The pending events of one learner in *folder*, oldest first."""

    def __init__(self, folder: Path, limit: int = LIMIT) -> None:
        self._folder = folder
        self._limit = limit
        self._lock = threading.Lock()
        self._last = 0

    def put(self, report: Report) -> bool:
        """Store *report*, and return whether it was stored.

        An event that cannot be stored is dropped, so that the command still works.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._make_space()
            self._write(self._next_name(report), json.dumps(report).encode())
        except OSError:
            return False
        return True

    def _next_name(self, report: Report) -> str:
        with self._lock:
            # Two events may have the same time on a coarse clock.
            self._last = max(self._last + 1, time.time_ns())
            return f"{self._last:020d}-{report['id']}{_EVENT}"

    def _write(self, name: str, content: bytes) -> None:
        temporary = self._folder / f"{secrets.token_hex(8)}{_UNFINISHED}"
        try:
            temporary.write_bytes(content)
            files.patiently(lambda: temporary.replace(self._folder / name))
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

    def _make_space(self) -> None:
        names = self._names()
        for name in names[: max(0, len(names) - self._limit + 1)]:
            _remove(self._folder / name)

    def waiting(self) -> int:
        """Return the number of pending events."""
        return len(self._names())

    def first(self, number: int) -> list[Stored]:
        """Return the oldest events, at most *number*. Damaged files are removed."""
        found: list[Stored] = []
        for name in self._names():
            if len(found) == number:
                break
            file = self._folder / name
            try:
                content = files.read(file)
                report = json.loads(content) if len(content) <= _LARGEST else None
            except FileNotFoundError:
                continue  # another process has removed it
            except OSError:
                continue  # it may be readable next time
            except (ValueError, RecursionError):
                report = None
            if isinstance(report, dict):
                found.append(Stored(file, report))
            else:
                _remove(file)
        return found

    def remove(self, stored: Iterable[Stored]) -> None:
        """Remove events that the room has stored, or will never accept."""
        for it in stored:
            _remove(it.file)

    def clear(self) -> None:
        """Remove everything."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def sweep(self) -> None:
        """Remove unfinished files of killed processes."""
        with contextlib.suppress(OSError):
            for left in self._folder.glob(f"*{_UNFINISHED}"):
                if left.stat().st_mtime < time.time() - _HOUR_SECONDS:
                    _remove(left)

    def _names(self) -> list[str]:
        try:
            names = os.listdir(self._folder)  # noqa: PTH208 -- names only, and fast
        except OSError:
            return []
        return sorted(name for name in names if name.endswith(_EVENT))


def _remove(file: Path) -> None:
    with contextlib.suppress(OSError):
        files.patiently(lambda: file.unlink(missing_ok=True))
