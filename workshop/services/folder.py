"""A folder for the data of an embedded server."""

from __future__ import annotations

import contextlib
import os
import re
import stat
import sys
import tempfile
from pathlib import Path

from workshop.processes.temporary import make_temporary_folder
from workshop.services.service import ServiceError

# The path of a socket in the new folder is limited to about 100 bytes, of which the
# names of the folder and the socket take 60.
_LONGEST = 40

# These characters need no escaping in URLs and in servers' settings.
_PLAIN = re.compile(r"[A-Za-z0-9._/-]+")


def new_folder(kind: str, *, for_another_user: bool = False) -> Path:
    """Create a temporary folder that only its owner can read.

    If a server cannot use the name of the system's temporary folder, the new folder is
    created in /tmp or a similar place. With *for_another_user*, the folders above it
    are accessible to all users, so that another user can run programs in it.

    Raises:
        ServiceError: No place is suitable.

    """
    problems = []
    for place in _candidates():
        problem = _unsuitable(place, for_another_user=for_another_user)
        if not problem:
            try:
                return make_temporary_folder(kind, place)
            except OSError as error:
                problem = error.strerror or str(error)
        problems.append(f"{place} ({problem})")
    raise ServiceError(
        "There is no folder for the data of an embedded server: "
        f"{', '.join(problems) or 'no folder for temporary files can be written'}. "
        "Set TMPDIR to a writable folder with a short, plain name."
    )


def _candidates() -> list[Path]:
    """Return the folders to try, the best one first."""
    places = []
    with contextlib.suppress(OSError):  # none of Python's candidates is writable
        places.append(Path(tempfile.gettempdir()).absolute())
    if sys.platform != "win32":
        places += [Path("/tmp"), Path("/var/tmp"), Path("/dev/shm")]  # noqa: S108
    there = [place for place in places if place.is_dir()]
    return list(dict.fromkeys(there))


def _unsuitable(place: Path, *, for_another_user: bool) -> str:
    """Return why no server can run in *place*, or an empty string."""
    if sys.platform == "win32":  # there, servers listen on ports
        return ""
    if not _PLAIN.fullmatch(str(place)):
        return "its name has unusual characters"
    if len(str(place)) > _LONGEST:
        return "its name is too long"
    if for_another_user:
        folders = [place, *place.parents]
        if not all(folder.stat().st_mode & stat.S_IXOTH for folder in folders):
            return "other users cannot access it"
        # Only Linux and some other systems report this.
        if os.statvfs(place).f_flag & getattr(os, "ST_NOEXEC", 0):
            return "it does not allow programs to run"
    return ""
