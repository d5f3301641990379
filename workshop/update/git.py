"""Run git on one checkout: with arguments, without a shell, without surprises.

Standard library only: what finishes an interrupted update imports this alone.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# Git hands variables like GIT_DIR to the programs that it starts, such as hooks and
# editors. With them, git would look at another repository. What says how to reach a
# server, and who the person is, stays.
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
    # A connection that stands still is given up, not waited for.
    "http.lowSpeedLimit": "100",
    "http.lowSpeedTime": "30",
    "maintenance.auto": "false",
}
_SECONDS = 900


class UpdateError(Exception):
    """The update cannot go on; the message says why and what to do."""


class GitError(UpdateError):
    """Git has refused; `said` is its own last word on it."""

    def __init__(self, command: str, stderr: str) -> None:
        lines = [line.strip() for line in stderr.splitlines() if line.strip()]
        told = [it for it in lines if it.startswith(("fatal:", "error:"))]
        first = (told or lines or ["no reason given"])[0]
        said = first.removeprefix("fatal:").removeprefix("error:").strip()
        # Git repeats addresses, and people write passwords into them.
        self.said = re.sub(r"://[^@/\s]*@", "://", said).rstrip(".")
        self.stderr = stderr
        super().__init__(f"git {command} failed: {self.said}")


def environment(root: Path, inherited: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for git in *root*.

    Git speaks English, asks for no password and never looks above *root*.
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
        """Return what git prints. Raises `GitError` for other exit codes."""
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
                arguments[0], f"it did not end within {_SECONDS} s"
            ) from None
        except OSError as problem:
            raise GitError(arguments[0], str(problem)) from None
        if done.returncode not in accepted:
            raise GitError(arguments[0], done.stderr.decode("utf-8", "replace"))
        return done.stdout

    def text(self, *arguments: str, **options: object) -> str:
        """Return what git prints, as one stripped text."""
        return self.run(*arguments, **options).decode("utf-8", "replace").strip()  # type: ignore[arg-type]

    def path(self, name: str) -> Path:
        """Return where git keeps *name*, such as `index` or `MERGE_HEAD`."""
        return self.root / self.text("rev-parse", "--git-path", name)

    def commit(self, name: str) -> str | None:
        """Return the commit that *name* means, None if there is none."""
        found = self.text(
            "rev-parse", "-q", "--verify", f"{name}^{{commit}}", accepted=(0, 1, 128)
        )
        return found or None
