"""Whatever replaces the learner's file keeps it, and can be taken back."""

import os
import shutil
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.tiny import GOOD, STARTER, STATE_1
from workshop.lesson import Lesson
from workshop.progress import Snapshot, Snapshots

Said = Callable[..., tuple[int, str, str]]

MINE = "# mine\n" + STARTER


@pytest.fixture
def mine(lesson: Lesson) -> Path:
    """The learner's edited file."""
    lesson.app_file.write_text(MINE, encoding="utf-8")
    return lesson.app_file


def kept(lesson: Lesson) -> list[Path]:
    """Return the saved copies of app.py, the oldest first."""
    home = lesson.folder.parents[1] / ".workshop"
    return sorted(home.glob("kept/90_seats/*/app.py"))


@pytest.mark.parametrize(
    ("words", "becomes"),
    [
        (["reset", "90"], STARTER),
        (["catch-up", "90"], STARTER),
        (["catch-up", "90", "--step", "1"], STARTER),
        (["catch-up", "90", "--step", "2"], STATE_1),
    ],
)
def test_the_file_is_replaced_saved_and_restored(
    words: list[str], becomes: str, mine: Path, lesson: Lesson, said: Said
) -> None:
    code, out, err = said(*words)

    assert (code, err) == (0, "")
    assert mine.read_text(encoding="utf-8") == becomes
    done, where = out.splitlines()
    assert done.endswith("To undo this: python -m workshop undo 90")
    (copy,) = kept(lesson)
    assert where == f"Your files are kept in {copy.parent.relative_to(Path.cwd())}"
    assert copy.read_text(encoding="utf-8") == MINE

    assert said("undo", "90")[0] == 0
    assert mine.read_text(encoding="utf-8") == MINE


def test_undo_reverts_itself_and_needs_no_lesson(mine: Path, said: Said) -> None:
    said("reset", "90")
    contents = []
    for _ in range(3):
        assert said("undo")[0] == 0
        contents.append(mine.read_text(encoding="utf-8"))

    assert contents == [MINE, STARTER, MINE]


def test_work_between_two_resets_can_be_restored_by_number(
    mine: Path, said: Said
) -> None:
    said("reset", "90")
    mine.write_text("# second\n", encoding="utf-8")
    said("reset", "90")

    listed = said("undo", "90", "--list")[1].splitlines()
    said("undo", "90", "--to", "1")

    assert [line.split()[0] for line in listed[:2]] == ["2", "1"]
    assert listed[-1].endswith("python -m workshop undo 90 --to 2")
    assert mine.read_text(encoding="utf-8") == MINE


def test_the_learners_other_files_stay_and_are_saved_too(
    mine: Path, lesson: Lesson, said: Said
) -> None:
    helpers = mine.parent / "helpers" / "mail.py"
    helpers.parent.mkdir()
    helpers.write_text("SENDER = 'me'\n", encoding="utf-8")
    (mine.parent / "box_office.db").write_bytes(b"not worth it")

    said("reset", "90")

    (copy,) = kept(lesson)
    assert helpers.read_text(encoding="utf-8") == "SENDER = 'me'\n"
    assert (copy.parent / "helpers" / "mail.py").is_file()
    assert not (copy.parent / "box_office.db").exists()


def test_a_virtual_environment_beside_the_file_is_not_copied(
    mine: Path, lesson: Lesson, said: Said
) -> None:
    packages = mine.parent / "venv" / "packages"
    packages.mkdir(parents=True)
    for number in range(300):
        (packages / f"{number}.py").touch()
    (mine.parent / "mail.py").touch()

    said("reset", "90")

    (copy,) = kept(lesson)
    assert (copy.parent / "mail.py").exists()
    assert len(list(copy.parent.glob("venv/packages/*"))) < 300


def test_replacing_a_file_with_equal_content_saves_nothing(
    lesson: Lesson, said: Said
) -> None:
    code, out, _ = said("reset", "90")

    assert code == 0
    assert out == ("Lesson 90: app.py is the starter already. Nothing was changed.\n")
    assert kept(lesson) == []


def test_a_missing_file_is_restored(lesson: Lesson, said: Said) -> None:
    lesson.app_file.unlink()

    code, out, _ = said("reset", "90")

    assert code == 0
    assert "There was no app.py before." in out
    assert lesson.app_file.read_text(encoding="utf-8") == STARTER


def test_only_the_latest_snapshots_are_kept(
    mine: Path, lesson: Lesson, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workshop.progress.snapshots.RETAINED", 3)
    for number in range(5):
        mine.write_text(f"# {number}\n", encoding="utf-8")
        assert said("reset", "90")[0] == 0

    copies = kept(lesson)
    assert len(copies) == 3
    assert copies[0].read_text(encoding="utf-8") == "# 2\n"


def test_repeated_resets_and_undos_displace_no_work(
    mine: Path, lesson: Lesson, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workshop.progress.snapshots.RETAINED", 4)
    mine.write_text("# older\n", encoding="utf-8")
    said("reset", "90")
    mine.write_text(MINE, encoding="utf-8")
    for _ in range(4):
        assert said("reset", "90")[0] == 0
        assert said("undo", "90")[0] == 0

    copies = [copy.read_text(encoding="utf-8") for copy in kept(lesson)]
    assert len(copies) == 4
    assert set(copies) == {"# older\n", MINE, STARTER}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["reset"], "Which lesson?"),
        (["catch-up", "90", "--step", "3"], "there is no step 3"),
        (["catch-up", "90", "--step", "0"], "there is no step 0"),
        (["undo"], "no app.py was ever replaced"),
        (["undo", "90"], "nothing to undo: app.py of lesson 90"),
    ],
)
def test_an_impossible_action_is_an_error_and_changes_nothing(
    words: list[str], sentence: str, mine: Path, said: Said
) -> None:
    code, out, err = said(*words)

    assert (code, out) == (2, "")
    assert sentence in err
    assert len(err.splitlines()) == 1
    assert mine.read_text(encoding="utf-8") == MINE


def test_an_unknown_snapshot_number_is_an_error(mine: Path, said: Said) -> None:
    said("reset", "90")

    code, _, err = said("undo", "90", "--to", "7")

    assert code == 2
    assert "no saved state 7" in err


def test_catching_up_after_the_last_step_asks_for_a_step(
    mine: Path, said: Said
) -> None:
    mine.write_text(GOOD, encoding="utf-8")
    said("test", "90")

    code, _, err = said("catch-up", "90")

    assert code == 2
    assert "catch-up 90 --step 1" in err
    assert mine.read_text(encoding="utf-8") == GOOD


def test_catching_up_with_an_ungraded_file_asks_for_a_step(
    mine: Path, said: Said
) -> None:
    said("test", "90")
    mine.write_text(GOOD, encoding="utf-8")

    code, _, err = said("catch-up", "90")

    assert code == 2
    assert "has changed since its last verdict" in err
    assert mine.read_text(encoding="utf-8") == GOOD


def test_a_link_is_reported_and_left_alone(
    mine: Path, lesson: Lesson, said: Said
) -> None:
    elsewhere = mine.rename(mine.parents[2] / "elsewhere.py")
    try:
        mine.symlink_to(elsewhere)
    except OSError:
        pytest.skip("this system lets nobody make links")

    code, out, err = said("reset", "90")

    assert (code, out) == (3, "")
    assert f"is a link to {elsewhere}" in err
    assert mine.is_symlink()
    assert elsewhere.read_text(encoding="utf-8") == MINE


def test_a_write_protected_file_is_reported_and_left_alone(
    mine: Path, said: Said
) -> None:
    mine.chmod(stat.S_IREAD)

    code, _, err = said("reset", "90")

    assert code == 3
    assert "is write-protected" in err
    assert mine.read_text(encoding="utf-8") == MINE


@pytest.mark.parametrize("full", ["kept", "lessons"])
def test_on_a_full_disk_the_file_is_unchanged(
    full: str, mine: Path, lesson: Lesson, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync = os.fsync

    def no_space(handle: int) -> None:
        where = str(Path(f"/proc/self/fd/{handle}").readlink())
        if f"/{full}/" in where:
            raise OSError(28, "No space left on device")
        sync(handle)

    if not Path("/proc/self/fd").exists():
        pytest.skip("which file is written can be told on Linux alone")
    monkeypatch.setattr(os, "fsync", no_space)

    code, out, err = said("reset", "90")

    assert (code, out) == (3, "")
    assert "No space left on device" in err
    assert mine.read_text(encoding="utf-8") == MINE
    assert [path.name for path in lesson.folder.glob(".*")] == []
    assert bool(kept(lesson)) is (full == "lessons")


def test_a_file_saved_meanwhile_is_not_replaced(
    mine: Path, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = Snapshots.take

    def save_meanwhile(*arguments: Any) -> Snapshot:
        taken = take(*arguments)
        mine.write_text("# saved meanwhile\n", encoding="utf-8")
        return taken

    monkeypatch.setattr(Snapshots, "take", save_meanwhile)

    code, out, err = said("reset", "90")

    assert (code, out) == (3, "")
    assert str(mine) in err
    assert mine.read_text(encoding="utf-8") == "# saved meanwhile\n"


def test_two_at_once_keep_the_work_once(mine: Path, lesson: Lesson) -> None:
    from workshop import course
    from workshop.progress import reset

    begin = threading.Barrier(8)
    changed = []

    def one() -> None:
        begin.wait()
        changed.append(reset(lesson, course.store(), course.snapshots()).changed)

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(changed) == [False] * 7 + [True]
    assert [copy.read_text(encoding="utf-8") for copy in kept(lesson)] == [MINE]


def test_undo_restores_the_current_step(mine: Path, said: Said) -> None:
    mine.write_text(STATE_1, encoding="utf-8")
    said("test", "90")

    said("reset", "90")
    begun_anew = said("show", "90")[1]
    said("undo")
    gone_on = said("show", "90")[1]

    assert "Now: step 1" in begun_anew
    assert "Now: step 2" in gone_on
    assert "has changed since" not in gone_on


def test_catching_up_sets_the_current_step(mine: Path, said: Said) -> None:
    said("catch-up", "90", "--step", "2")

    assert "Now: step 2" in said("show", "90")[1]
    assert "Look again." in said("hint", "90")[1]


def test_a_restarted_lesson_still_counts_as_finished(
    lesson: Lesson, said: Said
) -> None:
    shutil.copy(lesson.solution_file, lesson.app_file)
    said("test", "90")
    finished = said("list")[1]
    said("reset", "90")
    begun_anew = said("list")[1]

    assert "2 of 2 steps, finished\n" in finished
    assert "2 of 2 steps, finished; app.py is at step 1\n" in begun_anew


def test_a_finished_lesson_says_how_to_read_a_hint(lesson: Lesson, said: Said) -> None:
    shutil.copy(lesson.solution_file, lesson.app_file)
    said("test", "90")
    code, out, _ = said("hint", "90")

    assert code == 0
    assert "Every step of lesson 90 has passed." in out
    assert "hint 90 --step 1" in out


def test_a_hint_shows_the_address_of_a_link(lesson: Lesson, said: Said) -> None:
    file = lesson.folder / "hints.md"
    text = file.read_text(encoding="utf-8")
    link = "Look [again](https://docs.example/again)."
    file.write_text(text.replace("Look again.", link), encoding="utf-8")

    assert "https://docs.example/again" in said("hint", "90", "--step", "2")[1]


def test_the_change_of_a_step_is_shown_only_on_request(said: Said) -> None:
    for _ in range(5):
        code, out, _ = said("hint", "90")
        assert code == 0
        assert "+    return" not in out
    assert out.rstrip().endswith("python -m workshop hint 90 --show")
    assert "shown" not in said("list")[1]

    code, out, _ = said("hint", "90", "--show")

    assert code == 0
    assert '+    return {"free": 2}' in out
    assert "catch-up 90 --step 1" in out
    assert "0 of 2 steps, 1 shown" in said("list")[1]


def test_the_change_of_a_named_step_is_shown_with_its_reason(
    lesson: Lesson, said: Said
) -> None:
    (lesson.solution / "README.md").write_text(
        "# Solution · 90 · Seats\n\n## Step 2 · Nothing is nowhere\n\n"
        "**Why it works.**\nNobody answers.\n\n"
        "**Other correct solutions.**\n\n- Many.\n",
        encoding="utf-8",
    )

    out = said("hint", "90", "--step", "2", "--show")[1]

    assert '-@app.get("/nothing")' in out
    assert '+    return {"free": 2}' not in out
    assert "Nobody answers." in out
    assert "Many." not in out


def test_a_shown_step_is_offered_until_it_is_repeated(mine: Path, said: Said) -> None:
    said("hint", "90", "--show")
    mine.write_text(GOOD, encoding="utf-8")
    passed = said("test", "90")[1]
    at_the_end = said("learn")[1]
    brief = said("show", "90")[1]
    for offer in (passed, at_the_end, brief):
        assert "python -m workshop catch-up 90 --step 1   (step 1 was shown)" in offer
    assert "Step 1 · The free seats are shown: passed, shown" in brief

    said("catch-up", "90", "--step", "1")
    mine.write_text(GOOD, encoding="utf-8")
    assert "was shown" not in said("test", "90")[1]
    assert "was shown" not in said("learn")[1]


def test_a_step_that_broke_again_gets_the_hints(mine: Path, said: Said) -> None:
    mine.write_text(GOOD, encoding="utf-8")
    said("test", "90")
    mine.write_text(STATE_1, encoding="utf-8")
    said("test", "90")

    code, out, _ = said("hint", "90")

    assert code == 0
    assert "Look again." in out
