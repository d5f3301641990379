"""Detect changes to the files that a verdict depends on during a run.

The app could write to its tests, or have another process do it. A later run would then
load something other than the files of this checkout.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from workshop.lesson import Lesson

Stamp = tuple[int, int, int, int]


def protected(root: Path, lesson: Lesson, answer: Path) -> list[Path]:
    """Return the files and folders that an app must not write to."""
    return [
        *tests_of(lesson, answer),
        lesson.solution,
        *(root / name for name in _FOLDERS),
        *(root / name for name in _FILES),
    ]


def tests_of(lesson: Lesson, answer: Path) -> list[Path]:
    """Return the Python files of *lesson* except the one being graded."""
    own = {lesson.app_file.resolve(), answer.resolve()}
    found = sorted(lesson.folder.glob("*.py"))
    return [it for it in found if it.name in _TEST_NAMES or _is_test(it, own)]


def stamps(root: Path, lesson: Lesson, answer: Path) -> dict[Path, Stamp]:
    """Return the stamps of all files that judge *answer*, to detect changes.

    For authors these are only the tests, because they edit the tool while it runs.
    """
    found = {}
    tool = () if os.environ.get("WORKSHOP_AUTHOR") else _tool(root)
    for path in [*tests_of(lesson, answer), *tool]:
        try:
            it = path.stat()
        except OSError:
            continue
        found[path] = (it.st_size, it.st_mtime_ns, it.st_ctime_ns, it.st_ino)
    return found


def changed(before: Mapping[Path, Stamp], after: Mapping[Path, Stamp]) -> list[Path]:
    """Return the files that were changed, created or deleted in between."""
    return sorted(
        path for path in {*before, *after} if before.get(path) != after.get(path)
    )


_TEST_NAMES = {"world.py", "conftest.py"}
# `.workshop` holds the learner's progress, `.git` the published files.
_FOLDERS = ("workshop", "tests", ".git", ".workshop/progress.json", ".venv")
_FILES = ("conftest.py", "pyproject.toml", "Makefile")
_SOURCES = (".py", ".ini")


def _is_test(path: Path, own: set[Path]) -> bool:
    return path.name.startswith("test_") and path.resolve() not in own


def _tool(root: Path) -> Iterable[Path]:
    """Return the tool's source files, which the next run will load."""
    yield from (root / name for name in _FILES)
    for folder, names, files in os.walk(root / "workshop"):
        names[:] = [name for name in names if name != "__pycache__"]
        for file in files:
            if file.endswith(_SOURCES):
                yield Path(folder, file)
