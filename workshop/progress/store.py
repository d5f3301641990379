"""Keep the learner's progress in a file that survives crashes and damage."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from workshop import files
from workshop.progress.record import VERSION, State, from_json, to_json

T = TypeVar("T")


class _NewerVersionError(Exception):
    """The file was written by a newer version of the workshop."""


class _DamagedError(Exception):
    """The file was not written by the workshop, or was damaged."""


class Store:
    """The state file at *path*, with a backup beside it.

    A damaged file never raises.

    Attributes:
        notes: Sentences for the learner about damage and repairs.
        is_left_alone: Whether the file must be neither read nor written.
        is_saved: Whether the last change is on the disk.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.backup = path.with_suffix(".backup.json")
        self.notes: list[str] = []
        self.is_left_alone = False
        self.is_saved = False

    def load(self) -> State:
        """Return the state; an empty one if there is none yet.

        A damaged file is renamed and replaced by the backup. A file that a newer
        version wrote, or that cannot be read, is left alone; then nothing is saved
        either.
        """
        state = self._try()
        if state is None:
            with self._turn():
                state = self._load()
        return state

    def _turn(self) -> AbstractContextManager[None]:
        return files.one_at_a_time(self.path.with_suffix(".lock"))

    def _load(self) -> State:
        """Return the state. Call it with the lock held, because it may repair."""
        state = self._try()
        if state is not None:
            return state
        if self.path.exists():
            self._set_aside()
        try:
            state = _read(self.backup)
        except (OSError, _NewerVersionError, _DamagedError):
            self._note("There is no usable backup, so progress starts from zero.")
            return State()
        self._note("Your progress was restored from its backup.")
        return state

    def _try(self) -> State | None:
        """Return the state if no repair is needed, otherwise None."""
        self.is_left_alone = False
        try:
            return _read(self.path)
        except _DamagedError:
            return None
        except FileNotFoundError:
            return None if self.backup.exists() else State()
        except _NewerVersionError:
            self.is_left_alone = True
            self._note(
                f"{self.path.name} was written by a newer version of the workshop and "
                "is left alone; progress is not recorded. Update the checkout."
            )
        except OSError as problem:
            self.is_left_alone = True
            self._note(
                "Your progress cannot be read and is left alone: "
                f"{files.reason(problem)}. Verdicts are not affected."
            )
        return State()

    def _note(self, sentence: str) -> None:
        if sentence not in self.notes:
            self.notes.append(sentence)

    def update(self, change: Callable[[State], T]) -> T:
        """Apply *change* to the state on the disk, write it, and return its result.

        A lock prevents two processes from overwriting each other's changes. The file is
        replaced atomically and the old one becomes the backup, so a reader never finds
        half a state, even after a crash. If the file cannot be written, that is added
        to `notes` and only this change is lost.
        """
        with self._turn():
            state = self._load()
            result = change(state)
            self._write(state)
        return result

    def _write(self, state: State) -> None:
        self.is_saved = False
        if self.is_left_alone:
            return
        state.learners = state.learners or {secrets.token_hex(8)}
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if self.path.exists():
                files.replace(self.backup, self.path.read_bytes())
            text = json.dumps(to_json(state), indent=2) + "\n"
            files.replace(self.path, text.encode())
            self.is_saved = True
        except OSError as problem:
            self._note(
                f"Progress could not be saved: {files.reason(problem)}. "
                "Verdicts are not affected."
            )

    def _set_aside(self) -> None:
        stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")
        aside = self.path.with_name(f"{self.path.stem}.damaged-{stamp}.json")
        try:
            os.replace(self.path, aside)  # noqa: PTH105 -- replaces on Windows too
        except OSError as problem:
            self._note(
                f"{self.path} is damaged and in the way: {files.reason(problem)}."
            )
            self.is_left_alone = True
        else:
            self._note(f"{self.path.name} was damaged; it is kept as {aside.name}.")


def content_hash(path: Path) -> str:
    """Return a hash of the content of *path*; "" if it cannot be read."""
    try:
        return content_hash_of(path.read_bytes())
    except OSError:
        return ""


def content_hash_of(content: bytes) -> str:
    """Return a hash of *content*."""
    return hashlib.sha256(content).hexdigest()


def _read(path: Path) -> State:
    """Raise OSError, _NewerVersionError or _DamagedError."""
    content = files.read(path)
    try:
        data = json.loads(content.decode("utf-8"))
        version = data["version"]
        if isinstance(version, int) and version > VERSION:
            raise _NewerVersionError
        return from_json(data)
    except (
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        RecursionError,
    ) as problem:
        raise _DamagedError from problem
