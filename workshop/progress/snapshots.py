"""Keep copies of a lesson's files from before a replacement.

A snapshot is a folder with copies, so learners can read and copy the files without the
workshop: `kept/03_background_tasks/0007-20261122-184800-before-reset/app.py`.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import shutil
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from workshop import files

RETAINED = 50
"""How many snapshots of each lesson are kept.

Snapshots whose content a later one repeats are deleted first, then the oldest.
"""

_NAME = re.compile(r"(?P<number>\d+)-(?P<time>\d{8}-\d{6})-before-(?P<verb>[a-z-]+)")
_TIME = "%Y%m%d-%H%M%S"
# Written last. A snapshot without it is incomplete.
_STANDING = ".standing.json"
# Files that an app creates are not the learner's work, and may be large.
_LEFT_OUT = (".pyc", ".db", ".db-journal", ".db-wal", ".db-shm")
_BYTES = 1_000_000
_FILES = 200


@dataclass(frozen=True)
class Snapshot:
    """Copies of a lesson's files, taken before *verb* replaced `app.py`.

    `number` counts across all lessons, so the highest is the latest even if the clock
    was set back. `time` is this machine's local time.
    """

    folder: Path
    number: int
    time: datetime
    verb: str

    @property
    def slug(self) -> str:
        """The name of the lesson's folder."""
        return self.folder.parent.name

    @property
    def app_file(self) -> Path:
        """The copy of the file that learners edit."""
        return self.folder / "app.py"

    @property
    def passed(self) -> list[int]:
        """The steps that the copied `app.py` was known to pass."""
        verdicts = self.standing.get("verdicts")
        if not isinstance(verdicts, dict):
            return []
        return sorted(
            int(step)
            for step, verdict in verdicts.items()
            if verdict == "passed" and step.isdecimal()
        )

    @property
    def standing(self) -> dict[str, Any]:
        """What was known about the file then; empty if that cannot be read."""
        try:
            data = json.loads((self.folder / _STANDING).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return data if isinstance(data, dict) else {}


@dataclass(frozen=True)
class Snapshots:
    """All snapshots, with a folder for each lesson below *root*."""

    root: Path

    def of(self, slug: str) -> list[Snapshot]:
        """Return the complete snapshots of a lesson, the latest first."""
        found = (_read(folder) for folder in _folders(self.root / slug))
        return sorted(
            (it for it in found if it and (it.folder / _STANDING).exists()),
            key=lambda it: it.number,
            reverse=True,
        )

    def latest(self) -> Snapshot | None:
        """Return the latest snapshot of any lesson; None if there is none."""
        firsts = [self.of(folder.name)[:1] for folder in _folders(self.root)]
        return max(
            (it for first in firsts for it in first),
            key=lambda it: it.number,
            default=None,
        )

    def take(
        self, lesson_folder: Path, app: bytes, verb: str, standing: Mapping[str, Any]
    ) -> Snapshot:
        """Copy the learner's files in *lesson_folder* before *verb* runs.

        *app* is the content of `app.py`. Small files beside it are copied as well, but
        not caches and databases.

        Raises:
            OSError: The copies could not be written. Nothing of them is left.
        """
        slug = lesson_folder.name
        now = datetime.now()  # local time, as on the learner's clock
        latest = self.latest()
        number = latest.number + 1 if latest else 1
        name = f"{number:04}-{now.strftime(_TIME)}-before-{verb}"
        folder = self.root / slug / name
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir()
        try:
            for path, content in _files(lesson_folder):
                copy = folder / path
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(content)
            files.replace(folder / "app.py", app, 0o644)
            (folder / _STANDING).write_text(json.dumps(standing), encoding="utf-8")
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        self._retire(slug)
        return Snapshot(folder, number, now.replace(microsecond=0), verb)

    def keep(
        self, lesson_folder: Path, app: bytes, verb: str, standing: Mapping[str, Any]
    ) -> Snapshot:
        """Return the latest snapshot if its files are the same, else `take` one."""
        latest = next(iter(self.of(lesson_folder.name)), None)
        if latest is not None:
            now = {**dict(_files(lesson_folder)), Path("app.py"): app}
            if _digest(now.items()) == _digest(_files(latest.folder)):
                return latest
        return self.take(lesson_folder, app, verb, standing)

    def _retire(self, slug: str) -> None:
        """Delete surplus snapshots: repetitions first, then the oldest.

        So fifty resets and undos do not displace the learner's own work. Incomplete
        snapshots older than all others are deleted too.
        """
        there = self.of(slug)
        surplus = len(there) - RETAINED
        if surplus < 0:
            return
        for it in retired({it: _digest(_files(it.folder)) for it in there}, surplus):
            shutil.rmtree(it.folder, ignore_errors=True)
            there.remove(it)
        for folder in _folders(self.root / slug):
            unfinished = _read(folder)
            if unfinished and unfinished.number < there[-1].number:
                shutil.rmtree(folder, ignore_errors=True)


def retired(contents: Mapping[Snapshot, str], surplus: int) -> list[Snapshot]:
    """Return the *surplus* snapshots to delete. *contents* has the latest first.

    Choose the oldest of those whose content a later one repeats; if there are not
    enough of them, the oldest of all.
    """
    seen: set[str] = set()
    repeated: list[Snapshot] = []
    single: list[Snapshot] = []
    for it, content in contents.items():
        (repeated if content in seen else single).append(it)
        seen.add(content)
    return [*reversed(repeated), *reversed(single)][:surplus]


def _digest(files: Iterable[tuple[Path, bytes]]) -> str:
    digest = hashlib.sha256()
    for path, content in sorted(files):
        name = path.as_posix().encode()
        digest.update(b"%d %s %d " % (len(name), name, len(content)) + content)
    return digest.hexdigest()


def _folders(parent: Path) -> list[Path]:
    return [path for path in _listed(parent) if path.is_dir()]


def _read(folder: Path) -> Snapshot | None:
    """Return the snapshot that *folder*'s name describes; None for other names."""
    match = _NAME.fullmatch(folder.name)
    if match is None:
        return None
    try:
        time = datetime.strptime(match["time"], _TIME)
    except ValueError:
        return None
    return Snapshot(folder, int(match["number"]), time, match["verb"])


def _files(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """Yield the learner's files beside `app.py` that can be read.

    They are never replaced, but a copy preserves the state as a whole. The nearest
    files come first, because there may be a whole virtual environment among them.
    """
    return itertools.islice(_walk(folder), _FILES)


def _walk(folder: Path) -> Iterator[tuple[Path, bytes]]:
    pending = deque([folder])
    while pending:
        for path in _listed(pending.popleft()):
            if path.name.startswith((".", "__")) or path.is_symlink():
                continue
            if path.is_dir():
                pending.append(path)
            elif path.is_file() and path.suffix not in _LEFT_OUT:
                content = _small(path)
                if content is not None:
                    yield path.relative_to(folder), content


def _small(path: Path) -> bytes | None:
    try:
        return path.read_bytes() if path.stat().st_size <= _BYTES else None
    except OSError:
        return None


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []
