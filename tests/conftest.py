"""What several of the project's own tests need."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tiny import write_lesson
from workshop.lesson import Lesson


@pytest.fixture
def lesson(tmp_path: Path) -> Lesson:
    """A lesson of one step, small enough to judge hostile answers by."""
    return write_lesson(tmp_path)


@pytest.fixture
def answer(lesson: Lesson) -> Callable[[str], Path]:
    """Return a function that writes a text as the learner's answer."""

    def write(source: str) -> Path:
        lesson.app_file.write_text(source, encoding="utf-8")
        return lesson.app_file

    return write
