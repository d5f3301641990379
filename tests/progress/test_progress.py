"""Progress survives damage, newer versions and full disks."""

import json
import os
from pathlib import Path

import pytest

from workshop import files
from workshop.grading import Verdict
from workshop.progress import LessonRecord, State, Store
from workshop.progress.record import VERDICTS


def a_record(**changes: object) -> dict[str, object]:
    """Return the data of a state file with one lesson and *changes*."""
    record = {"passed": {}, "hints": {}, "shown": {}, "solution_seen": ""}
    standing = {"verdicts": {}, "content": "", "given": 0, "again": []}
    return {"version": 2, "lessons": {"01_seats": {**record, **standing, **changes}}}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / ".workshop" / "progress.json"


def put_hints(store: Store, count: int) -> None:
    def change(state: State) -> None:
        state.of("01_seats").hints[2] = count

    store.update(change)


def hints_in(state: State) -> int:
    return state.of("01_seats").hints.get(2, 0)


def test_saved_progress_is_loaded_again(path: Path) -> None:
    def change(state: State) -> State:
        record = state.of("01_seats")
        record.passed[1] = "2026-01-01T00:00:00+00:00"
        record.verdicts = {1: "passed", 2: "failed"}
        record.content = "abc"
        record.hints = {2: 3}
        record.shown = {2: "2026-01-01T00:00:00+00:00"}
        record.solution_seen = "2026-01-02T00:00:00+00:00"
        record.given = 1
        record.again = {2}
        return state

    assert Store(path).load() != Store(path).update(change)
    assert Store(path).load().lessons == change(State()).lessons


def test_a_first_start_is_silent(path: Path) -> None:
    store = Store(path)

    assert (store.load(), store.notes) == (State(), [])


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"[]",
        b'{"version": 1}',
        b"\xff\xfe",
        b'{"version": "x"}',
        b"[" * 9_999,
        json.dumps(a_record(verdicts={"1": "splendid"})).encode(),
    ],
)
def test_a_damaged_file_is_renamed_and_restored_from_its_backup(
    damage: bytes, path: Path
) -> None:
    store = Store(path)
    put_hints(store, 1)
    put_hints(store, 2)
    path.write_bytes(damage)

    store = Store(path)
    restored = store.load()

    assert hints_in(restored) == 1
    assert any("restored from its backup" in note for note in store.notes)
    (aside,) = path.parent.glob("progress.damaged-*.json")
    assert aside.read_bytes() == damage


def test_without_a_usable_backup_progress_starts_anew_and_says_so(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"{")

    store = Store(path)

    assert store.load() == State()
    assert any("starts from zero" in note for note in store.notes)


def test_a_lost_file_is_restored_from_its_backup(path: Path) -> None:
    store = Store(path)
    put_hints(store, 1)
    put_hints(store, 2)
    path.unlink()

    assert hints_in(Store(path).load()) == 1


def test_a_newer_versions_file_is_left_alone(path: Path) -> None:
    path.parent.mkdir()
    newer = json.dumps({"version": 99, "lessons": {}, "more": True})
    path.write_text(newer, encoding="utf-8")

    store = Store(path)
    put_hints(store, 1)

    assert path.read_text(encoding="utf-8") == newer
    assert any("newer version" in note for note in store.notes)


def test_a_file_left_alone_is_written_once_it_is_readable_again(
    path: Path,
) -> None:
    path.parent.mkdir()
    path.write_text('{"version": 99}', encoding="utf-8")
    store = Store(path)
    put_hints(store, 1)
    path.unlink()
    put_hints(store, 2)

    assert hints_in(Store(path).load()) == 2


def test_an_unwritable_place_only_adds_a_note(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    store = Store(tmp_path / "file" / "progress.json")

    put_hints(store, 1)

    (note,) = store.notes
    assert "Verdicts are not affected" in note


def test_nothing_temporary_is_left_beside_the_file(path: Path) -> None:
    store = Store(path)
    put_hints(store, 1)
    put_hints(store, 2)

    assert sorted(p.name for p in path.parent.iterdir()) == [
        "progress.backup.json",
        "progress.json",
        "progress.lock",
    ]


def test_files_of_a_killed_writer_are_deleted_a_day_later(path: Path) -> None:
    path.parent.mkdir()
    old, young, not_ours = (
        path.with_name(f".progress.json.{name}")
        for name in ("abcdefgh.unfinished", "ijklmnop.unfinished", "original")
    )
    for file in (old, young, not_ours):
        file.touch()
    for file in (old, not_ours):
        os.utime(file, (0, 0))

    put_hints(Store(path), 1)

    assert [file.exists() for file in (old, young, not_ours)] == [False, True, True]


def test_files_of_a_killed_writer_are_recognised(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sweep finds the temporary files by the names that are written."""
    path.parent.mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", lambda *_: None)
        files.replace(path, b"{}")
    (left,) = path.parent.iterdir()
    os.utime(left, (0, 0))

    files.replace(path, b"{}")

    assert list(path.parent.iterdir()) == [path]


def test_the_recorded_verdicts_are_the_graders() -> None:
    assert set(Verdict) == VERDICTS


def test_a_version_1_file_is_converted_silently(path: Path) -> None:
    record = {
        "passed": {"1": "2026-01-01T00:00:00+00:00"},
        "verdicts": {"1": "passed", "2": "failed"},
        "content": "abc",
        "hints": {"2": 3},
        "solution_seen": "",
    }
    path.parent.mkdir()
    path.write_text(json.dumps({"version": 1, "lessons": {"01_seats": record}}))

    store = Store(path)
    put_hints(store, 1)
    taken = store.load().of("01_seats")

    assert store.notes == []
    assert json.loads(path.read_bytes())["version"] > 1
    assert (taken.passed, taken.content) == ({1: "2026-01-01T00:00:00+00:00"}, "abc")
    assert (taken.shown, taken.given, taken.again) == ({}, 0, set())


def test_a_file_that_cannot_be_read_is_left_alone(path: Path) -> None:
    path.mkdir(parents=True)

    store = Store(path)
    put_hints(store, 1)

    assert path.is_dir()
    (note,) = store.notes
    assert "left alone" in note


NOW, LATER = "2026-01-01T10:00:00+00:00", "2026-01-01T11:00:00+00:00"


def test_a_pass_keeps_the_time_of_the_first() -> None:
    record = LessonRecord()
    record.judge({1: "passed", 2: "failed"}, "a", NOW)
    record.judge({1: "failed", 2: "failed"}, "b", LATER)
    record.judge({1: "passed", 2: "passed"}, "c", LATER)

    assert record.passed == {1: NOW, 2: LATER}
    assert record.shown == {}


def test_a_shown_step_stays_shown_until_it_is_repeated() -> None:
    record = LessonRecord()
    record.show(1, NOW)
    record.judge({1: "passed"}, "copied", NOW)
    assert record.shown == {1: NOW}

    record.judge({1: "error"}, "a slip", NOW)
    record.judge({1: "passed"}, "copied", NOW)
    assert record.shown == {1: NOW}

    record.start_at(1, "starter")
    record.judge({1: "failed"}, "starter", LATER)
    record.judge({1: "passed"}, "by themselves", LATER)
    assert record.shown == {}


def test_looking_again_while_repeating_counts_as_shown() -> None:
    record = LessonRecord()
    record.show(1, NOW)
    record.start_at(1, "starter")
    record.show(1, LATER)
    record.judge({1: "passed"}, "copied", LATER)

    assert record.shown == {1: NOW}


def test_showing_a_passed_step_does_not_mark_it() -> None:
    record = LessonRecord()
    record.judge({1: "passed"}, "mine", NOW)
    record.show(1, LATER)
    assert record.shown == {}

    record.judge({1: "failed"}, "broken again", LATER)
    record.show(1, LATER)
    assert record.shown == {1: LATER}


def test_a_repeated_step_is_no_longer_offered() -> None:
    record = LessonRecord()
    record.show(1, NOW)
    assert record.has_before_them(1)

    record.start_at(1, "starter")
    assert not record.has_before_them(1)


def test_steps_solved_by_catching_up_are_marked_as_shown() -> None:
    record = LessonRecord()
    record.judge({1: "passed", 2: "failed", 3: "failed"}, "mine", NOW)
    before = record.standing()
    record.start_at(3, "ours")
    assert record.shown == {}

    record.restore(before)
    record.judge({1: "passed", 2: "passed", 3: "failed"}, "mine again", LATER)
    assert record.shown == {}

    record = LessonRecord()
    record.judge({1: "passed", 2: "failed", 3: "failed"}, "mine", NOW)
    record.start_at(3, "ours")
    record.judge({1: "passed", 2: "passed", 3: "failed"}, "ours", LATER)
    assert record.shown == {2: LATER}
