"""The contents of a bundle, as listed in `contents.json` and `SHA256SUMS`.

`start.py` reads both files on learners' machines. `contents.json` also marks a folder
as a bundle, so it is written first, without targets, and again at the end.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from workshop.bundle.errors import BundleError
from workshop.bundle.folders import write_file

FILE = "contents.json"
SUMS = "SHA256SUMS"

# Files that operating systems and file managers create on memory sticks.
_FOREIGN = {
    *("System Volume Information", "$RECYCLE.BIN", "lost+found"),
    *("Thumbs.db", "desktop.ini"),
}


@dataclass(frozen=True)
class Machine:
    """The machines of one target that can be set up from the bundle.

    Attributes:
        system: The name of the system: `linux-x86_64`.
        python: The Python version: `3.11`.
        title: The name to show.
        groups: The groups of packages that are complete.
        wheels: The names of their wheels.

    """

    system: str
    python: str
    title: str
    groups: tuple[str, ...]
    wheels: tuple[str, ...]


@dataclass(frozen=True)
class Contents:
    """The contents of a bundle.

    Attributes:
        commit: The commit of the course.
        site: The commit that the site was built from; "" if there is no site.
        machines: The machines that can be set up.

    """

    commit: str = ""
    site: str = ""
    machines: tuple[Machine, ...] = field(default=())

    @classmethod
    def of(cls, folder: Path) -> Contents | None:
        """Return the contents of the bundle *folder*, or None if it is not a bundle."""
        try:
            found = json.loads((folder / FILE).read_text(encoding="utf-8"))
            machines = tuple(Machine(**it) for it in found["machines"])
            return cls(found["commit"], found["site"], machines)
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def write(self, folder: Path) -> None:
        """Write them to the bundle *folder*, in one step."""
        text = json.dumps(asdict(self), indent=1) + "\n"
        write_file(folder / FILE, text.encode())


def refuse_others(folder: Path) -> None:
    """Check that *folder* may be changed: it is a bundle, empty or missing.

    Raises:
        BundleError: It contains something else.

    """
    if folder.is_dir() and (
        Contents.of(folder) or all(map(_is_foreign, folder.iterdir()))
    ):
        return
    if folder.exists() or folder.is_symlink():
        raise BundleError(
            f"{folder} is neither a bundle nor an empty folder, so it was not changed. "
            f'Use a new folder: python -m workshop bundle "{folder / "course"}"'
        )


def _is_foreign(path: Path) -> bool:
    return path.name in _FOREIGN or path.name.startswith(".")


def write_sums(folder: Path) -> None:
    """Write the SHA-256 sums of all files that do not change on the stick."""
    lines = [
        f"{_digest(path)}  {path.relative_to(folder).as_posix()}\n"
        for path in sorted(_lasting_files(folder))
    ]
    write_file(folder / SUMS, "".join(lines).encode())


def _lasting_files(folder: Path) -> Iterator[Path]:
    """Yield the files of the bundle, except those that git itself may change."""
    git = folder / "course" / ".git"
    for path in _files(folder):
        own = path.relative_to(folder)
        changes = path.is_relative_to(git) and not path.is_relative_to(git / "objects")
        if not changes and own.name != SUMS and not own.parts[0].startswith("."):
            yield path


def _files(folder: Path) -> Iterator[Path]:
    for place, _, names in os.walk(folder):
        yield from (Path(place, name) for name in names if name not in _FOREIGN)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def size(paths: Iterable[Path]) -> int:
    """Return the size in bytes of *paths*, including the files in folders."""
    return sum(
        file.stat().st_size
        for path in paths
        for file in (_files(path) if path.is_dir() else [path])
    )


def megabytes(count: int) -> str:
    """Return a number of bytes in megabytes.

    >>> megabytes(16_170_000)
    '16.2 MB'
    """
    return f"{count / 1_000_000:.1f} MB"
