"""The clone of the course in a bundle, which contains only what is committed."""

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
            BundleError: Git is missing, or *root* is not a clone with a commit.

        """
        program = shutil.which("git")
        if program is None:
            raise BundleError(
                "The bundle contains a clone of the course, but git is not installed "
                "or not on the PATH. Install it from https://git-scm.com/downloads, "
                "then run the command again."
            )
        git = Git(root, program)
        try:
            commit = git.commit("HEAD") if (root / ".git").exists() else None
        except GitError as problem:
            raise BundleError(f"Git cannot work in {root}: {problem.said}.") from None
        if commit is None:
            raise BundleError(
                f"{root} is not a git clone with a commit, so it cannot be cloned. "
                "Perhaps it was downloaded as a ZIP file. Clone the course with git, "
                "and run the command there."
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
                # Do not copy files, so that only objects of this commit are included.
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

        A path on this machine is useless on another one. A password in the address is
        removed.
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
    # The file systems of memory sticks do not store whether a file is executable.
    git.run("config", "core.fileMode", "false")
    if address:
        git.run("remote", "set-url", "origin", address)
    else:
        git.run("remote", "remove", "origin")
    # They contain the path of the checkout.
    shutil.rmtree(git.root / ".git" / "logs", ignore_errors=True)
