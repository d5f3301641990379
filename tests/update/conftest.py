"""A little course with a history, and a learner's clone of it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.tiny import STARTER, write_lesson
from workshop.progress import Snapshots, Store
from workshop.update.checkout import open_checkout
from workshop.update.update import Report, Update

APP = "lessons/90_seats/app.py"
TESTS = "lessons/90_seats/test_seats.py"
MINE = STARTER.replace("TODO 1: two are free.", "my idea")
NEW_STARTER = STARTER.replace("TODO 1: two are free.", "TODO 1: two are still free.")


@dataclass(frozen=True)
class Repository:
    """A git repository in the folder *root*."""

    root: Path

    def git(self, *arguments: str, code: int = 0) -> str:
        """Run git and return its output."""
        done = subprocess.run(
            ["git", "-C", str(self.root), *arguments],
            env={
                **os.environ,
                "GIT_AUTHOR_NAME": "An author",
                "GIT_AUTHOR_EMAIL": "author@localhost",
                "GIT_COMMITTER_NAME": "An author",
                "GIT_COMMITTER_EMAIL": "author@localhost",
            },
            capture_output=True,
            encoding="utf-8",
            check=False,
            timeout=60,
        )
        assert done.returncode == code, done.stderr
        return done.stdout.strip()

    def write(self, files: Mapping[str, str | None]) -> None:
        """Write *files*; None removes one."""
        for name, text in files.items():
            file = self.root / name
            if text is None:
                file.unlink()
            else:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, encoding="utf-8", newline="")

    def commit(self, files: Mapping[str, str | None], message: str = "News") -> str:
        """Write and commit *files*; return the commit."""
        self.write(files)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)
        return self.git("rev-parse", "HEAD")

    def read(self, name: str) -> str:
        """Return the text of a file."""
        return (self.root / name).read_bytes().decode("utf-8")

    def has(self, name: str) -> bool:
        """Whether the file exists."""
        return (self.root / name).exists()

    def head(self) -> str:
        """Return the commit of HEAD."""
        return self.git("rev-parse", "HEAD")

    def files(self) -> dict[str, bytes]:
        """Return the content of every file except git's and the workshop's own."""
        return {
            file.relative_to(self.root).as_posix(): file.read_bytes()
            for file in sorted(self.root.rglob("*"))
            if file.is_file()
            and not {".git", ".workshop"} & set(file.relative_to(self.root).parts)
        }

    def updates(self) -> Update:
        """Return the update that a command of this checkout would make."""
        home = self.root / ".workshop"
        return Update(
            open_checkout(self.root),
            home,
            Store(home / "progress.json"),
            Snapshots(home / "kept"),
        )

    def update(self, source: str | None = None, *, overwrite: bool = False) -> Report:
        """Update this checkout."""
        return self.updates().run(source, None, self.root, overwrite=overwrite)

    def kept(self) -> list[str]:
        """Return the saved copies of app.py, the oldest first."""
        copies = sorted((self.root / ".workshop" / "kept").glob("90_seats/*/app.py"))
        return [copy.read_text(encoding="utf-8") for copy in copies]


@pytest.fixture(autouse=True)
def _git_knows_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ignore the git settings of the developer, including the name for commits."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    for name in list(os.environ):
        if name.startswith("GIT_"):
            monkeypatch.delenv(name)
    settings = tmp_path / "gitconfig"
    settings.write_text(
        "[user]\n\tuseConfigOnly = true\n[init]\n\tdefaultBranch = main\n"
        '[protocol "file"]\n\tallow = always\n',
        encoding="utf-8",
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


@pytest.fixture
def course(tmp_path: Path) -> Repository:
    """The course's repository, with one lesson."""
    root = tmp_path / "course"
    write_lesson(root)
    repository = Repository(root)
    repository.git("init", "-q", "-b", "main")
    repository.commit(
        {
            ".gitignore": ".workshop/\n__pycache__/\n",
            ".gitattributes": "* text=auto eol=lf\n",
            "README.md": "# Course\n\nFirst.\n\nSecond.\n\nThird.\n",
            "workshop/tool.py": "VERSION = 1\n",
            "docs/page.md": "A page.\n",
        },
        "The course",
    )
    return repository


@pytest.fixture
def clone(course: Repository, tmp_path: Path) -> Repository:
    """The learner's clone."""
    root = tmp_path / "clone"
    course.git("clone", "-q", str(course.root), str(root))
    return Repository(root)


@pytest.fixture
def news(course: Repository, clone: Repository) -> str:
    """A newer course: a new starter, a new and a removed file. Returns the commit."""
    return course.commit(
        {
            APP: NEW_STARTER,
            "solutions/90_seats/steps/0.py": NEW_STARTER,
            "workshop/tool.py": "VERSION = 2\n",
            "workshop/more.py": "MORE = True\n",
            "docs/page.md": None,
        }
    )
