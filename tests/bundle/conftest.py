"""A tiny course whose packages are tiny wheels in a folder, and its bundle."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

# Imported before a test replaces ROOT, which belongs to the tool's own files there.
import workshop.grading.engine  # noqa: F401
from tests.checkouts import Checkout, wheel
from tests.update.conftest import Repository
from workshop.bundle.start import _system
from workshop.cli import main

HERE = _system()
PYTHON = "{}.{}".format(*sys.version_info)
STICK = "a memory stick"
THIS = ("--platform", HERE, "--python", PYTHON)


@dataclass(frozen=True)
class Course:
    """A course that can be bundled.

    Attributes:
        checkout: Its files.
        repository: Git in the same folder.
        stick: Where the bundle is written.
        bundle: Runs the verb: exit code, stdout, stderr.

    """

    checkout: Checkout
    repository: Repository
    stick: Path
    bundle: Callable[..., tuple[int, str, str]]

    @property
    def index(self) -> Path:
        """The folder that is the package index."""
        return self.checkout.wheels

    def pin(self, *lines: str, group: str = "core") -> None:
        """Commit *lines* as the pins of *group*."""
        self.repository.commit(
            {f"requirements/{group}.txt": "".join(f"{it}\n" for it in lines)}
        )

    def publish(self, name: str, tag: str = "py3-none-any") -> Path:
        """Put version 1.0 of the package *name* into the index."""
        wheel(self.index, name, "1.0", tag)
        return self.index / f"{name}-1.0-{tag}.whl"

    def wheels(self) -> list[str]:
        """Return the names of what is in the bundle's folder of wheels."""
        return sorted(path.name for path in (self.stick / "wheels").iterdir())


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a committed course that needs one tiny package, and its bundle."""
    if shutil.which("git") is None:
        pytest.skip("this machine has no git")
    folder = tmp_path_factory.mktemp("template")
    checkout = Checkout.make(folder)
    repository = Repository(checkout.root)
    repository.git("init", "--quiet", "--initial-branch=main")
    ignored = "__pycache__/\n.venv/\n.workshop/\n/site/\n"
    (checkout.root / ".gitignore").write_text(ignored, encoding="utf-8")
    repository.git("add", "--all")
    repository.git("commit", "--quiet", "-m", "The course")
    with pytest.MonkeyPatch.context() as settings:
        _use(checkout, settings)
        assert main(["bundle", str(folder / STICK), "--no-site", *THIS]) == 0
    return folder


def _use(checkout: Checkout, settings: pytest.MonkeyPatch) -> None:
    """Let the tool bundle *checkout*, with its tiny wheels as the package index."""
    settings.setenv("PIP_CONFIG_FILE", os.devnull)
    settings.setenv("PIP_NO_INDEX", "1")
    settings.setenv("PIP_FIND_LINKS", str(checkout.wheels))
    for name in [it for it in os.environ if it.startswith("PIP_INDEX")]:
        settings.delenv(name)
    settings.setattr("workshop.paths.ROOT", checkout.root)


@pytest.fixture
def course(
    template: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Course:
    """A course that has not been bundled yet."""
    for name in ("checkout", "wheels"):
        shutil.copytree(template / name, tmp_path / name)
    checkout = Checkout(tmp_path / "checkout", tmp_path / "wheels")
    _use(checkout, monkeypatch)
    stick = tmp_path / STICK

    def bundle(*words: str, site: bool = False) -> tuple[int, str, str]:
        capfd.readouterr()
        code = main(["bundle", str(stick), *words, *([] if site else ["--no-site"])])
        out, err = capfd.readouterr()
        return code, out, err

    return Course(checkout, Repository(checkout.root), stick, bundle)


@pytest.fixture
def bundled(template: Path, course: Course) -> Course:
    """A course whose bundle is complete for this machine."""
    shutil.copytree(template / STICK, course.stick)
    return course
