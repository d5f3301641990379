"""Edited tests are told from published ones, with git and without."""

from pathlib import Path

import pytest

from tests.tiny import GOOD, write_lesson
from workshop.grading import grade
from workshop.lesson import Catalogue, Lesson
from workshop.lesson.published import CHECKSUMS, checksums, edited_tests

ROOT = Path(__file__).parents[2]


@pytest.fixture
def lesson(tmp_path: Path) -> Lesson:
    """A lesson whose tests match the published checksums."""
    lesson = write_lesson(tmp_path)
    (tmp_path / "lessons" / CHECKSUMS).write_text(checksums([lesson]), encoding="utf-8")
    return lesson


def edit(lesson: Lesson) -> None:
    text = lesson.test_file.read_text(encoding="utf-8")
    lesson.test_file.write_text(text + "# mine\n", encoding="utf-8")


def test_the_checksums_of_this_checkout_are_up_to_date() -> None:
    lessons = Catalogue(ROOT).lessons()

    published = (ROOT / "lessons" / CHECKSUMS).read_text(encoding="utf-8")

    assert published == checksums(lessons), "run `python -m workshop pages`"


def test_published_tests_do_not_count_as_edited(lesson: Lesson) -> None:
    assert edited_tests(lesson) == ()


def test_an_edited_test_file_is_named(lesson: Lesson) -> None:
    edit(lesson)

    assert edited_tests(lesson) == ("test_seats.py",)


def test_line_endings_do_not_matter(lesson: Lesson) -> None:
    content = lesson.test_file.read_bytes()
    lesson.test_file.write_bytes(content.replace(b"\n", b"\r\n"))

    assert edited_tests(lesson) == ()


def test_a_lesson_that_was_never_published_has_no_edited_tests(lesson: Lesson) -> None:
    (lesson.folder.parent / CHECKSUMS).unlink()
    edit(lesson)

    assert edited_tests(lesson) == ()


def test_a_pass_with_edited_tests_does_not_count_and_says_so(
    lesson: Lesson, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WORKSHOP_AUTHOR", raising=False)
    edit(lesson)
    lesson.app_file.write_text(GOOD, encoding="utf-8")

    graded = grade(lesson, lesson.app_file)

    assert graded.passed
    assert not graded.counts
    assert graded.as_json()["edited_tests"] == ["test_seats.py"]
    assert graded.as_json()["counts"] is False
    assert "git checkout -- lessons/90_seats/test_seats.py" in graded.note_on_tests


def test_an_author_may_edit_tests(
    lesson: Lesson, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKSHOP_AUTHOR", "1")
    edit(lesson)
    lesson.app_file.write_text(GOOD, encoding="utf-8")

    graded = grade(lesson, lesson.app_file)

    assert graded.counts
    assert graded.edited_tests == ("test_seats.py",)
