"""The source of the course's new files: a remote, a folder or a bundle."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from workshop.update.git import Git, GitError, UpdateError

INCOMING = "refs/workshop/incoming"
"""The ref that keeps the course's newest commit; it belongs to no branch."""


@dataclass(frozen=True)
class Source:
    """A repository to fetch from: `name` for messages, `address` for git."""

    name: str
    address: str


def choose_remote(remotes: Sequence[str]) -> str:
    """Return which of a clone's *remotes* is the course; "" if that is ambiguous.

    In a clone of a fork, `origin` is usually the fork and `upstream` the course.
    """
    for name in ("upstream", "origin"):
        if name in remotes:
            return name
    return remotes[0] if len(remotes) == 1 else ""


def choose_ref(listing: str) -> str:
    """Return which ref in *listing* (from `git ls-remote --symref`) is the course.

    In order of preference: the branch that HEAD points to, HEAD, `main`, `master`, the
    only branch. Return "" if there is none of these.
    """
    refs = []
    for line in listing.splitlines():
        left, _, name = line.partition("\t")
        if left.startswith("ref: refs/heads/") and name == "HEAD":
            return left.removeprefix("ref: ")
        refs.append(name)
    heads = [name for name in refs if name.startswith("refs/heads/")]
    wanted = ("HEAD", "refs/heads/main", "refs/heads/master", *heads[:1])
    return next((name for name in wanted if name in refs), "")


def find(git: Git, given: str | None, here: Path) -> Source:
    """Return the source *given* on the command line, or the clone's own.

    A relative path is resolved against the folder *here*.
    """
    remotes = git.text("remote").split()
    if given is None:
        name = choose_remote(remotes)
        if not name:
            there = ", ".join(remotes)
            raise UpdateError(
                f"This clone has several remotes ({there}). Choose the course's with "
                "--from NAME"
                if remotes
                else "This clone has no remote. Say where the course is: --from "
                "ADDRESS, or --from with a folder or a bundle on a memory stick."
            )
        return _remote(git, name)
    if given in remotes:
        return _remote(git, given)
    path = here / given
    if path.exists():
        if path.is_dir() and not _is_repository(path):
            raise UpdateError(
                f"{path} is a folder without git history, so nothing can be fetched "
                "from it. Use a clone or a bundle (`git bundle create`)."
            )
        return Source(str(path), os.path.realpath(path))
    if given.startswith("-") or ":" not in given:
        raise UpdateError(
            f"There is no folder, bundle or remote {given!r}. If it is on a memory "
            "stick, plug that in first."
        )
    return Source(given, given)


def _remote(git: Git, name: str) -> Source:
    address = git.text("config", "--get", f"remote.{name}.url", accepted=(0, 1))
    return Source(f"{name} ({_without_password(address)})", name)


def _without_password(address: str) -> str:
    scheme, separator, rest = address.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{separator}{host.rpartition('@')[2]}{slash}{path}"


def _is_repository(folder: Path) -> bool:
    return (folder / ".git").exists() or (folder / "HEAD").is_file()


def fetch(git: Git, source: Source, branch: str | None) -> str:
    """Fetch the course's newest commit from *source* and return it.

    Raises:
        UpdateError: Fetching failed. Nothing has changed.

    """
    try:
        listing = git.text("ls-remote", "--symref", source.address)
        ref = f"refs/heads/{branch}" if branch else choose_ref(listing)
        if not ref or (branch and f"\t{ref}\n" not in f"{listing}\n"):
            named = f"no branch {branch}" if branch else "no branch at all"
            raise UpdateError(f"{source.name} has {named}. Nothing was changed.")
        git.run(
            *("fetch", "--no-tags", "--update-shallow"),
            *(source.address, f"+{ref}:{INCOMING}"),
        )
    except GitError as problem:
        raise UpdateError(_words(source, problem)) from None
    commit = git.commit(INCOMING)
    if commit is None:
        raise UpdateError(f"{source.name} sent no commit. Nothing was changed.")
    return commit


def deepen(git: Git, source: Source) -> None:
    """Fetch the history that a clone made with `--depth` leaves out."""
    try:
        git.run("fetch", "--no-tags", "--unshallow", source.address)
    except GitError as problem:
        raise UpdateError(_words(source, problem)) from None


def _words(source: Source, problem: GitError) -> str:
    if "dubious ownership" in problem.stderr:
        return (
            f"{source.name} belongs to another user, so git refuses to read it. If you "
            f"trust it: git config --global --add safe.directory '{source.address}'"
        )
    return (
        f"Nothing could be fetched from {source.name}: {problem.said}. Nothing was "
        "changed. Without a network, use --from with a clone or a bundle on a memory "
        "stick."
    )
