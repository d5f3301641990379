"""Temporary folders that are deleted even if the process that made them is killed.

The owner's name is part of the folder's name, so there is no moment at which a
folder exists without it. A folder is abandoned when its owner has ended. Whoever
starts next deletes those, and nothing else.
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
"""Where servers get a folder if the usual place has a name that they cannot use."""

UNPRIVILEGED = "nobody"
"""The user as whom root runs servers that refuse to run as root."""

_NAME = re.compile(
    r"workshop-[a-z]+-(?P<owner>[0-9a-z]+\.[0-9a-z]+\.[0-9a-f]{6})-[0-9a-z_]+"
)


@contextmanager
def temporary_folder(kind: str, parent: Path | None = None) -> Iterator[Path]:
    """Give a new folder, and delete it with the block. See `make_temporary_folder`."""
    folder = make_temporary_folder(kind, parent)
    try:
        yield folder
    finally:
        delete(folder)


def make_temporary_folder(kind: str, parent: Path | None = None) -> Path:
    """Return a new folder that only this user can read.

    *kind* is a word for its name. It is made in *parent*, by default where this
    system keeps temporary files. Delete it with `delete`; if this process is killed
    before, `sweep` does it.
    """
    prefix = f"workshop-{kind}-{name_of_process()}-"
    return Path(tempfile.mkdtemp(prefix=prefix, dir=parent))


def delete(folder: Path) -> None:
    """Delete *folder* and what is in it, as far as possible."""
    shutil.rmtree(folder, ignore_errors=True)
    if folder.is_dir():
        # A program under test may have taken its own rights away.
        for path, _, _ in os.walk(folder):
            with contextlib.suppress(OSError):
                Path(path).chmod(0o700)
        shutil.rmtree(folder, ignore_errors=True)


def sweep(parents: Iterable[Path] | None = None) -> list[Path]:
    """Delete the abandoned folders in *parents*, and return which they were.

    The default is everywhere where `make_temporary_folder` is used to make some.
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
            # Never what a link leads to, and never another user's.
            status = entry.stat(follow_symlinks=False)
            own = status.st_uid in _own_users()
            if stat.S_ISDIR(status.st_mode) and own and has_ended(match["owner"]):
                yield Path(entry.path)


def _own_users() -> set[int]:
    """Return the numbers of the users to whom folders of ours belong."""
    if sys.platform == "win32":
        return {0}  # what `stat` says of every file
    users = {os.getuid()}
    if os.getuid() == 0:
        import pwd

        with contextlib.suppress(KeyError):
            users.add(pwd.getpwnam(UNPRIVILEGED).pw_uid)
    return users
