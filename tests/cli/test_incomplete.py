"""A lesson that is incomplete or damaged takes nothing else with it."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tiny import HINTS, README, TESTS, write_lesson
from workshop.lesson import Catalogue, Lesson

# What these look at is the same on every Python.
pytestmark = pytest.mark.one_python

Said = Callable[..., tuple[int, str, str]]
Damage = Callable[[Lesson], object]

NOT_UTF_8 = "caf\u00e9".encode("latin-1")
FAILED = "The workshop itself failed"


def readme(text: str) -> Damage:
    return lambda it: (it.folder / "README.md").write_text(text, encoding="utf-8")


def hints(text: str) -> Damage:
    return lambda it: (it.folder / "hints.md").write_text(text, encoding="utf-8")


def written_tests(text: str) -> Damage:
    return lambda it: it.test_file.write_text(text, encoding="utf-8")


def remove_everything(lesson: Lesson) -> None:
    shutil.rmtree(lesson.folder)
    lesson.folder.mkdir()


def put_a_file_in_its_place(lesson: Lesson) -> None:
    shutil.rmtree(lesson.folder)
    lesson.folder.write_text("", encoding="utf-8")


def make_the_readme_a_folder(lesson: Lesson) -> None:
    (lesson.folder / "README.md").unlink()
    (lesson.folder / "README.md").mkdir()


DAMAGES: dict[str, tuple[Damage, str]] = {
    "an empty folder": (remove_everything, "README.md is missing"),
    "a file": (put_a_file_in_its_place, "is not a folder"),
    "no README": (
        lambda it: (it.folder / "README.md").unlink(),
        "README.md is missing",
    ),
    "an empty README": (readme(""), "README.md cannot be used"),
    "a README in another encoding": (
        lambda it: (it.folder / "README.md").write_bytes(NOT_UTF_8),
        "README.md:1 is not UTF-8",
    ),
    "a README that is a folder": (make_the_readme_a_folder, "README.md cannot be read"),
    "a README without steps": (
        readme(README.partition("## Step")[0]),
        "README.md has no steps",
    ),
    "a README without minutes": (
        readme(README.replace("5 minutes", "a while")),
        "does not say how long the lesson takes",
    ),
    "steps that do not count from 1": (
        readme(README.replace("Step 1", "Step 3")),
        "numbers its steps 3, 2",
    ),
    "no test file": (lambda it: it.test_file.unlink(), "test_rows.py is missing"),
    "two test files": (
        lambda it: (it.folder / "test_more.py").write_text("", encoding="utf-8"),
        "has 2 test files, test_more.py and test_seats.py",
    ),
    "an empty test file": (written_tests(""), "holds no tests"),
    "a test file with a syntax error": (
        written_tests("def test_(:\n"),
        "test_seats.py:1 cannot be used: invalid syntax",
    ),
    "a test file with a null byte": (written_tests("\0"), "cannot be used"),
    "tests without step markers": (
        written_tests(TESTS.replace("@pytest.mark.step(1)\n", "")),
        "belongs to no step",
    ),
    "tests of another step": (
        written_tests(TESTS.replace("step(2)", "step(3)")),
        "has tests that belong to steps [1, 3]",
    ),
    "no hints": (lambda it: (it.folder / "hints.md").unlink(), "hints.md is missing"),
    "hints without a step": (
        hints(HINTS.partition("## Step 2")[0]),
        "has no hints for step 2",
    ),
    "hints that are no list": (
        hints(HINTS.replace("1. ", "").replace("2. ", "").replace("3. ", "")),
        "has no hints for step 1",
    ),
    "no solution": (lambda it: shutil.rmtree(it.solution), "the app after 1"),
    "no starter": (lambda it: it.state_file(0).unlink(), "0.py is missing"),
    "a solution in another encoding": (
        lambda it: it.solution_file.write_bytes(NOT_UTF_8),
        "app.py:1 is not UTF-8",
    ),
}

every_damage = pytest.mark.parametrize(
    ("damage", "words"), DAMAGES.values(), ids=DAMAGES.keys()
)


@pytest.fixture
def rows(lesson: Lesson, tmp_path: Path) -> Lesson:
    """A second, complete lesson."""
    return write_lesson(tmp_path, name="91_rows")


@every_damage
def test_a_damaged_lesson_is_skipped_with_a_note_about_the_first_gap(
    damage: Damage, words: str, rows: Lesson, said: Said
) -> None:
    damage(rows)

    code, out, err = said("list")

    assert (code, "90  Seats" in out, "91  Seats" in out) == (0, True, False)
    (note,) = err.splitlines()
    assert note.startswith("Skipping lessons/91_rows: ")
    assert words in note
    assert "`python -m workshop check 91 --draft`" in note


@every_damage
def test_a_damaged_lesson_requested_by_name_is_an_error(
    damage: Damage, words: str, rows: Lesson, said: Said
) -> None:
    damage(rows)

    for verb in ("show", "test", "hint", "run", "watch"):
        code, out, err = said(verb, "91")

        assert (verb, code, out) == (verb, 3, "")
        assert err.startswith("Lesson 91 is not complete: ")
        assert words in err
        assert len(err.splitlines()) == 1


@every_damage
def test_a_damaged_lesson_does_not_affect_other_lessons(
    damage: Damage, words: str, rows: Lesson, said: Said, tmp_path: Path
) -> None:
    damage(rows)
    index = tmp_path / "docs" / "lessons" / "index.md"
    index.write_text("# Lessons\n\n<!-- lessons -->\n<!-- /lessons -->\n", "utf-8")

    told = [
        said(*words)
        for words in (
            ("show", "90"),
            ("hint", "90"),
            ("reset", "90"),
            ("undo", "90", "--list"),
            ("progress",),
            ("pages", "--quick"),
        )
    ]

    assert not [err for _, _, err in told if FAILED in err]
    assert [code for code, _, _ in told[:-1]] == [0, 0, 0, 2, 0]
    assert "[90 · Seats](90_seats.md)" in index.read_text("utf-8")
    assert "91_rows" not in index.read_text("utf-8")


def test_leftovers_of_other_programs_are_skipped_silently(
    lesson: Lesson, tmp_path: Path, said: Said
) -> None:
    lessons = tmp_path / "lessons"
    for name in ("__pycache__", "91_rows.bak", "92_rows/__pycache__"):
        (lessons / name).mkdir(parents=True)
    (lessons / ".DS_Store").write_bytes(b"\0")
    (lessons / "92_rows" / ".DS_Store").write_bytes(b"\0")

    code, out, err = said("list")

    assert (code, err) == (0, "")
    assert out.count("5 min") == 1


def test_of_two_lessons_with_one_number_the_first_counts(
    lesson: Lesson, tmp_path: Path, said: Said
) -> None:
    write_lesson(tmp_path, name="90_zebras")

    code, out, err = said("list")
    direct = said("show", "90_zebras")

    assert (code, out.count("90  Seats")) == (0, 1)
    assert "Skipping lessons/90_zebras: lessons/90_zebras has the number" in err
    assert said("show", "90")[0] == 0
    assert (direct[0], direct[1]) == (3, "")
    assert "rename its folder" in direct[2]


def test_a_copy_beside_a_lesson_does_not_take_its_number(
    lesson: Lesson, tmp_path: Path, said: Said
) -> None:
    shutil.copytree(lesson.folder, lesson.folder.with_name("90_a_copy"))

    assert Catalogue(tmp_path).find("90").slug == "90_seats"
    assert said("show", "90")[0] == 0


def test_a_number_shared_by_two_incomplete_folders_is_reported_with_both(
    tmp_path: Path, lesson: Lesson, said: Said
) -> None:
    for name in ("91_a", "91_b"):
        (tmp_path / "lessons" / name).mkdir()

    code, _, err = said("test", "91")

    assert code == 2
    assert "could be 91_a or 91_b" in err


def test_learn_skips_a_damaged_lesson(
    tmp_path: Path,
    lesson: Lesson,
    said: Said,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "lessons" / "01_nothing").mkdir()
    monkeypatch.setattr("sys.stdin", io.StringIO(""))

    code, out, err = said("learn", "--plain")

    assert code == 1
    assert "Lesson 90" in out
    assert "Skipping lessons/01_nothing: " in err


def test_reset_and_undo_only_need_the_files_they_restore(
    lesson: Lesson, said: Said
) -> None:
    (lesson.folder / "hints.md").unlink()
    lesson.app_file.write_text("mine = True\n", encoding="utf-8")

    assert said("reset", "90")[0] == 0
    assert said("undo", "90")[0] == 0
    assert lesson.app_file.read_text("utf-8") == "mine = True\n"
