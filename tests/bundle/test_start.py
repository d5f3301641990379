"""The start scripts, on a learner's machine without a network."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.bundle.conftest import PYTHON, THIS, Course
from workshop.bundle.start import FOLDER
from workshop.private_apis.interpreter import base_python

# Other Pythons on the PATH take time, and are not what the stick is for.
_SYSTEM = [os.environ["PATH"]] if os.name == "nt" else ["/usr/bin", "/bin"]

posix = pytest.mark.skipif(os.name == "nt", reason="a shell script")


@dataclass(frozen=True)
class Learner:
    """A learner's machine: a home folder, a Python, and the stick."""

    stick: Path
    home: Path

    def start(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run the start script of this system."""
        script = self.stick / ("start.bat" if os.name == "nt" else "start.sh")
        shell = ["cmd", "/c"] if os.name == "nt" else ["sh"]
        return self.run(*shell, str(script), *words, folder=self.home)

    def run(self, *command: str, folder: Path) -> subprocess.CompletedProcess[str]:
        """Run *command* in *folder*."""
        names = ("SYSTEMROOT", "TEMP", "COMSPEC", "PATHEXT")
        kept = {name: os.environ[name] for name in names if name in os.environ}
        python = Path(base_python()).parent
        return subprocess.run(
            command,
            env={
                **kept,
                "HOME": str(self.home),
                "USERPROFILE": str(self.home),
                "PATH": os.pathsep.join([str(python), *_SYSTEM]),
                "PIP_CONFIG_FILE": os.devnull,
                # Nobody listens there.
                "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
                "WORKSHOP_INSTALLER": "pip",
            },
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=120,
            check=False,
        )


@pytest.fixture
def learner(bundled: Course, tmp_path: Path) -> Learner:
    """A learner who has got the stick."""
    home = tmp_path / "Ann's home"
    home.mkdir()
    return Learner(bundled.stick, home)


def content(folder: Path) -> list[str]:
    """Return the names in *folder*, without those of pip's own settings."""
    return sorted(it.name for it in folder.iterdir() if not it.name.startswith("."))


def test_one_command_copies_and_sets_up_without_a_network(
    learner: Learner, bundled: Course
) -> None:
    ended = learner.start()

    assert ended.returncode == 0, ended.stdout + ended.stderr
    folder = learner.home / FOLDER
    assert f"The course is in {folder}. To start: cd " in ended.stdout
    assert "The workshop is set up." in ended.stderr
    assert list((folder / ".venv").rglob("tiny_core.py"))
    # A clone without changes, so that it can be updated.
    assert bundled.repository.git("-C", str(folder), "status", "--porcelain") == ""
    assert content(learner.home) == [FOLDER]


def test_packages_that_a_verb_needs_later_come_from_the_copy(
    bundled: Course, learner: Learner
) -> None:
    bundled.bundle(*THIS, "--with", "postgres")
    learner.start()
    bundled.stick.rename(bundled.stick.with_name("with somebody else"))

    ended = learner.run(
        *(base_python(), "-m", "workshop", "test", "01", "--database=postgres"),
        folder=learner.home / FOLDER,
    )

    assert ended.returncode == 0, ended.stderr
    assert ended.stderr.startswith("Adding the packages for postgres")


@pytest.mark.slow
def test_another_folder_can_be_named(learner: Learner) -> None:
    ended = learner.start("my course")

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert (learner.home / "my course" / ".venv").is_dir()


def test_a_folder_that_exists_is_not_changed(learner: Learner) -> None:
    mine = learner.home / FOLDER / "notes.txt"
    mine.parent.mkdir()
    mine.write_text("mine", encoding="utf-8")

    ended = learner.start()

    assert ended.returncode == 3
    assert f"{mine.parent} already exists, so nothing was changed." in ended.stdout
    assert "To make another copy, name a new folder: " in ended.stdout
    assert content(learner.home) == [FOLDER]
    assert content(mine.parent) == ["notes.txt"]


def test_the_course_is_not_set_up_on_the_stick(learner: Learner) -> None:
    ended = learner.start(str(learner.stick / "here"))

    assert ended.returncode == 3
    assert "is on the memory stick" in ended.stdout
    assert not (learner.stick / "here").exists()


@pytest.mark.parametrize(
    "name", ["wheels/tiny_core-1.0-py3-none-any.whl", "course/Makefile"]
)
@pytest.mark.parametrize("is_there", [True, False])
def test_a_damaged_file_is_named_and_nothing_is_set_up(
    name: str, is_there: bool, learner: Learner
) -> None:
    if is_there:
        (learner.stick / name).write_text("damaged", encoding="utf-8")
    else:
        (learner.stick / name).unlink()

    ended = learner.start()

    assert ended.returncode == 3
    assert f"{learner.stick / name} is damaged or cannot be read" in ended.stdout
    assert not (learner.home / FOLDER).exists()


def test_an_interrupted_copy_is_begun_anew(learner: Learner) -> None:
    wheel = learner.stick / "wheels" / "tiny_core-1.0-py3-none-any.whl"
    whole = wheel.read_bytes()
    wheel.write_text("damaged", encoding="utf-8")
    learner.start()
    assert content(learner.home) == [f"{FOLDER}.unfinished"]
    wheel.write_bytes(whole)

    assert learner.start().returncode == 0
    assert content(learner.home) == [FOLDER]


def test_a_python_without_packages_is_told_which_ones_have_some(
    learner: Learner,
) -> None:
    file = learner.stick / "contents.json"
    found = json.loads(file.read_text(encoding="utf-8"))
    found["machines"] = [
        {**it, "python": "3.0"} for it in found["machines"] if it["python"] == PYTHON
    ]
    file.write_text(json.dumps(found), encoding="utf-8")

    ended = learner.start()

    assert ended.returncode == 3
    assert "This memory stick has packages for Python 3.0, but this is" in ended.stdout


def test_an_incomplete_stick_says_so(learner: Learner) -> None:
    file = learner.stick / "contents.json"
    found = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**found, "machines": []}), encoding="utf-8")

    ended = learner.start()

    assert ended.returncode == 3
    assert "This memory stick is incomplete" in ended.stdout


@posix
def test_without_python_the_script_says_what_to_install(learner: Learner) -> None:
    ended = subprocess.run(
        ["/bin/sh", str(learner.stick / "start.sh")],
        env={"PATH": str(learner.home), "HOME": str(learner.home)},
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=60,
    )

    assert ended.returncode == 3
    assert ended.stderr.startswith("This computer has no Python. Install Python 3.")


def test_the_start_file_imports_nothing_of_the_workshop(learner: Learner) -> None:
    ended = subprocess.run(
        [sys.executable, "-I", "-S", str(learner.stick / "start.py"), "--suits"],
        env={name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ},
        capture_output=True,
        check=False,
        timeout=60,
    )

    assert (ended.returncode, ended.stderr) == (0, b"")
