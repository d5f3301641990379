"""Carry out an update that has been prepared, or finish one that was interrupted.

Everything is decided and written beside the checkout before the first file changes.
A journal lists the work, and each of its steps is idempotent, so an interrupted
update is finished by the next command.

The tool's own files are among those that change, and a mixture of old and new ones
may not even start. Therefore a copy of this module, and of what it imports, lies
beside the journal, and `workshop/__main__.py` runs that copy first, as
`python -m workshop.update.apply CHECKOUT`. Standard library only.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workshop import files
from workshop.update.git import Git, UpdateError

_COPIED = ("files.py", "update/git.py", "update/apply.py")
_UNFINISHED = ".update-unfinished"
_PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Stage:
    """The folder in the checkout *root* where an update is prepared."""

    root: Path

    @property
    def folder(self) -> Path:
        """The folder itself. Git ignores it."""
        return self.root / ".workshop" / "update"

    @property
    def journal(self) -> Path:
        """The list of work; it exists while an update is being carried out."""
        return self.folder / "journal.json"

    @property
    def new(self) -> Path:
        """The files to install."""
        return self.folder / "new"

    @property
    def old(self) -> Path:
        """Copies of the replaced files, kept until the update is complete."""
        return self.folder / "old"

    @property
    def index(self) -> Path:
        """Git's index after the update."""
        return self.folder / "index"

    @property
    def code(self) -> Path:
        """The copy of the code that finishes an interrupted update."""
        return self.folder / "code"

    @property
    def record(self) -> Path:
        """What the last update did, for `--undo`."""
        return self.folder / "last.json"

    @contextlib.contextmanager
    def scratch_index(self) -> Iterator[dict[str, str]]:
        """Yield the variables that make git use a separate index in the block."""
        index = self.folder / "scratch-index"
        try:
            _forget_index(index)
            yield {"GIT_INDEX_FILE": str(index)}
        finally:
            _forget_index(index)

    def clear(self) -> None:
        """Remove what was prepared, but keep the record."""
        self.journal.unlink(missing_ok=True)
        _forget_index(self.index)
        for folder in (self.new, self.old, self.code):
            shutil.rmtree(folder, ignore_errors=True)

    def write_journal(self, journal: dict[str, Any]) -> None:
        """Copy the code that finishes an update, then write the journal atomically."""
        package = Path(__file__).resolve().parents[1]
        for name in _COPIED:
            copy = self.code / "workshop" / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            (copy.parent / "__init__.py").touch()
            shutil.copyfile(package / name, copy)
        (self.code / "workshop" / "__init__.py").touch()
        write_json(self.journal, journal)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the lock that keeps out other updates of this checkout."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with files.lock(
                self.folder / "lock",
                lambda _: None,
                patience_seconds=_PATIENCE_SECONDS,
            ):
                yield
        except TimeoutError:
            raise UpdateError(
                "Another update of this checkout is running. Wait until it is done."
            ) from None


def _forget_index(index: Path) -> None:
    """Remove *index*, and the lock file that git leaves behind after a power cut."""
    index.unlink(missing_ok=True)
    index.with_name(f"{index.name}.lock").unlink(missing_ok=True)


def sha256(file: Path) -> str | None:
    """Return the digest of *file*; None if it does not exist."""
    if file.is_symlink():
        return "link " + os.fspath(file.readlink())
    if not os.path.lexists(file):
        return None
    return hashlib.sha256(file.read_bytes()).hexdigest()


def write_json(file: Path, data: dict[str, Any]) -> None:
    """Write *data* to *file* in one step."""
    files.replace(file, json.dumps(data).encode())


def carry_out(git: Git, stage: Stage) -> None:
    """Carry out the journal of an update that has just been prepared.

    Raises:
        UpdateError: The update failed and nothing has changed.

    """
    journal = _read(stage)
    expected = journal["expected"]
    paths = [*journal["deletes"], *journal["writes"]]
    root = git.root
    try:
        for path in paths:
            if sha256(root / path) != expected[path]:
                raise UpdateError(
                    f"{path} was saved during the update. Run the same command again."
                )
            if expected[path] is not None:
                _copy(root / path, stage.old / path)
    except (OSError, UpdateError) as problem:
        stage.clear()
        raise _unchanged(problem) from None
    try:
        _change_files(root, stage, journal)
        _move_head(git, journal)
    except (OSError, UpdateError) as problem:
        _roll_back(root, stage, paths)
        stage.clear()
        raise _unchanged(problem) from None
    _install_index(git, stage)
    _close(stage, journal)


def finish(git: Git, stage: Stage) -> list[str]:
    """Finish an interrupted update, if there is one.

    A file that was edited after the interruption is copied before it is replaced.

    Returns:
        Sentences that say what was done.

    """
    if not stage.journal.exists():
        return []
    try:
        journal = _read(stage)
    except ValueError:
        stage.clear()
        return [
            "An interrupted update cannot be finished, because its journal is damaged. "
            "`git status` shows what it left behind."
        ]
    head = git.commit("HEAD")
    if head not in (journal["head"], journal["target"]):
        stage.clear()
        return [
            "An interrupted update was abandoned, because the branch has moved since. "
            "`git status` shows what it left behind."
        ]
    notes = ["An interrupted update was finished first."]
    rescued = stage.folder / "rescued" / time.strftime("%Y%m%d-%H%M%S")
    for path in [*journal["deletes"], *journal["writes"]]:
        content = sha256(git.root / path)
        if content not in (None, journal["expected"][path], sha256(stage.new / path)):
            _copy(git.root / path, rescued / path)
            notes.append(
                f"{path} was edited in the meantime. Your version: {rescued / path}"
            )
    try:
        _change_files(git.root, stage, journal)
    except OSError as problem:
        raise UpdateError(
            f"An interrupted update could not be finished: {problem}. Close programs "
            "that may use the file, then run the same command again."
        ) from None
    _move_head(git, journal)
    _install_index(git, stage)
    _close(stage, journal)
    return notes


def _read(stage: Stage) -> dict[str, Any]:
    journal: dict[str, Any] = json.loads(stage.journal.read_text(encoding="utf-8"))
    return journal


def _unchanged(problem: Exception) -> UpdateError:
    if isinstance(problem, UpdateError):
        return UpdateError(f"{problem} Nothing was changed.")
    return UpdateError(
        f"The update failed: {problem}. Nothing was changed. Is the disk full, a "
        "folder write-protected, or a file in use by another program?"
    )


def _change_files(root: Path, stage: Stage, journal: dict[str, Any]) -> None:
    # Deletions come first: on a case-insensitive file system readme.md and README.md
    # are one file, and a folder may have to make room for a file of the same name.
    for path in journal["deletes"]:
        _patiently(root / path, None)
        _remove_empty_folders(root, (root / path).parent)
    for path in journal["writes"]:
        _put(stage.new / path, root / path)


def _move_head(git: Git, journal: dict[str, Any]) -> None:
    head, target = journal["head"], journal["target"]
    if git.commit("HEAD") != target:
        git.run("update-ref", "-m", journal["message"], "HEAD", target, head)


def _install_index(git: Git, stage: Stage) -> None:
    if stage.index.exists():
        _put(stage.index, git.path("index"))


def _close(stage: Stage, journal: dict[str, Any]) -> None:
    if journal["record"] is None:
        stage.record.unlink(missing_ok=True)
    else:
        write_json(stage.record, journal["record"])
    stage.clear()


def _roll_back(root: Path, stage: Stage, paths: list[str]) -> None:
    for path in paths:
        if not os.path.lexists(stage.old / path):
            with contextlib.suppress(OSError):
                (root / path).unlink(missing_ok=True)
                _remove_empty_folders(root, (root / path).parent)
    for path in paths:
        if os.path.lexists(stage.old / path):
            _put(stage.old / path, root / path)


def _put(source: Path, target: Path) -> None:
    """Replace *target* atomically with a copy of *source*."""
    temporary = target.with_name(f".{target.name}{_UNFINISHED}")
    try:
        _copy(source, temporary)
        _patiently(target, temporary)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    shutil.copyfile(source, target, follow_symlinks=False)
    if not source.is_symlink():
        shutil.copymode(source, target)


def _patiently(target: Path, replacement: Path | None) -> None:
    """Replace the file *target*, or delete it, also if it is in use for a moment."""
    if replacement is None:
        files.patiently(lambda: target.unlink(missing_ok=True))
    else:
        files.patiently(lambda: replacement.replace(target))


def _remove_empty_folders(root: Path, folder: Path) -> None:
    """Remove *folder* and its parents while they hold nothing but byte code."""
    while folder != root:
        try:
            if [it.name for it in folder.iterdir()] == ["__pycache__"]:
                shutil.rmtree(folder / "__pycache__")
            folder.rmdir()
        except FileNotFoundError:
            pass
        except OSError:
            return
        folder = folder.parent


def main(root: Path) -> int:
    """Finish an interrupted update of the checkout *root*; return an exit code."""
    stage = Stage(root)
    try:
        with stage.alone():
            notes = finish(Git.at(root), stage)
    except (UpdateError, OSError) as problem:
        sys.stderr.write(f"{problem}\n")
        return 3
    for sentence in notes:
        sys.stderr.write(f"{sentence}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
