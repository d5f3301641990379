"""Checksums of the published tests, which show whether tests were edited.

`lessons/checksums.txt` holds a digest for each test file. `python -m workshop pages`
updates it. It also works in a checkout without git.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from workshop.lesson.model import Lesson

CHECKSUMS = "checksums.txt"


def checksums(lessons: Iterable[Lesson]) -> str:
    """Return the content of `lessons/checksums.txt`: lines of a digest and a path."""
    return "".join(
        f"{_digest(path)}  {lesson.slug}/{path.name}\n"
        for lesson in lessons
        for path in _judges(lesson)
    )


def edited_tests(lesson: Lesson) -> tuple[str, ...]:
    """Return the test files of *lesson* that differ from the published ones.

    A lesson that was never published has none.
    """
    try:
        text = (lesson.folder.parent / CHECKSUMS).read_text(encoding="utf-8")
    except OSError:
        return ()
    published = {
        name: digest
        for digest, _, path in (line.partition("  ") for line in text.splitlines())
        for slug, _, name in [path.partition("/")]
        if slug == lesson.slug
    }
    return tuple(
        name
        for name, digest in published.items()
        if _digest(lesson.folder / name) != digest
    )


def _judges(lesson: Lesson) -> list[Path]:
    return sorted([*lesson.folder.glob("test_*.py"), *lesson.folder.glob("world.py")])


def _digest(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError:
        return ""
    # Git may have converted the line endings for this system.
    return hashlib.sha256(content.replace(b"\r\n", b"\n")).hexdigest()
