"""Run git in one checkout, without a shell and independent of the caller's settings.

Standard library only, because the code that finishes an interrupted update imports it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# Git sets variables like GIT_DIR for the programs it starts, such as hooks and
# editors. They would point git at another repository, so they are removed. Variables
# that say how to reach a server and who the user is are kept.
_KEPT = (
    *("GIT_SSH", "GIT_SSL_", "GIT_HTTP_", "GIT_PROXY_", "GIT_ASKPASS"),
    *("GIT_CONFIG_", "GIT_AUTHOR_", "GIT_COMMITTER_", "GIT_EXEC_PATH"),
)

_SETTINGS = {
    "advice.detachedHead": "false",
    "color.ui": "never",
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "core.safecrlf": "false",
    "fetch.recurseSubmodules": "false",
    "gc.auto": "0",
    # Give up on a stalled connection.
    "http.lowSpeedLimit": "100",
    "http.lowSpeedTime": "30",
    "maintenance.auto": "false",
}
_SECONDS = 900


class UpdateError(Exception):
    """The update cannot continue; the message says why and what to do."""


class GitError(UpdateError):
    """A git command failed; `said` is git's own explanation."""

    def __init__(self, command: str, stderr: str) -> None:
        lines = [line.strip() for line in stderr.splitlines() if line.strip()]
        errors = [it for it in lines if it.startswith(("fatal:", "error:"))]
        first = (errors or lines or ["no reason given"])[0]
        said = first.removeprefix("fatal:").removeprefix("error:").strip()
        # Git repeats addresses, which may contain passwords.
        self.said = re.sub(r"://[^@/\s]*@", "://", said).rstrip(".")
        self.stderr = stderr
        super().__init__(f"git {command} failed: {self.said}")


def environment(root: Path, inherited: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for git in *root*.

    Git's messages are in English, it asks for no password and never looks above *root*.
    """
    kept = {
        name: value
        for name, value in inherited.items()
        if not name.startswith("GIT_") or name.startswith(_KEPT)
    }
    kept.pop("LANGUAGE", None)
    return {
        **kept,
        "LC_ALL": "C",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_CEILING_DIRECTORIES": str(root.parent),
        "GIT_LITERAL_PATHSPECS": "1",
    }


@dataclass(frozen=True)
class Git:
    """Git in the checkout *root*."""

    root: Path
    program: str

    @classmethod
    def at(cls, root: Path) -> Git:
        """Return git for *root*; raise `UpdateError` if it is not installed."""
        program = shutil.which("git")
        if program is None:
            raise UpdateError(
                "An update needs git, but git is not installed or not on the PATH. "
                "Get it from https://git-scm.com/downloads."
            )
        return cls(root, program)

    def run(
        self,
        *arguments: str,
        stdin: bytes | None = None,
        variables: Mapping[str, str] | None = None,
        accepted: tuple[int, ...] = (0,),
    ) -> bytes:
        """Return git's output.

        Raises:
            GitError: Git ended with an exit code that is not expected.

        """
        settings = [
            it for key, value in _SETTINGS.items() for it in ("-c", key + "=" + value)
        ]
        try:
            done = subprocess.run(
                [self.program, "-C", str(self.root), *settings, *arguments],
                input=b"" if stdin is None else stdin,
                env={**environment(self.root, os.environ), **(variables or {})},
                capture_output=True,
                timeout=_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise GitError(
                arguments[0], f"it did not finish within {_SECONDS} s"
            ) from None
        except OSError as problem:
            raise GitError(arguments[0], str(problem)) from None
        if done.returncode not in accepted:
            raise GitError(arguments[0], done.stderr.decode("utf-8", "replace"))
        return done.stdout

    def text(self, *arguments: str, **options: object) -> str:
        """Return git's output as stripped text."""
        return self.run(*arguments, **options).decode("utf-8", "replace").strip()  # type: ignore[arg-type]

    def path(self, name: str) -> Path:
        """Return the path where git keeps *name*, such as `index` or `MERGE_HEAD`."""
        return self.root / self.text("rev-parse", "--git-path", name)

    def commit(self, name: str) -> str | None:
        """Return the commit that *name* refers to; None if there is none."""
        found = self.text(
            "rev-parse", "-q", "--verify", f"{name}^{{commit}}", accepted=(0, 1, 128)
        )
        return found or None
