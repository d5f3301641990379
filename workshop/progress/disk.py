"""Write files atomically, so that no reader finds half of one."""

from __future__ import annotations

import contextlib
import glob
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from workshop.environment import lock

T = TypeVar("T")

# The work under the lock takes milliseconds. A process that holds it for seconds is
# stopped in a debugger or waits for a network share, and must not block this one too.
_PATIENCE_SECONDS = 5.0

# A prefix that no other program's files have.
_UNFINISHED = ".unfinished"
_DAY_SECONDS = 24 * 60 * 60

# Windows cannot replace a file that another process has open, even if only to read it,
# and cannot open a file that is being replaced. The other process may be another
# command, an editor or a virus scanner.
_PAUSES = (0.01, 0.05, 0.2, 0.5) if os.name == "nt" else ()


def reason(problem: Exception) -> str:
    """Return the system's error message, without the names of our files."""
    return getattr(problem, "strerror", None) or str(problem)


def replace(path: Path, content: bytes, mode: int | None = None) -> None:
    """Replace the file *path* atomically.

    A reader finds the old content or the new one, even after a crash. *mode* is set on
    the new file; by default only its owner can read it. Files left behind by an earlier
    call that was killed are removed.

    Raises:
        OSError: The file could not be replaced and is unchanged.
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
        _patiently(lambda: temporary.replace(path))
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _sweep(path: Path) -> None:
    """Remove temporary files that earlier calls for *path* left behind."""
    with contextlib.suppress(OSError):
        for left in path.parent.glob(f".{glob.escape(path.name)}.*{_UNFINISHED}"):
            if left.lstat().st_mtime < time.time() - _DAY_SECONDS:
                left.unlink()


def read(path: Path) -> bytes:
    """Return the content of *path*, even while another process replaces it."""
    return _patiently(path.read_bytes)


def _patiently(deed: Callable[[], T]) -> T:
    for pause in _PAUSES:
        try:
            return deed()
        except PermissionError:
            time.sleep(pause)
    return deed()


@contextlib.contextmanager
def turn(path: Path) -> Iterator[None]:
    """Let one process at a time into the block; *path* is the lock file.

    On systems without locks, or if another process does not release the lock, continue
    without it. Files are replaced atomically in any case.
    """
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(
                lock.held(
                    path,
                    lambda _: None,
                    patience_seconds=_PATIENCE_SECONDS,
                    pause_seconds=0.005,
                )
            )
        yield
