"""Which folder the set-up may change: one that it has made, and never through a link.

The set-up empties a folder that cannot be used, and replaces packages. So it touches
only what carries its own marker, and refuses everything else in words.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from workshop.environment.model import ROOT, Environment, replace_text

_SENTENCE = (
    "The async FastAPI workshop made this folder. It changes and removes what is in it."
)


def is_link(path: Path) -> bool:
    """Tell whether *path* is a symbolic link, or a junction of Windows."""
    try:
        status = path.lstat()
    except OSError:
        return False
    tag = getattr(status, "st_reparse_tag", 0)
    return path.is_symlink() or tag == getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", -1)


def link_on_the_way(place: Path, root: Path = ROOT) -> Path | None:
    """Return the link that *place* is or is reached through, from *root* on.

    What is above the checkout *root* is the user's: a home folder may be a link.
    """
    above = [it for it in place.parents if it.is_relative_to(root) and it != root]
    return next((it for it in (*reversed(above), place) if is_link(it)), None)


def is_ours(environment: Environment) -> bool:
    """Tell whether the workshop has made the environment's folder."""
    # Environments of earlier versions have no marker, but a stamp.
    if environment.stamp() is not None:
        return True
    try:
        text = environment.marker_file.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return False
    return text.startswith(_SENTENCE)


def claim(environment: Environment) -> None:
    """Mark the environment's folder as ours, before anything is put into it."""
    replace_text(environment.marker_file, f"{_SENTENCE}\n")


def refusal(environment: Environment) -> str | None:
    """Say why the environment's folder must stay as it is; None if it need not.

    Raises OSError when the folder cannot be looked into.
    """
    place = environment.place
    link = link_on_the_way(place)
    if link is not None:
        return (
            f"{link} is a link, and the workshop changes nothing through a link. "
            "Remove the link (what it points to stays), or set WORKSHOP_VENV to a new "
            "folder, and run the same command again."
        )
    if os.pathsep in str(place):
        return (
            f"{place} has a `{os.pathsep}` in its path, which no Python environment "
            "may have. Set WORKSHOP_VENV to a folder without one, and run the same "
            "command again."
        )
    if not place.is_dir() or is_ours(environment) or _holds_nothing(environment):
        return None
    if _is_environment(place):
        return (
            f"{place} is a Python environment that the workshop did not make, so it "
            "stays as it is. Rename it, or set WORKSHOP_VENV to a new folder, and run "
            "the same command again."
        )
    return (
        f"{place} is not empty and not a Python environment. Move it away, or set "
        "WORKSHOP_VENV to another folder, and run the same command again."
    )


def _holds_nothing(environment: Environment) -> bool:
    """Tell whether there is nothing but files that a set-up begins with."""
    # A set-up that was killed in its first moments has left no more than these.
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
