"""A lock file, so that only one process changes an environment or the progress.

The lock is the operating system's, on an open file. It is released when its holder
ends, even if that is killed, so it is never left behind.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

if sys.platform == "win32":
    import msvcrt

    def _try(file: IO[str]) -> bool:
        # Lock byte 1000, which is never written: Windows refuses to read locked bytes,
        # and other processes read who holds the lock.
        file.seek(1000)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try(file: IO[str]) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            # Some network file systems have no locks. Continuing without one is better
            # than not starting at all.
            return True
        return True


PATIENCE_SECONDS = 900


@contextlib.contextmanager
def held(
    path: Path,
    waiting: Callable[[str], None],
    *,
    patience_seconds: float = PATIENCE_SECONDS,
    pause_seconds: float = 0.1,
) -> Iterator[None]:
    """Hold the lock file *path* in the block.

    If another process holds it, call `waiting(who)` once and retry after each pause. If
    *path* is a link, remove it, because its target must not be emptied.

    Raises:
        TimeoutError: The other process holds the lock for too long.
        OSError: The file cannot be written.

    """
    if path.is_symlink():
        path.unlink(missing_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        deadline = time.monotonic() + patience_seconds
        told = False
        while not _try(file):
            if not told:
                waiting(path.read_text(encoding="utf-8").strip() or "another one")
                told = True
            if time.monotonic() > deadline:
                raise TimeoutError(path)
            time.sleep(pause_seconds)
        file.seek(0)
        file.truncate()
        file.write(f"process {os.getpid()}")
        file.flush()
        yield
