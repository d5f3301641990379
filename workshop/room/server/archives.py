"""ZIP archives of a bundle, one for each system and Python.

A bundle contains packages for all of them, several hundred files and up to 800 MB. A
learner downloads one archive, with the packages for their own machine only.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile

from pydantic import BaseModel, ValidationError

_CONTENTS = "contents.json"
_WHEELS = "wheels"
_ROOT = "async-fastapi"
"""The folder in each archive, so that unpacking it creates no other files."""


class Machine(BaseModel):
    """A system and a Python whose packages are in the bundle.

    Attributes:
        system: The name of the system: `linux-x86_64`.
        python: The Python version: `3.13`.
        title: Both, for people.
        wheels: The names of its packages' files.

    """

    system: str
    python: str
    title: str
    wheels: list[str]

    @property
    def archive(self) -> str:
        """The name of its archive."""
        return f"{_ROOT}-{self.system}-python{self.python}.zip"


class _Contents(BaseModel):
    machines: list[Machine]


class Archives:
    """The archives of the bundle *folder*. Each is written to *cache* when needed.

    The methods block, so call them in a thread.
    """

    def __init__(self, folder: Path, cache: Path) -> None:
        self._folder = folder
        self._cache = cache
        self._writing = threading.Lock()

    def machines(self) -> list[Machine]:
        """Return the machines whose packages are complete; none if it is no bundle."""
        try:
            text = (self._folder / _CONTENTS).read_text(encoding="utf-8")
            machines = _Contents.model_validate_json(text).machines
        except (OSError, ValidationError):
            return []
        wheels = self._folder / _WHEELS
        return [
            it
            for it in machines
            if all((wheels / name).is_file() for name in it.wheels)
        ]

    def sizes(self) -> list[tuple[Machine, int]]:
        """Return each machine and its archive's size in bytes, without headers."""
        shared = sum(path.stat().st_size for path in self._files(wheels=()))
        wheels = self._folder / _WHEELS
        return [
            (it, shared + sum((wheels / name).stat().st_size for name in it.wheels))
            for it in self.machines()
        ]

    def archive(self, name: str) -> Path | None:
        """Return the archive called *name*; None if the bundle has none."""
        machine = next((it for it in self.machines() if it.archive == name), None)
        if machine is None:
            return None
        # A file, not a stream: a download that the Wi-Fi interrupts can be resumed.
        target = self._cache / name
        with self._writing:
            if not target.exists():
                unfinished = target.with_suffix(".part")
                self._write(machine, unfinished)
                unfinished.replace(target)
        return target

    def _write(self, machine: Machine, target: Path) -> None:
        # Packages are compressed already.
        with ZipFile(target, "w", ZIP_STORED, strict_timestamps=False) as archive:
            for path in self._files(machine.wheels):
                inside = Path(_ROOT) / path.relative_to(self._folder)
                archive.write(path, inside.as_posix())

    def _files(self, wheels: Iterable[str]) -> Iterator[Path]:
        wanted = set(wheels)
        for place, folders, names in os.walk(self._folder):
            folders.sort()
            is_wheels = Path(place) == self._folder / _WHEELS
            for name in sorted(names):
                if not is_wheels or name in wanted:
                    yield Path(place) / name
