"""An environment: a folder with its own Python and packages.

A stamp file inside records what is installed. It is removed before anything changes,
and written last and atomically, so an environment without a stamp is incomplete.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class SetupError(Exception):
    """The set-up cannot continue; the message says why and what to do."""


@dataclass
class Stamp:
    """The record of what an environment holds.

    `installed` has, by group, the digest of the pins it was installed from, or "begun"
    for an installation that was interrupted.
    """

    python: str
    place: str
    checkout: str
    installed: dict[str, str] = field(default_factory=dict)

    def text(self) -> str:
        """Return the stamp as lines of `key value`."""
        lines = [f"python {self.python}", f"place {self.place}"]
        lines += [f"checkout {self.checkout}"]
        lines += [f"group {name} {pins}" for name, pins in self.installed.items()]
        return "\n".join(lines) + "\n"

    @classmethod
    def parse(cls, text: str) -> Stamp | None:
        """Return the stamp that `text()` wrote, or None for any other text."""
        found: dict[str, str] = {}
        groups: dict[str, str] = {}
        for line in text.splitlines():
            key, _, value = line.partition(" ")
            if key == "group":
                name, _, pins = value.partition(" ")
                groups[name] = pins
            else:
                found[key] = value
        try:
            return cls(found["python"], found["place"], found["checkout"], groups)
        except KeyError:
            return None


def pins_file(group: str) -> Path:
    """Return the file that pins the packages of *group*."""
    return ROOT / "requirements" / f"{group}.txt"


def digest(group: str) -> str:
    """Return a short digest of the pins of *group*, independent of line endings."""
    try:
        text = pins_file(group).read_bytes().replace(b"\r\n", b"\n")
    except FileNotFoundError:
        raise SetupError(
            f"requirements/{group}.txt is missing. `git checkout requirements` "
            "restores it."
        ) from None
    return hashlib.sha256(text).hexdigest()[:16]


def version_text(version: tuple[int, int]) -> str:
    """Return a Python version as text: `3.11`."""
    return f"{version[0]}.{version[1]}"


def replace_text(path: Path, text: str) -> None:
    """Replace the file *path* atomically with one that contains *text*.

    An existing file is never written to, because it may be a link, or a hard link in a
    space-saving copy of the checkout.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    fresh = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        fresh.chmod(0o644)
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise


def folder_named_by(variable: str) -> Path | None:
    """Return the folder that an environment *variable* names, or None.

    `~` is the home folder. A relative path starts at the current folder.
    """
    value = os.environ.get(variable, "").strip()
    if not value:
        return None
    # Without a home folder, `~` is an ordinary name.
    return Path(os.path.abspath(os.path.expanduser(value)))  # noqa: PTH100, PTH111


@dataclass(frozen=True)
class Environment:
    """The virtual environment in the folder *place*."""

    place: Path

    @classmethod
    def here(cls) -> Environment:
        """Return the environment of this checkout, or that of WORKSHOP_VENV."""
        elsewhere = folder_named_by("WORKSHOP_VENV")
        return cls(elsewhere.resolve() if elsewhere else ROOT / ".venv")

    @property
    def python(self) -> Path:
        """The path of the environment's interpreter, which may not exist."""
        return self.program("python")

    @property
    def stamp_file(self) -> Path:
        """The file that exists when the environment is complete."""
        return self.place / "workshop.stamp"

    @property
    def marker_file(self) -> Path:
        """The file that marks the folder as created by the workshop."""
        return self.place / "workshop.marker"

    @property
    def lock_file(self) -> Path:
        """The lock file for one set-up at a time."""
        return self.place / "workshop.lock"

    @property
    def log_file(self) -> Path:
        """The output of the installers at the last set-up."""
        return self.place / "workshop.log"

    def program(self, name: str) -> Path:
        """Return the path that a program of the environment has if it is installed."""
        if os.name == "nt":
            return self.place / "Scripts" / f"{name}.exe"
        return self.place / "bin" / name

    def stamp(self) -> Stamp | None:
        """Return the stamp; None if there is none that can be read."""
        try:
            return Stamp.parse(self.stamp_file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def is_running(self) -> bool:
        """Return whether this process runs on the environment's interpreter."""
        return os.path.realpath(sys.prefix) == os.path.realpath(self.place)

    def is_whole(self) -> bool:
        """Return whether it is complete, and made for this place, checkout, Python."""
        stamp = self.stamp()
        return (
            stamp is not None
            and stamp.place == str(self.place)
            and stamp.checkout == str(ROOT)
            and os.access(self.python, os.X_OK)
            and not self._runs_other_python(stamp)
        )

    def missing(self, groups: tuple[str, ...]) -> list[str]:
        """Return the *groups* that are not installed as pinned."""
        stamp = self.stamp()
        if stamp is None or not self.is_whole():
            return list(groups)
        return [name for name in groups if stamp.installed.get(name) != digest(name)]

    def mark_stale(self) -> None:
        """Mark the packages as stale, so that they are installed again."""
        stamp = self.stamp()
        if stamp is not None:
            stamp.installed = dict.fromkeys(stamp.installed, "begun")
            replace_text(self.stamp_file, stamp.text())

    def mark_stale_if_other_python(self) -> None:
        """Remove the stamp if the environment's Python has another version."""
        stamp = self.stamp()
        if stamp is not None and self._runs_other_python(stamp):
            self.stamp_file.unlink(missing_ok=True)

    def _runs_other_python(self, stamp: Stamp) -> bool:
        version = version_text(sys.version_info[:2])
        return self.is_running() and stamp.python != version
