"""Files and folders of a bundle that are replaced as a whole."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from pathlib import Path

from workshop import files


def put(fresh: Path, target: Path) -> None:
    """Move the folder *fresh* to *target*, in place of what is there."""
    remove(target)
    fresh.rename(target)


def remove(folder: Path) -> None:
    """Delete *folder*, if it is there."""
    if not folder.is_dir():
        return
    if os.name == "nt":
        # Git's objects are read-only, so Windows would not delete them.
        for path in folder.rglob("*"):
            path.chmod(stat.S_IWRITE | stat.S_IREAD)
    shutil.rmtree(folder)


def write_file(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Replace the file *path* by one with *content*, in one step."""
    files.replace(path, content)
    # The file systems of memory sticks refuse most permissions.
    with contextlib.suppress(OSError):
        path.chmod(mode)
