"""What tests of the actions need."""

from pathlib import Path

import pytest

from tests.tiny import write_lesson
from workshop.lesson import Lesson


@pytest.fixture
def lesson(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lesson:
    """A checkout with one lesson in its original state."""
    monkeypatch.setattr("workshop.paths.ROOT", tmp_path)
    monkeypatch.delenv("WORKSHOP_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    return write_lesson(tmp_path)
