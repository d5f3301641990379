"""Progress can be taken along, and nothing is lowered by what arrives."""

import json
import re
from pathlib import Path

import pytest

from workshop.progress import LessonRecord, State, TransferError, merge, read_export
from workshop.progress.transfer import write_export

EARLY, LATE = "2026-01-01T10:00:00+00:00", "2026-01-02T10:00:00+00:00"


def state_with(**facts: object) -> State:
    return State({"01_seats": LessonRecord(**facts)})  # type: ignore[arg-type]


def test_an_export_can_be_read_again(tmp_path: Path) -> None:
    state = state_with(passed={1: EARLY}, hints={2: 3}, shown={2: LATE})
    file = tmp_path / "mine.json"

    write_export(State(), file)
    write_export(state, file)

    assert read_export(file) == state


def test_passes_are_added_and_the_first_time_of_each_counts() -> None:
    mine = state_with(passed={1: LATE, 2: EARLY}, hints={1: 2, 2: 1})
    theirs = state_with(passed={1: EARLY, 3: LATE}, hints={1: 1, 2: 3})

    brought = merge(mine, theirs)

    record = mine.of("01_seats")
    assert brought.passed == {"01_seats": [3]}
    assert record.passed == {1: EARLY, 2: EARLY, 3: LATE}
    assert record.hints == {1: 2, 2: 3}


def test_a_step_done_without_help_on_one_side_is_not_a_shown_one() -> None:
    mine = state_with(passed={1: LATE, 2: LATE}, shown={2: LATE})
    theirs = state_with(passed={1: EARLY, 2: EARLY}, shown={1: EARLY, 3: EARLY})

    merge(mine, theirs)

    assert mine.of("01_seats").shown == {3: EARLY}


def test_records_about_the_present_file_are_kept() -> None:
    mine = state_with(verdicts={1: "failed"}, content="mine", given=1)
    merge(mine, state_with(verdicts={1: "passed"}, content="theirs", given=2))

    record = mine.of("01_seats")
    assert (record.verdicts, record.content, record.given) == ({1: "failed"}, "mine", 1)


def test_importing_twice_adds_nothing() -> None:
    mine = State()
    theirs = state_with(passed={1: EARLY}, hints={1: 1}, solution_seen=LATE)

    assert not merge(mine, theirs).is_empty
    assert merge(mine, theirs).is_empty


def lesson(**changes: object) -> dict[str, object]:
    record = {"passed": {}, "hints": {}, "shown": {}, "solution_seen": ""}
    standing = {"verdicts": {}, "content": "", "given": 0, "again": []}
    return {"version": 2, "lessons": {"01_seats": {**record, **standing, **changes}}}


@pytest.mark.parametrize(
    "data",
    [
        "",
        "[]",
        "null",
        '{"version": 2}',
        '{"version": 0, "lessons": {}}',
        "[" * 100_000,
        json.dumps(lesson(passed={"0": EARLY})),
        json.dumps(lesson(passed={"1": "yesterday"})),
        json.dumps(lesson(passed={"1": "2026-01-01T10:00:00"})),
        json.dumps(lesson(hints={"1": -1})),
        json.dumps({"version": 2, "lessons": {"../away": {}}}),
    ],
)
def test_a_file_that_is_not_an_export_is_named_in_the_error(
    data: str, tmp_path: Path
) -> None:
    file = tmp_path / "file.json"
    file.write_text(data, encoding="utf-8")

    with pytest.raises(TransferError, match=re.escape(str(file))):
        read_export(file)


def test_a_valid_lesson_is_an_export(tmp_path: Path) -> None:
    file = tmp_path / "file.json"
    file.write_text(json.dumps(lesson(passed={"1": EARLY})), encoding="utf-8-sig")

    assert read_export(file).of("01_seats").passed == {1: EARLY}


def test_a_newer_versions_export_asks_for_an_update(tmp_path: Path) -> None:
    file = tmp_path / "file.json"
    file.write_text('{"version": 99}', encoding="utf-8")

    with pytest.raises(TransferError, match="newer version"):
        read_export(file)


def test_an_export_only_overwrites_an_earlier_export(tmp_path: Path) -> None:
    diary = tmp_path / "diary.txt"
    diary.write_text("Dear diary", encoding="utf-8")

    with pytest.raises(TransferError, match=r"diary\.txt"):
        write_export(State(), diary)
    assert diary.read_text(encoding="utf-8") == "Dear diary"


@pytest.mark.parametrize("name", ["", "none/file.json"])
def test_an_unwritable_place_is_an_error(name: str, tmp_path: Path) -> None:
    with pytest.raises(TransferError):
        write_export(State(), tmp_path / name)
