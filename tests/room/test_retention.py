"""What learners have sent is deleted after seven days."""

import os
import time
from pathlib import Path

import pytest

from workshop.cli.app import main
from workshop.room.retention import KEPT, delete_old_room
from workshop.room.server.running import own_database

NAMES = ("room.sqlite3", "room.sqlite3-wal", "room.sqlite3-shm")


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a room with data."""
    monkeypatch.setenv("WORKSHOP_HOME", str(tmp_path))
    assert (tmp_path / "room" / NAMES[0]).as_posix() in own_database()
    for name in NAMES:
        (tmp_path / "room" / name).write_bytes(b"Ann")
    return tmp_path / "room"


def age(file: Path, seconds: float) -> None:
    """Let the last change of *file* be so long ago."""
    then = time.time() - seconds
    os.utime(file, (then, then))


def test_any_command_deletes_a_room_in_which_nothing_has_happened_for_seven_days(
    room: Path,
) -> None:
    for name in NAMES:
        age(room / name, KEPT.total_seconds() + 60)
    assert main(["list"]) == 0
    assert list(room.iterdir()) == []


def test_a_room_stays_while_one_of_its_files_is_newer(room: Path) -> None:
    age(room / NAMES[0], KEPT.total_seconds() + 60)
    assert not delete_old_room(room.parent)
    assert sorted(path.name for path in room.iterdir()) == sorted(NAMES)


def test_without_a_room_nothing_happens(tmp_path: Path) -> None:
    assert not delete_old_room(tmp_path)
    assert list(tmp_path.iterdir()) == []
