"""What tests of the command line need."""

from collections.abc import Callable
from pathlib import Path

import pytest

# Imported before a test replaces ROOT, which belongs to the tool's own files there.
import workshop.grading.engine  # noqa: F401
from tests.tiny import write_lesson
from workshop.cli import main
from workshop.lesson import Lesson


@pytest.fixture
def lesson(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lesson:
    """A checkout with one lesson in its original state."""
    monkeypatch.setattr("workshop.paths.ROOT", tmp_path)
    monkeypatch.delenv("WORKSHOP_HOME", raising=False)
    monkeypatch.delenv("MAKELEVEL", raising=False)
    monkeypatch.chdir(tmp_path)
    return write_lesson(tmp_path)


@pytest.fixture
def said(
    lesson: Lesson, capfd: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Return a function that runs the command line: exit code, stdout, stderr."""

    def run(*words: str) -> tuple[int, str, str]:
        capfd.readouterr()
        code = main(list(words))
        out, err = capfd.readouterr()
        return code, out, err

    return run
