"""What several of the project's own tests need, and in which tier they run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.tiny import write_lesson
from workshop.lesson import Lesson
from workshop.sandbox.cores import cores

if TYPE_CHECKING:
    from xdist.remote import Producer

    from tests.shards import Shards

TESTS = Path(__file__).parent

DIFFERENT_ON_EVERY_PYTHON = {
    *("facts", "grading", "processes", "sandbox", "testing", "timeline"),
    *("test_environment_folders.py", "test_environment_settings.py"),
}
"""Folders and files whose slow tests, too, run on the other supported Pythons."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave slow tests to one Python, unless their outcome depends on it."""
    for item in items:
        if item.get_closest_marker("slow") is None:
            continue
        if item.path.relative_to(TESTS).parts[0] not in DIFFERENT_ON_EVERY_PYTHON:
            item.add_marker("one_python")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Run one process more than cores: tests wait for processes of their own."""
    return cores() + 1


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Shards:
    """Share the tests by file and by lesson."""
    from tests.shards import Shards

    return Shards(config, log)


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
