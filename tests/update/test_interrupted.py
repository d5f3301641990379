"""An update can be stopped anywhere: the next start goes on, and nothing is lost."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.update.conftest import APP, MINE, NEW_STARTER, Repository
from workshop.update import apply
from workshop.update.apply import Stage
from workshop.update.git import Git, UpdateError

# What these look at is the same on every Python.
pytestmark = pytest.mark.one_python

ROOT = Path(__file__).resolve().parents[2]
COMMAND = """\
import sys
from pathlib import Path
from workshop import paths
from workshop.cli import main

paths.ROOT = Path.cwd()
sys.exit(main(sys.argv[1:]))
"""


class Killed(BaseException):
    """Simulates `kill -9`: none of our code catches it."""


STEPS = ("_copy", "_patiently", "_move_head", "_install_index", "write_json")


@contextmanager
def stopping(at: int, problem: BaseException) -> Iterator[list[str]]:
    """Raise *problem* before the step number *at* of an update, counted from 0."""
    done: list[str] = []

    def counted(name: str, step: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            done.append(name)
            if len(done) == at + 1:
                raise problem
            return step(*arguments)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for name in STEPS:
            patch.setattr(apply, name, counted(name, getattr(apply, name)))
        yield done


def carry_out(repository: Repository) -> None:
    apply.carry_out(Git.at(repository.root), Stage(repository.root))


@pytest.fixture
def prepared(
    clone: Repository, news: str, monkeypatch: pytest.MonkeyPatch
) -> Repository:
    """A clone with committed and newer work, an update prepared and no file changed."""
    clone.commit({APP: MINE}, "My answer")
    clone.write({APP: MINE + "# newer\n"})

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("workshop.update.update.carry_out", die)
        with pytest.raises(Killed):
            clone.update()
    assert Stage(clone.root).journal.exists()
    return clone


def copy_of(repository: Repository, name: str) -> Repository:
    """Return a copy of *repository* in its present state."""
    root = repository.root.with_name(name)
    shutil.copytree(repository.root, root)
    return Repository(root)


def state(repository: Repository) -> tuple[object, ...]:
    """Return everything that an update changes."""
    return (
        repository.files(),
        repository.git("rev-parse", "HEAD^{tree}"),
        repository.git("status", "--porcelain"),
        Stage(repository.root).journal.exists(),
    )


def test_an_update_killed_before_any_step_is_finished_by_the_next_start(
    prepared: Repository, capfd: pytest.CaptureFixture[str]
) -> None:
    whole = copy_of(prepared, "whole")
    with stopping(10_000, Killed()) as steps:
        carry_out(whole)
    assert {*STEPS} == {*steps}

    for number, step in enumerate(steps):
        copy = copy_of(prepared, f"killed-{number}")
        with stopping(number, Killed()), pytest.raises(Killed):
            carry_out(copy)

        assert apply.main(copy.root) == 0, step
        assert state(copy) == state(whole), step
        assert copy.read(APP) == MINE + "# newer\n"
        shutil.rmtree(copy.root)
    assert "interrupted" in capfd.readouterr().err


def test_a_failure_in_any_step_changes_nothing(
    prepared: Repository,
) -> None:
    with stopping(10_000, Killed()) as steps:
        carry_out(copy_of(prepared, "whole"))
    head = prepared.head()

    for number, step in enumerate(steps[: steps.index("_move_head") + 1]):
        copy = copy_of(prepared, f"failed-{number}")
        full = OSError(28, "No space left on device")
        with stopping(number, full), pytest.raises(UpdateError, match="No space left"):
            carry_out(copy)

        assert copy.files() == prepared.files(), step
        assert copy.head() == head
        assert not Stage(copy.root).journal.exists()
        shutil.rmtree(copy.root)


def test_files_edited_after_the_kill_are_copied(prepared: Repository) -> None:
    with stopping(3, Killed()), pytest.raises(Killed):
        carry_out(prepared)
    prepared.write({"workshop/tool.py": "VERSION = 'mine'\n"})

    assert apply.main(prepared.root) == 0

    assert prepared.read("workshop/tool.py") == "VERSION = 2\n"
    (copy,) = (prepared.root / ".workshop").glob("update/rescued/*/workshop/tool.py")
    assert copy.read_text() == "VERSION = 'mine'\n"


def test_a_damaged_journal_does_not_block_commands(prepared: Repository) -> None:
    Stage(prepared.root).journal.write_text("{")

    assert apply.main(prepared.root) == 0

    assert not Stage(prepared.root).journal.exists()
    assert prepared.update().commits == 1


def test_an_update_is_abandoned_if_the_branch_has_moved(prepared: Repository) -> None:
    head = prepared.commit({"notes.txt": "mine"}, "My notes")

    assert apply.main(prepared.root) == 0

    assert prepared.head() == head
    assert prepared.read("workshop/tool.py") == "VERSION = 1\n"
    assert prepared.update().commits == 1


def test_a_file_saved_during_the_update_is_not_replaced(
    clone: Repository, news: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_journal = Stage.write_journal

    def save_meanwhile(*arguments: Any) -> None:
        write_journal(*arguments)
        clone.write({APP: "# saved meanwhile\n"})

    monkeypatch.setattr(Stage, "write_journal", save_meanwhile)

    with pytest.raises(UpdateError, match="saved during the update"):
        clone.update()

    assert clone.read(APP) == "# saved meanwhile\n"
    assert clone.read("workshop/tool.py") == "VERSION = 1\n"
    monkeypatch.undo()


def test_repeating_the_command_finishes_the_update(prepared: Repository) -> None:
    with stopping(5, Killed()), pytest.raises(Killed):
        carry_out(prepared)

    report = prepared.update()

    assert report.is_empty
    assert len(report.notes) == 1
    assert prepared.read("workshop/tool.py") == "VERSION = 2\n"
    assert prepared.read(APP) == MINE + "# newer\n"
    prepared.updates().undo()
    assert prepared.read("workshop/tool.py") == "VERSION = 1\n"


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for git is a shell script")
@pytest.mark.parametrize("call", ["fetch", "checkout-index", "update-ref -m"])
def test_a_killed_command_can_be_repeated(
    clone: Repository, news: str, tmp_path: Path, call: str
) -> None:
    clone.write({APP: MINE})
    stand_in = tmp_path / "bin" / "git"
    stand_in.parent.mkdir()
    stand_in.write_text(
        f'#!/bin/sh\ncase "$*" in *" {call} "*) kill -9 $PPID; exit 1;; esac\n'
        f'exec {shutil.which("git")} "$@"\n',
        encoding="utf-8",
    )
    stand_in.chmod(0o755)
    killing = f"{stand_in.parent}{os.pathsep}{os.environ['PATH']}"

    def run(path: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", COMMAND, "update"],
            cwd=clone.root,
            env={**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            encoding="utf-8",
            timeout=120,
            check=False,
        )

    assert run(killing).returncode == -9
    assert clone.read(APP) == MINE
    ended = run(os.environ["PATH"])

    assert (ended.returncode, ended.stderr) == (0, "")
    assert clone.head() == news
    assert clone.read("workshop/tool.py") == "VERSION = 2\n"
    assert clone.read(APP) == MINE
    assert clone.git("status", "--porcelain") == f"M {APP}"


def test_a_mixture_of_old_and_new_tool_finishes_the_update(
    clone: Repository, course: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tool's entry cannot start, but is not needed to finish the update."""
    for name in (
        *("__init__.py", "__main__.py"),
        *("environment/__init__.py", "environment/python.py"),
        *("processes/__init__.py", "processes/isolation.py"),
        *("processes/environment.py", "paths.py"),
    ):
        text = (ROOT / "workshop" / name).read_text(encoding="utf-8")
        course.write({f"workshop/{name}": text})
    course.commit({"workshop/entry/dispatch.py": "import half_of_the_tool\n"})
    clone.update()
    dispatch = "def run(words):\n    print('new', *words)\n"
    course.commit({"workshop/entry/dispatch.py": dispatch, APP: NEW_STARTER})
    with stopping(3, Killed()) as steps, pytest.raises(Killed):
        clone.update()
    assert "_move_head" not in steps

    ended = subprocess.run(
        [sys.executable, "-m", "workshop", "list"],
        cwd=clone.root,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )

    assert (ended.returncode, ended.stdout) == (0, "new list\n")
    assert "interrupted update" in ended.stderr
    assert clone.read(APP) == NEW_STARTER
