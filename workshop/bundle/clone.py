"""The clone of the course in a bundle: what is committed, and nothing else."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from workshop.bundle.errors import BundleError
from workshop.bundle.folders import put
from workshop.processes.temporary import temporary_folder
from workshop.update.git import Git, GitError
from workshop.update.source import choose_remote

_MAIN = "main"


@dataclass(frozen=True)
class Original:
    """The checkout that is cloned.

    Attributes:
        git: Git in the checkout.
        commit: Its current commit.
        uncommitted: The paths of edited and new files, which a clone does not have.

    """

    git: Git
    commit: str
    uncommitted: tuple[str, ...]

    @classmethod
    def of(cls, root: Path) -> Original:
        """Return the checkout *root*.

        Raises:
            BundleError: Git is missing, or *root* is no clone with a commit.

        """
        program = shutil.which("git")
        if program is None:
            raise BundleError(
                "The bundle contains a clone of the course, but git is not installed "
                "or not on the PATH. Get it from https://git-scm.com/downloads and run "
                "the same command again."
            )
        git = Git(root, program)
        try:
            commit = git.commit("HEAD") if (root / ".git").exists() else None
        except GitError as problem:
            raise BundleError(f"Git cannot work in {root}: {problem.said}.") from None
        if commit is None:
            raise BundleError(
                f"{root} is not a git clone with a commit, perhaps because it was "
                "downloaded as a ZIP, so it cannot be cloned. Clone the course and run "
                "the same command there."
            )
        status = git.run("status", "--porcelain", "-z", "--no-renames")
        records = status.decode("utf-8", "surrogateescape").split("\0")
        return cls(git, commit, tuple(it[3:] for it in records if it))

    def clone_to(self, target: Path) -> None:
        """Make *target* a clone of the current commit, unless it is one already.

        Raises:
            BundleError: Git cannot clone.

        """
        if self._is_clone(target):
            return
        with temporary_folder("clone", target.parent) as folder:
            fresh = folder / target.name
            try:
                # Not by copying files, so only what the commit needs is there.
                self.git.run(
                    *(
                        "clone",
                        "--quiet",
                        "--no-local",
                        "--single-branch",
                        "--template=",
                    ),
                    *(str(self.git.root), str(fresh)),
                )
                _make_portable(Git(fresh, self.git.program), self._address())
            except GitError as problem:
                raise BundleError(
                    f"Git could not clone {self.git.root}: {problem.said}."
                ) from None
            put(fresh, target)

    def _is_clone(self, target: Path) -> bool:
        if not (target / ".git").is_dir():
            return False
        git = Git(target, self.git.program)
        try:
            return git.commit("HEAD") == self.commit and not git.text(
                "status", "--porcelain"
            )
        except GitError:
            return False

    def _address(self) -> str:
        """Return the course's public address, or "" if it is not known.

        A folder on this machine means nothing on another one, and an address may
        contain a password.
        """
        name = choose_remote(self.git.text("remote").split())
        key = f"remote.{name}.url"
        address = self.git.text("config", "--get", key, accepted=(0, 1)) if name else ""
        address = re.sub(r"^(https?://)[^@/]*@", r"\1", address)
        return (
            address
            if re.match(r"(https?|ssh|git)://|[\w.-]+@[\w.-]+:", address)
            else ""
        )


def _make_portable(git: Git, address: str) -> None:
    """Remove from the clone of *git* what is only valid on this machine."""
    if git.text("symbolic-ref", "-q", "HEAD", accepted=(0, 1)) == "":
        git.run("checkout", "--quiet", "-B", _MAIN)
    # Memory sticks do not store whether a file is executable.
    git.run("config", "core.fileMode", "false")
    if address:
        git.run("remote", "set-url", "origin", address)
    else:
        git.run("remote", "remove", "origin")
    # They contain the path of the checkout.
    shutil.rmtree(git.root / ".git" / "logs", ignore_errors=True)
