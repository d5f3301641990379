"""Temporary folders of processes that were killed are deleted, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from workshop.paths import ROOT
from workshop.processes.liveness import has_ended, machine, name_of_process
from workshop.processes.temporary import (
    delete,
    make_temporary_folder,
    sweep,
    temporary_folder,
)

OWNER = """
import os, signal, sys
from pathlib import Path
from workshop.processes.temporary import make_temporary_folder

folder = make_temporary_folder("run", Path(sys.argv[1]))
(folder / "box_office.db").write_text("seats")
print(folder, flush=True)
sys.stdin.read()
os._exit(1)
"""


def owner(parent: Path) -> subprocess.Popen[str]:
    """Start a process that creates a folder in *parent* and never deletes it."""
    return subprocess.Popen(
        [sys.executable, "-c", OWNER, str(parent)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )


def abandoned_folder(parent: Path) -> Path:
    """Return a folder in *parent* whose owner was killed."""
    with owner(parent) as process:
        assert process.stdout is not None
        folder = Path(process.stdout.readline().strip())
        process.kill()
    return folder


def test_a_folder_is_deleted_with_its_block(tmp_path: Path) -> None:
    with temporary_folder("app", tmp_path) as folder:
        (folder / "box_office.db").write_text("seats", encoding="utf-8")

    assert list(tmp_path.iterdir()) == []


def test_a_folder_whose_owner_was_killed_is_swept(tmp_path: Path) -> None:
    folder = abandoned_folder(tmp_path)
    was_there = folder.is_dir()

    assert sweep([tmp_path]) == [folder]
    assert was_there
    assert not folder.exists()


def test_a_folder_whose_owner_runs_is_left_alone(tmp_path: Path) -> None:
    own = make_temporary_folder("run", tmp_path)
    with owner(tmp_path) as process:
        assert process.stdout is not None
        folder = Path(process.stdout.readline().strip())

        assert sweep([tmp_path]) == []
        assert (folder / "box_office.db").is_file()
        assert own.is_dir()
        process.kill()


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_nothing_is_deleted_through_a_link(tmp_path: Path) -> None:
    folder = abandoned_folder(tmp_path)
    treasure = tmp_path / "treasure"
    folder.rename(treasure)
    folder.symlink_to(treasure, target_is_directory=True)
    inside = abandoned_folder(tmp_path)
    (inside / "link").symlink_to(treasure, target_is_directory=True)

    assert sweep([tmp_path]) == [inside]
    assert folder.is_symlink()
    assert (treasure / "box_office.db").is_file()


def test_a_folder_from_another_machine_or_container_is_left_alone(
    tmp_path: Path,
) -> None:
    folder = abandoned_folder(tmp_path)
    theirs = folder.with_name(folder.name.replace(machine(), "000000"))
    folder.rename(theirs)

    assert sweep([tmp_path]) == []
    assert theirs.is_dir()


@pytest.mark.skipif(
    not hasattr(os, "getuid") or os.getuid() != 0, reason="needs a second user"
)
def test_another_users_folder_is_left_alone(tmp_path: Path) -> None:
    folder = abandoned_folder(tmp_path)
    os.chown(folder, 12345, 12345)

    assert sweep([tmp_path]) == []
    assert folder.is_dir()


@pytest.mark.parametrize(
    "name", ["workshop-run-x8k2_1ab", "workshop-0", "workshop-app-1.2.3", "notes"]
)
def test_a_folder_without_an_owners_name_is_left_alone(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / name).mkdir()

    assert sweep([tmp_path]) == []
    assert (tmp_path / name).is_dir()


def test_a_reused_process_id_counts_as_ended() -> None:
    number, _, where = name_of_process().split(".")

    assert not has_ended(name_of_process())
    assert has_ended(f"{number}.1.{where}")


@pytest.mark.skipif(sys.platform == "win32", reason="rights of another kind")
def test_a_folder_that_a_program_has_locked_is_deleted(tmp_path: Path) -> None:
    folder = make_temporary_folder("run", tmp_path)
    (folder / "locked").mkdir()
    (folder / "locked" / "file").touch()
    (folder / "locked").chmod(0)

    delete(folder)

    assert not folder.exists()
