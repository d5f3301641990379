"""Decide whether the set-up may change a folder.

The set-up replaces packages and deletes a broken environment. So it only changes
folders that carry its own marker, and changes nothing through a link. For any other
folder it reports the reason.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from workshop import files
from workshop.environment.model import Environment
from workshop.paths import ROOT

_SENTENCE = (
    "The async FastAPI workshop made this folder. It changes and removes what is in it."
)


def is_link(path: Path) -> bool:
    """Return whether *path* is a symbolic link, or a junction on Windows."""
    try:
        status = path.lstat()
    except OSError:
        return False
    tag = getattr(status, "st_reparse_tag", 0)
    return path.is_symlink() or tag == getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", -1)


def link_on_the_way(place: Path, root: Path = ROOT) -> Path | None:
    """Return the link on the path from *root* to *place*, if there is one.

    Links above the checkout *root* are fine: a home folder may be a link.
    """
    above = [it for it in place.parents if it.is_relative_to(root) and it != root]
    return next((it for it in (*reversed(above), place) if is_link(it)), None)


def is_ours(environment: Environment) -> bool:
    """Return whether the workshop created the environment's folder."""
    # Environments of earlier versions have a stamp instead of a marker.
    if environment.stamp() is not None:
        return True
    try:
        text = environment.marker_file.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return False
    return text.startswith(_SENTENCE)


def claim(environment: Environment) -> None:
    """Mark the environment's folder as the workshop's, while it is still empty."""
    files.replace(environment.marker_file, f"{_SENTENCE}\n".encode(), 0o644)


def refusal(environment: Environment) -> str | None:
    """Return why the environment's folder may not be changed; None if it may.

    Raises:
        OSError: The folder cannot be read.
    """
    place = environment.place
    link = link_on_the_way(place)
    if link is not None:
        return (
            f"{link} is a link, and the workshop changes nothing through a link. "
            "Remove the link (its target stays), or set WORKSHOP_VENV to a new folder. "
            "Then run the same command again."
        )
    if os.pathsep in str(place):
        return (
            f"{place} has a `{os.pathsep}` in its path, which Python environments do "
            "not support. Set WORKSHOP_VENV to a folder without one and run the same "
            "command again."
        )
    if not place.is_dir() or is_ours(environment) or _holds_nothing(environment):
        return None
    if _is_environment(place):
        return (
            f"{place} is a Python environment that the workshop did not create, so it "
            "was not changed. Rename it, or set WORKSHOP_VENV to a new folder. Then "
            "run the same command again."
        )
    return (
        f"{place} is not a Python environment, but it is not empty either. Move it, or "
        "set WORKSHOP_VENV to another folder. Then run the same command again."
    )


def _holds_nothing(environment: Environment) -> bool:
    """Return whether the folder only has the files with which a set-up begins."""
    # A set-up that was killed early leaves no other files.
    own = {environment.lock_file, environment.log_file}
    return all(
        path in own and path.is_file() and not is_link(path)
        for path in environment.place.iterdir()
        if not path.name.startswith(f".{environment.marker_file.name}.")
    )


def _is_environment(place: Path) -> bool:
    programs = "Scripts" if os.name == "nt" else "bin"
    return any(
        (place / name).exists() for name in ("pyvenv.cfg", "conda-meta", programs)
    )
