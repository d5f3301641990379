"""Find lessons by looking: a new folder in `lessons/` is a new lesson."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from workshop.lesson.model import Lesson

_SLUG = re.compile(r"^\d\d_[a-z0-9_]+$")
_WANTED = re.compile(r"^(?:lesson[-_ ]?)?(\d{1,2})(?:_[a-z0-9_]+)?/?$")


class UnknownLessonError(Exception):
    """No lesson goes by that name; the message says which there are."""


@dataclass(frozen=True)
class Catalogue:
    """The lessons of the checkout at *root*."""

    root: Path

    def lessons(self) -> list[Lesson]:
        """Return all lessons by number. Folders of other shapes are ignored."""
        folder = self.root / "lessons"
        if not folder.is_dir():
            return []
        return [
            Lesson(path, self.root / "solutions" / path.name)
            for path in sorted(folder.iterdir())
            if path.is_dir() and _SLUG.match(path.name)
        ]

    def find(self, wanted: str) -> Lesson:
        """Return the lesson that a person means by *wanted*.

        `1`, `01`, `lesson-01`, `01_database_session` and
        `lessons/01_database_session` all mean lesson 01. Raises
        `UnknownLessonError` for anything else.
        """
        lessons = self.lessons()
        name = wanted.strip().replace("\\", "/").removeprefix("lessons/")
        match = _WANTED.match(name.lower())
        if match:
            number = f"{int(match[1]):02d}"
            for lesson in lessons:
                if lesson.number == number:
                    return lesson
        there = ", ".join(lesson.number for lesson in lessons) or "none"
        raise UnknownLessonError(
            f"There is no lesson {wanted!r}. The lessons are: {there}."
        )
