"""A folder for the data of an embedded server."""

from __future__ import annotations

import contextlib
import os
import re
import stat
import sys
import tempfile
from pathlib import Path

from workshop.services.service import ServiceError

# A path of a socket must fit into some 100 bytes, with what is added to the folder.
_LONGEST = 50

# In addresses and in the settings of servers these mean themselves.
_PLAIN = re.compile(r"[A-Za-z0-9._/-]+")


def new_folder(kind: str, *, for_another_user: bool = False) -> Path:
    """Make a folder that only its owner can look into.

    It is in the folder for temporary files, or in another one such as /tmp if that
    one has a name that servers do not get along with. Programs can run there *for
    another user* than root: if so, everyone can pass through the folders above.

    Raises:
        ServiceError: when there is nowhere to make it.

    """
    problems = []
    for place in _places():
        problem = _unsuitable(place, for_another_user=for_another_user)
        if not problem:
            try:
                return Path(tempfile.mkdtemp(prefix=f"workshop-{kind}-", dir=place))
            except OSError as error:
                problem = error.strerror or str(error)
        problems.append(f"{place} ({problem})")
    raise ServiceError(
        "There is no folder for the data of an embedded server: "
        f"{', '.join(problems) or 'no folder for temporary files can be written'}. "
        "Set TMPDIR to a folder that can be written, and has a short, plain name."
    )


def _places() -> list[Path]:
    """Return the folders to try, the best one first."""
    places = []
    with contextlib.suppress(OSError):  # none of those that Python tries is writable
        places.append(Path(tempfile.gettempdir()).absolute())
    if sys.platform != "win32":
        places += [Path("/tmp"), Path("/var/tmp"), Path("/dev/shm")]  # noqa: S108
    there = [place for place in places if place.is_dir()]
    return list(dict.fromkeys(there))


def _unsuitable(place: Path, *, for_another_user: bool) -> str:
    """Return why nothing can run in *place*, or an empty string."""
    if sys.platform == "win32":  # servers listen on ports there
        return ""
    if not _PLAIN.fullmatch(str(place)):
        return "its name has unusual characters"
    if len(str(place)) > _LONGEST:
        return "its name is too long"
    if for_another_user:
        folders = [place, *place.parents]
        if not all(folder.stat().st_mode & stat.S_IXOTH for folder in folders):
            return "other users may not pass through it"
        # Only Linux and some others say so.
        if os.statvfs(place).f_flag & getattr(os, "ST_NOEXEC", 0):
            return "programs may not run there"
    return ""
