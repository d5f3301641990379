"""Temporary folders that are deleted even if the process that made them is killed.

The folder's name contains the owner's, so a folder never exists without its owner's
name. A folder is abandoned when its owner has ended. The next front end deletes
abandoned folders and nothing else.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from workshop.processes.liveness import has_ended, name_of_process

MEMORY = Path("/dev/shm")  # noqa: S108 -- only folders with an owner's name are made there
"""Where Linux keeps files in memory."""

FALLBACKS = (Path("/tmp"), Path("/var/tmp"))  # noqa: S108 -- as above
"""Used for servers that cannot handle the name of the usual temporary folder."""

UNPRIVILEGED = "nobody"
"""The user that root runs servers as if they refuse to run as root."""

_NAME = re.compile(
    r"workshop-[a-z]+-(?P<owner>[0-9a-z]+\.[0-9a-z]+\.[0-9a-f]{6})-[0-9a-z_]+"
)


@contextmanager
def temporary_folder(kind: str, parent: Path | None = None) -> Iterator[Path]:
    """Provide a folder and delete it after the block; see `make_temporary_folder`."""
    folder = make_temporary_folder(kind, parent)
    try:
        yield folder
    finally:
        delete(folder)


def make_temporary_folder(kind: str, parent: Path | None = None) -> Path:
    """Return a new folder that only this user can read.

    *kind* becomes part of its name. It is created in *parent*, by default the system's
    temporary folder. Delete it with `delete`; if this process is killed before that,
    `sweep` deletes it.
    """
    prefix = f"workshop-{kind}-{name_of_process()}-"
    return Path(tempfile.mkdtemp(prefix=prefix, dir=parent))


def delete(folder: Path) -> None:
    """Delete *folder* and its content as far as possible."""
    shutil.rmtree(folder, ignore_errors=True)
    if folder.is_dir():
        # A program under test may have removed its own permissions.
        for path, _, _ in os.walk(folder):
            with contextlib.suppress(OSError):
                Path(path).chmod(0o700)
        shutil.rmtree(folder, ignore_errors=True)


def sweep(parents: Iterable[Path] | None = None) -> list[Path]:
    """Delete the abandoned folders in *parents* and return their paths.

    The default is every place that `make_temporary_folder` uses.
    """
    if parents is None:
        parents = dict.fromkeys([Path(tempfile.gettempdir()), MEMORY, *FALLBACKS])
    swept = [folder for place in parents for folder in _abandoned(place)]
    for folder in swept:
        delete(folder)
    return swept


def _abandoned(parent: Path) -> Iterator[Path]:
    try:
        entries = list(os.scandir(parent))
    except OSError:
        return
    for entry in entries:
        match = _NAME.fullmatch(entry.name)
        if match is None:
            continue
        with contextlib.suppress(OSError):
            # Never follow a link or delete another user's folder.
            status = entry.stat(follow_symlinks=False)
            own = status.st_uid in _own_users()
            if stat.S_ISDIR(status.st_mode) and own and has_ended(match["owner"]):
                yield Path(entry.path)


def _own_users() -> set[int]:
    """Return the ids of the users that own the workshop's folders."""
    if sys.platform == "win32":
        return {0}  # `stat` reports 0 for every file
    users = {os.getuid()}
    if os.getuid() == 0:
        import pwd

        with contextlib.suppress(KeyError):
            users.add(pwd.getpwnam(UNPRIVILEGED).pw_uid)
    return users
