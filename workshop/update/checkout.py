"""The state of a checkout: commits, edits, and any git operation in progress."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from workshop.update.apply import Stage
from workshop.update.git import Git, GitError, UpdateError
from workshop.update.plan import MISSING, SPECIAL, Entry, Tree, is_app, lesson_of

_NO_CLONE = (
    "{root} is not a git clone, perhaps because it was downloaded as a ZIP, so it "
    "cannot be updated. Download the new version into another folder and copy each "
    "lessons/*/app.py there. To move your progress, use `python -m workshop progress "
    "export FILE` here and `progress import FILE` there."
)

# Git's operations, by the file that exists while each is in progress.
_OPERATIONS = {
    "rebase-merge": "rebase",
    "rebase-apply": "rebase",
    "MERGE_HEAD": "merge",
    "CHERRY_PICK_HEAD": "cherry-pick",
    "REVERT_HEAD": "revert",
    "BISECT_LOG": "bisect",
}


def open_checkout(root: Path) -> Git:
    """Return git for the checkout *root*.

    Raises:
        UpdateError: Git is missing, or *root* is not a clone that git can work in.

    """
    git = Git.at(root)
    if not (root / ".git").exists():
        raise UpdateError(_NO_CLONE.format(root=root))
    try:
        git.run("rev-parse", "--git-dir")
    except GitError as problem:
        if "dubious ownership" in problem.stderr:
            raise UpdateError(
                f"{root} belongs to another user, so git refuses to work in it. If you "
                f"trust it: git config --global --add safe.directory '{root}'"
            ) from None
        raise UpdateError(f"Git cannot work in {root}: {problem.said}.") from None
    if git.commit("HEAD") is None:
        raise UpdateError(
            f"{root} has no commit yet, so there is nothing to update. "
            "Clone the course into a new folder."
        )
    if git.path("index.lock").exists():
        raise UpdateError(
            "Another git command is running in this checkout. If not, an earlier one "
            f"was killed: delete {git.path('index.lock')}."
        )
    return git


def operation(git: Git) -> str:
    """Return the git operation in progress: `merge`, `rebase`, …; "" if none is."""
    found = (name for file, name in _OPERATIONS.items() if git.path(file).exists())
    return next(found, "")


def unmerged(git: Git) -> dict[str, dict[int, str]]:
    """Return the blobs of each conflicted file, by stage.

    Stage 1 is the base, 2 the version of HEAD and 3 the other version.
    """
    found: dict[str, dict[int, str]] = {}
    for record in _records(git.run("ls-files", "-u", "-z", "--full-name")):
        facts, _, path = record.partition("\t")
        _, blob, number = facts.split()
        found.setdefault(path, {})[int(number)] = blob
    return found


def tree(git: Git, commit: str) -> dict[str, Entry]:
    """Return the files of *commit*."""
    found = {}
    for record in _records(git.run("ls-tree", "-r", "-z", "--full-tree", commit)):
        facts, _, path = record.partition("\t")
        mode, kind, blob = facts.split()
        if kind == "blob":
            found[path] = Entry(mode, blob)
    return found


def staged(git: Git) -> dict[str, Entry]:
    """Return the files that are staged for the next commit."""
    found = {}
    records = iter(
        _records(git.run("diff-index", "--cached", "-z", "--no-renames", "HEAD"))
    )
    for facts, path in zip(records, records, strict=True):
        _, mode, _, blob, status = facts.split()
        if status in ("A", "M", "T") and blob.strip("0"):
            found[path] = Entry(mode, blob)
    return found


def flagged(git: Git) -> dict[str, list[str]]:
    """Return the files that git is configured to ignore changes to, by option."""
    found: dict[str, list[str]] = {"--skip-worktree": [], "--assume-unchanged": []}
    for record in _records(git.run("ls-files", "-v", "-z", "--full-name")):
        tag, _, path = record.partition(" ")
        if tag.upper() == "S":
            found["--skip-worktree"].append(path)
        if tag.islower():
            found["--assume-unchanged"].append(path)
    return {option: paths for option, paths in found.items() if paths}


def edited(git: Git, stage: Stage, committed: Tree) -> dict[str, Entry]:
    """Return the committed files whose version on the disk differs, as on the disk."""
    with stage.scratch_index() as scratch:
        git.run("read-tree", "HEAD", variables=scratch)
        git.run("update-index", "-q", "--refresh", variables=scratch, accepted=(0, 1))
        names = _records(git.run("diff-files", "-z", "--name-only", variables=scratch))
    there = on_disk(git, names, committed)
    # A file that differs only in its mode has no content to lose.
    return {path: it for path, it in there.items() if it != committed.get(path)}


def on_disk(git: Git, paths: Iterable[str], committed: Tree) -> dict[str, Entry]:
    """Store the files at *paths* as blobs and return their entries."""
    found: dict[str, Entry] = {}
    files = []
    for path in paths:
        kind = _kind(git.root, path)
        if kind is None:
            files.append(path)
        else:
            found[path] = kind
    stdin = "".join(f"{path}\n" for path in files).encode()
    # Passing the paths applies the line endings that .gitattributes asks for.
    blobs = git.text("hash-object", "-w", "--stdin-paths", stdin=stdin).split()
    for path, blob in zip(files, blobs, strict=True):
        mode = committed[path].mode if path in committed else "100644"
        found[path] = Entry(mode, blob)
    return found


def _kind(root: Path, path: str) -> Entry | None:
    """Return the kind of thing at *path*; None for a regular file."""
    parent = root
    for part in Path(path).parts[:-1]:
        parent /= part
        # Never write through a link: its target does not belong to the course.
        if parent.is_symlink():
            return SPECIAL
        if not parent.is_dir():
            return SPECIAL if os.path.lexists(parent) else MISSING
    try:
        mode = (root / path).lstat().st_mode
    except OSError:
        return MISSING
    return None if stat.S_ISREG(mode) else SPECIAL


def in_the_way(git: Git, course: Tree, committed: Tree) -> dict[str, Entry]:
    """Return what exists on the disk where the course adds files."""
    there = on_disk(git, [path for path in course if path not in committed], committed)
    return {path: it for path, it in there.items() if it != MISSING}


def lessons_with_work(git: Git, edits: Mapping[str, Entry]) -> list[str]:
    """Return the lessons in which the learner has edited or added files."""
    names = [path for path, it in edits.items() if it not in (MISSING, SPECIAL)]
    names += _records(
        git.run("ls-files", "-o", "--exclude-standard", "-z", "--", "lessons")
    )
    return sorted({slug for slug in map(lesson_of, names) if slug})


def apps_in(git: Git) -> list[Path]:
    """Return every `app.py` that learners edit."""
    files = sorted((git.root / "lessons").glob("*/app.py"))
    return [it for it in files if is_app(it.relative_to(git.root).as_posix())]


def content(git: Git, blob: str, path: str) -> bytes:
    """Return *blob* as it would be written to *path*."""
    return git.run("cat-file", "--filters", f"--path={path}", blob)


@dataclass(frozen=True)
class Position:
    """A checkout's current commit and branch; the branch is "" if HEAD is detached."""

    commit: str
    branch: str

    @classmethod
    def of(cls, git: Git) -> Position:
        """Return the position of the checkout of *git*."""
        branch = git.text("symbolic-ref", "-q", "--short", "HEAD", accepted=(0, 1))
        commit = git.commit("HEAD")
        assert commit is not None  # checked by open_checkout
        return cls(commit, branch)


def _records(output: bytes) -> list[str]:
    text = output.decode("utf-8", "surrogateescape")
    return [record for record in text.split("\0") if record]
