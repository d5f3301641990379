"""Files that several processes use: locks, and writing in one step.

Standard library only, because the set-up uses this module before anything is installed.
It imports no other module of the workshop, because an update keeps a copy of it.
"""

from __future__ import annotations

import contextlib
import glob
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TypeVar

T = TypeVar("T")

if sys.platform == "win32":
    import msvcrt

    def _try_to_lock(file: IO[str]) -> bool:
        # Windows refuses to read locked bytes, and other processes have to read who
        # holds the lock. So lock byte 1000, which is never written.
        file.seek(1000)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try_to_lock(file: IO[str]) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            # Some network file systems have no locks. Going on without one is better
            # than not starting at all.
            return True
        return True


_LOCK_SECONDS = 900

# Work under such a lock takes milliseconds. A process that holds it for seconds is
# stopped in a debugger or uses a share that does not respond.
_ONE_AT_A_TIME_SECONDS = 5.0

# No other program gives such names to files beside the learner's.
_UNFINISHED = ".unfinished"
_DAY_SECONDS = 24 * 60 * 60

# Windows does not replace or delete a file that a program has open (another command, an
# editor, a virus scanner), and does not open one that is being replaced.
_PAUSES = (0.01, 0.05, 0.2, 0.5, 1.0) if os.name == "nt" else ()


@contextlib.contextmanager
def lock(
    path: Path,
    waiting: Callable[[str], None],
    *,
    patience_seconds: float = _LOCK_SECONDS,
    pause_seconds: float = 0.1,
) -> Iterator[None]:
    """Hold the lock file *path* in the block.

    The operating system releases the lock when its holder ends, however that happens,
    so it cannot be left behind. If another process holds it, call `waiting(who)` once
    and try again after each pause. If *path* is a link, remove it: its target must not
    be emptied.

    Raises:
        TimeoutError: if the other process keeps the lock for too long.
        OSError: if the file cannot be written.

    """
    if path.is_symlink():
        path.unlink(missing_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        deadline = time.monotonic() + patience_seconds
        has_reported = False
        while not _try_to_lock(file):
            if not has_reported:
                waiting(path.read_text(encoding="utf-8").strip() or "another one")
                has_reported = True
            if time.monotonic() > deadline:
                raise TimeoutError(path)
            time.sleep(pause_seconds)
        file.seek(0)
        file.truncate()
        file.write(f"process {os.getpid()}")
        file.flush()
        yield


@contextlib.contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """Let one process at a time into the block, as far as possible.

    *path* is the lock file. If the file system has no locks, or another process keeps
    the lock, go on without it: files are replaced in one step in any case.
    """
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(
                lock(
                    path,
                    lambda _: None,
                    patience_seconds=_ONE_AT_A_TIME_SECONDS,
                    pause_seconds=0.005,
                )
            )
        yield


def replace(path: Path, content: bytes, mode: int | None = None) -> None:
    """Replace the file *path* by one with *content*, in one step.

    A reader finds the old file or the new one, also after a crash. An existing file is
    never written to, because it may be a link, or a hard link in a copy of the checkout
    that was made to save space. The new file gets *mode*; by default only its owner can
    read it. What a killed process has left of an earlier try is removed.

    Raises:
        OSError: if that fails. Then the old file is as it was.

    """
    _sweep(path)
    handle, name = tempfile.mkstemp(
        dir=path.parent, prefix=f".{path.name}.", suffix=_UNFINISHED
    )
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        if mode is not None:
            temporary.chmod(mode)
        patiently(lambda: temporary.replace(path))
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _sweep(path: Path) -> None:
    """Remove old files that were meant to replace *path* but never did."""
    with contextlib.suppress(OSError):
        for left in path.parent.glob(f".{glob.escape(path.name)}.*{_UNFINISHED}"):
            if left.lstat().st_mtime < time.time() - _DAY_SECONDS:
                left.unlink()


def read(path: Path) -> bytes:
    """Return the content of *path*, which another process may be replacing."""
    return patiently(path.read_bytes)


def patiently(action: Callable[[], T]) -> T:
    """Return what *action* returns; on Windows, try again while a file is in use."""
    for pause in _PAUSES:
        try:
            return action()
        except PermissionError:
            time.sleep(pause)
    return action()


def reason(problem: Exception) -> str:
    """Return the system's message, without the names of the workshop's own files."""
    return getattr(problem, "strerror", None) or str(problem)
