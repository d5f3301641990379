"""Get a checkout out of a merge, rebase or stash that ended in conflicts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from workshop import conflicts, files
from workshop.update import checkout
from workshop.update.git import Git, GitError, UpdateError
from workshop.update.plan import is_app, lesson_of

_THEIRS = 3


def obstacle(operation: str, unmerged: Mapping[str, object]) -> str:
    """Return why the user has to end *operation*; "" if the update can do it.

    The update can end it when all conflicts are in lesson files: the learner's
    `app.py` is kept and the rest comes from the course. Conflicts in other files come
    from an author's work, which only the author can resolve.
    """
    if operation not in ("", "merge", "rebase"):
        done = "reset" if operation == "bisect" else "--abort"
        return (
            f"A {operation} is in progress. Finish it, or run `git {operation} "
            f"{done}`. Then update again. Nothing was changed."
        )
    outside = [path for path in unmerged if not lesson_of(path)]
    if outside:
        end = f"`git {operation} --abort`" if operation else "`git reset --merge`"
        return (
            f"{outside[0]} is in conflict, but it is not a lesson's file. Resolve and "
            f"commit it, or undo the merge with {end}. Then update again. Nothing "
            "was changed."
        )
    if operation and not unmerged:
        finish = "commit" if operation == "merge" else "rebase --continue"
        return (
            f"A {operation} is in progress, and its conflicts are resolved. Finish it "
            f"with `git {finish}`, then update again. Nothing was changed."
        )
    return ""


def settle(
    git: Git, operation: str, unmerged: Mapping[str, Mapping[int, str]]
) -> list[str]:
    """End *operation*, keeping the learner's version of each `app.py`.

    Call it after copies have been made and `obstacle` has returned "".

    Returns:
        Sentences that say what was done.
    """
    apps = [path for path in unmerged if is_app(path)]
    # A file without conflict markers was resolved by hand, so keep it as it is.
    by_hand = {
        path: content
        for path in apps
        if (content := _read(git.root / path)) and _line(content) is None
    }
    try:
        if operation:
            git.run(operation, "--abort")
        elif unmerged:
            git.run("reset", "-q")
            for path, stages in unmerged.items():
                if is_app(path):
                    blob = stages.get(_THEIRS) or stages[max(stages)]
                    _write(git.root / path, checkout.content(git, blob, path))
                else:
                    git.run("checkout", "-q", "HEAD", "--", path)
    except GitError as problem:
        raise UpdateError(
            f"The {operation or 'stash'} could not be ended: {problem.said}. "
            "`git status` shows what git expects."
        ) from None
    if operation != "rebase":  # its commits were on an intermediate state
        for path, content in by_hand.items():
            _write(git.root / path, content)
    ended = f"The {operation} that ended in conflicts was undone"
    return [f"{ended}. Your version was kept."] if operation else []


def remove_markers(git: Git) -> list[str]:
    """Keep the learner's side of conflict markers that remain in an `app.py`.

    Markers remain when they were committed, or when a merge was ended without
    resolving them.

    Returns:
        Sentences that say what was done.
    """
    sentences = []
    for file in checkout.apps_in(git):
        content = _read(file)
        line = _line(content)
        if line is not None:
            # surrogateescape preserves bytes in any encoding.
            text = content.decode("utf-8", "surrogateescape")
            own = conflicts.own_version(text)
            _write(file, own.encode("utf-8", "surrogateescape"))
            name = file.relative_to(git.root).as_posix()
            sentences.append(
                f"{name} had conflict markers in line {line}. Your side of each "
                "conflict was kept."
            )
    return sentences


def _line(content: bytes) -> int | None:
    return conflicts.first_marker(content.decode("utf-8", "replace"))


def _read(file: Path) -> bytes:
    try:
        return b"" if file.is_symlink() else file.read_bytes()
    except OSError:
        return b""


def _write(file: Path, content: bytes) -> None:
    try:
        mode = file.stat().st_mode & 0o777
    except OSError:
        mode = 0o644
    file.parent.mkdir(parents=True, exist_ok=True)
    files.replace(file, content, mode)
