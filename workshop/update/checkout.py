"""What a checkout holds: commits, edits, and what git is in the middle of."""

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

# What git may be in the middle of, by the file that it keeps for that long.
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
        UpdateError: when git is missing, or *root* is no clone that git can work in.

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
            f"was killed: remove {git.path('index.lock')}."
        )
    return git


def operation(git: Git) -> str:
    """Return what git is in the middle of: `merge`, `rebase`, …; "" if nothing."""
    found = (name for file, name in _OPERATIONS.items() if git.path(file).exists())
    return next(found, "")


def unmerged(git: Git) -> dict[str, dict[int, str]]:
    """Return the blobs of each file that is in conflict, by stage.

    Stage 1 is the base, 2 the version of HEAD and 3 the other one.
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
    """Return the files that are staged for the next commit, as they are staged."""
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
    """Return the files that git is told to overlook, by the option that says so."""
    found: dict[str, list[str]] = {"--skip-worktree": [], "--assume-unchanged": []}
    for record in _records(git.run("ls-files", "-v", "-z", "--full-name")):
        tag, _, path = record.partition(" ")
        if tag.upper() == "S":
            found["--skip-worktree"].append(path)
        if tag.islower():
            found["--assume-unchanged"].append(path)
    return {option: paths for option, paths in found.items() if paths}


def edited(git: Git, stage: Stage, committed: Tree) -> dict[str, Entry]:
    """Return the committed files that are not so on the disk, as they are there."""
    with stage.scratch_index() as scratch:
        git.run("read-tree", "HEAD", variables=scratch)
        git.run("update-index", "-q", "--refresh", variables=scratch, accepted=(0, 1))
        names = _records(git.run("diff-files", "-z", "--name-only", variables=scratch))
    there = on_disk(git, names, committed)
    # What differs in its mode alone has nothing to be lost.
    return {path: it for path, it in there.items() if it != committed.get(path)}


def on_disk(git: Git, paths: Iterable[str], committed: Tree) -> dict[str, Entry]:
    """Return what is on the disk at *paths*, and store it as blobs."""
    found: dict[str, Entry] = {}
    files = []
    for path in paths:
        kind = _kind(git.root, path)
        if kind is None:
            files.append(path)
        else:
            found[path] = kind
    stdin = "".join(f"{path}\n" for path in files).encode()
    # With the paths come the line ends that .gitattributes asks for.
    blobs = git.text("hash-object", "-w", "--stdin-paths", stdin=stdin).split()
    for path, blob in zip(files, blobs, strict=True):
        mode = committed[path].mode if path in committed else "100644"
        found[path] = Entry(mode, blob)
    return found


def _kind(root: Path, path: str) -> Entry | None:
    """Return what *path* is on the disk, None for a file."""
    parent = root
    for part in Path(path).parts[:-1]:
        parent /= part
        # Never write through a link: what is behind it is not the course's.
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
    """Return what is on the disk where files of the course are to come."""
    there = on_disk(git, [path for path in course if path not in committed], committed)
    return {path: it for path, it in there.items() if it != MISSING}


def lessons_with_work(git: Git, edits: Mapping[str, Entry]) -> list[str]:
    """Return the lessons with files of the learner's: edited ones, or new ones."""
    names = [path for path, it in edits.items() if it not in (MISSING, SPECIAL)]
    names += _records(
        git.run("ls-files", "-o", "--exclude-standard", "-z", "--", "lessons")
    )
    return sorted({slug for slug in map(lesson_of, names) if slug})


def apps_in(git: Git) -> list[Path]:
    """Return every file of the checkout that learners edit."""
    files = sorted((git.root / "lessons").glob("*/app.py"))
    return [it for it in files if is_app(it.relative_to(git.root).as_posix())]


def content(git: Git, blob: str, path: str) -> bytes:
    """Return *blob* as it would be written to *path*."""
    return git.run("cat-file", "--filters", f"--path={path}", blob)


@dataclass(frozen=True)
class Position:
    """Where a checkout stands: its commit, and the branch or "" if it is on none."""

    commit: str
    branch: str

    @classmethod
    def of(cls, git: Git) -> Position:
        """Return where the checkout of *git* stands."""
        branch = git.text("symbolic-ref", "-q", "--short", "HEAD", accepted=(0, 1))
        commit = git.commit("HEAD")
        assert commit is not None  # open_checkout has looked
        return cls(commit, branch)


def _records(output: bytes) -> list[str]:
    text = output.decode("utf-8", "surrogateescape")
    return [record for record in text.split("\0") if record]
