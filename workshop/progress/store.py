"""Keep the state in a file that survives whatever happens to it."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from workshop.progress.record import VERSION, State, from_json, to_json


class _NewerVersionError(Exception):
    """The file was written by a newer version of the workshop."""


class _DamagedError(Exception):
    """The file is not what we write."""


class Store:
    """The state file at *path*, with a backup beside it.

    `notes` collects sentences for the learner: what was found damaged and
    what became of it. Nothing here raises for a damaged file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.backup = path.with_suffix(".backup.json")
        self.notes: list[str] = []
        self._keep_out = False

    def load(self) -> State:
        """Return the state; an empty one where there is none yet.

        A damaged file is set aside under a name of its own and the backup
        takes its place. A newer version's file is left alone: then nothing
        is saved either.
        """
        try:
            return _read(self.path)
        except FileNotFoundError:
            if not self.backup.exists():
                return State()
        except _NewerVersionError:
            self._keep_out = True
            self.notes.append(
                f"{self.path.name} was written by a newer version of the workshop "
                "and is left alone; progress is not recorded. Update the checkout."
            )
            return State()
        except _DamagedError:
            self._set_aside()
        try:
            state = _read(self.backup)
        except (FileNotFoundError, _NewerVersionError, _DamagedError):
            self.notes.append("There is no usable backup: progress starts anew.")
            return State()
        self.notes.append("Your progress was restored from its backup.")
        return state

    def save(self, state: State) -> None:
        """Write *state* and keep what was there before as the backup.

        The file is replaced in one step: whoever reads it meanwhile, or after
        a crash, finds the old state or the new one, never half of it. When it
        cannot be written, that is noted and nothing is lost but this change.
        """
        if self._keep_out:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if self.path.exists():
                _replace(self.backup, self.path.read_bytes())
            text = json.dumps(to_json(state), indent=2) + "\n"
            _replace(self.path, text.encode())
        except OSError as problem:
            self.notes.append(
                f"Progress could not be saved: {problem}. Verdicts are not affected."
            )

    def _set_aside(self) -> None:
        stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")
        aside = self.path.with_name(f"{self.path.stem}.damaged-{stamp}.json")
        try:
            os.replace(self.path, aside)  # noqa: PTH105 -- replaces on Windows too
        except OSError as problem:
            self.notes.append(f"{self.path} is damaged and in the way: {problem}.")
            self._keep_out = True
        else:
            self.notes.append(
                f"{self.path.name} was damaged; it is kept as {aside.name}."
            )


def content_hash(path: Path) -> str:
    """Return what tells one content of *path* from another; "" if unreadable."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def _read(path: Path) -> State:
    """Raise FileNotFoundError, _NewerVersionError or _DamagedError."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        version = data["version"]
        if isinstance(version, int) and version > VERSION:
            raise _NewerVersionError
        return from_json(data)
    except FileNotFoundError:
        raise
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as problem:
        raise _DamagedError from problem


def _replace(path: Path, content: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
