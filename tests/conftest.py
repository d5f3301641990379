"""What several of the project's own tests need."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tiny import write_lesson
from workshop.lesson import Lesson


@pytest.fixture
def lesson(tmp_path: Path) -> Lesson:
    """A lesson with one step, for grading hostile apps."""
    return write_lesson(tmp_path)


@pytest.fixture
def answer(lesson: Lesson) -> Callable[[str], Path]:
    """Return a function that writes a text to the learner's file."""

    def write(source: str) -> Path:
        lesson.app_file.write_text(source, encoding="utf-8")
        return lesson.app_file

    return write
