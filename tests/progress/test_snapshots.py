"""Which copies of the learner's work are kept, and which go."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from workshop.progress.snapshots import Snapshot, Snapshots, retired


def snapshots(contents: str) -> dict[Snapshot, str]:
    """Return a snapshot for each letter of *contents*, the latest first."""
    time = datetime(2026, 1, 1)
    return {
        Snapshot(Path(str(number)), number, time, "reset"): content
        for number, content in zip(range(len(contents), 0, -1), contents, strict=True)
    }


@pytest.mark.parametrize(
    ("contents", "surplus", "numbers"),
    [
        ("", 0, []),
        ("abc", 0, []),
        ("abc", 1, [1]),
        ("abab", 1, [1]),
        ("ababc", 1, [2]),
        ("ababc", 2, [2, 3]),
        ("ababc", 3, [2, 3, 1]),
        ("aab", 2, [2, 1]),
    ],
)
def test_repetitions_are_deleted_before_the_oldest(
    contents: str, surplus: int, numbers: list[int]
) -> None:
    gone = retired(snapshots(contents), surplus)

    assert [it.number for it in gone] == numbers


def test_unchanged_files_are_not_copied_twice(tmp_path: Path) -> None:
    lesson = tmp_path / "90_seats"
    lesson.mkdir()
    kept = Snapshots(tmp_path / "kept")
    first = kept.keep(lesson, b"# mine", "update", {})

    assert kept.keep(lesson, b"# mine", "update", {}) == first
    assert kept.keep(lesson, b"# newer", "update", {}).number == 2
    (lesson / "mail.py").write_text("# a helper")
    assert kept.keep(lesson, b"# newer", "update", {}).number == 3
    assert kept.keep(lesson, b"# newer", "update", {}).number == 3
