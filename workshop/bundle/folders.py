"""Replace files and folders of a bundle as a whole."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from pathlib import Path

from workshop import files


def put(fresh: Path, target: Path) -> None:
    """Move the folder *fresh* to *target*, and replace what is there."""
    remove(target)
    fresh.rename(target)


def remove(folder: Path) -> None:
    """Delete *folder* if it exists."""
    if not folder.is_dir():
        return
    if os.name == "nt":
        # Windows does not delete read-only files such as git's objects.
        for path in folder.rglob("*"):
            path.chmod(stat.S_IWRITE | stat.S_IREAD)
    shutil.rmtree(folder)


def write_file(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write *content* to the file *path* atomically."""
    files.replace(path, content)
    # The file systems of memory sticks do not support most permissions.
    with contextlib.suppress(OSError):
        path.chmod(mode)
