"""Write files so that nobody ever finds half of one."""

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

# What is done in a turn takes milliseconds. Whoever holds one for seconds is
# stopped in a debugger or on a share that hangs, and must not stop us too.
_PATIENCE_SECONDS = 5.0

# Ours alone: nobody else's file beside the learner's has such a name.
_UNFINISHED = ".unfinished"
_DAY_SECONDS = 24 * 60 * 60

# Windows replaces no file that somebody has open, be it to read it for a
# moment, and opens none that is being replaced: by another command, an
# editor, a virus scanner.
_PAUSES = (0.01, 0.05, 0.2, 0.5) if os.name == "nt" else ()


def reason(problem: Exception) -> str:
    """Return what the system says, without the names of files of ours."""
    return getattr(problem, "strerror", None) or str(problem)


def replace(path: Path, content: bytes, mode: int | None = None) -> None:
    """Put *content* in the place of the file *path*, in one step.

    A reader finds the old file or the new one, also after a crash. *mode* is
    given to the new file; without one it is readable by its owner alone.
    Raises OSError, and then the old file is as it was. What was left of an
    earlier time, when the power went or somebody killed us, is removed.
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
    """Remove old files that were to take the place of *path*, and never did."""
    with contextlib.suppress(OSError):
        for left in path.parent.glob(f".{glob.escape(path.name)}.*{_UNFINISHED}"):
            if left.lstat().st_mtime < time.time() - _DAY_SECONDS:
                left.unlink()


def read(path: Path) -> bytes:
    """Return the content of *path*, which others may just be replacing."""
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
    """Let one process at a time into the block; *path* is the lock's file.

    Where there are no locks, or another one does not end, we go on without:
    what is written is replaced in one step in any case.
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
