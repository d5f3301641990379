"""Find lessons by looking: a new folder in `lessons/` is a new lesson."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from pathlib import Path

from workshop.lesson.model import Lesson

_SLUG = re.compile(r"^\d\d_[a-z0-9_]+$")
_WANTED = re.compile(r"(?:lesson_?)?(?:0*(?P<number>\d{1,2})(?:_|$))?(?P<name>[a-z_]*)")


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

        `1`, `01`, `001`, `lesson-01`, `lesson01`, `01_database_session`,
        `database-session`, the beginning of such a name, and the path of the
        lesson's folder or of a file in it all mean lesson 01. Raises
        `UnknownLessonError` for anything else, also for a number with the
        name of another lesson.
        """
        lessons = self.lessons()
        meant = [lesson for lesson in lessons if _is_meant(wanted, lesson)]
        if len(meant) == 1:
            return meant[0]
        there = ", ".join(lesson.number for lesson in lessons) or "none"
        near = _nearest(wanted, lessons)
        question = f" Did you mean {near}?" if near else ""
        raise UnknownLessonError(
            f"There is no lesson {wanted!r}.{question} The lessons are: {there}."
        )


def _is_meant(wanted: str, lesson: Lesson) -> bool:
    parts = wanted.strip().replace("\\", "/").lower().split("/")
    if lesson.slug in parts:
        return True
    match = _WANTED.fullmatch(re.sub("[- ]", "_", wanted.strip().lower()))
    if match is None or not any(match.groups()):
        return False
    number = int(match["number"]) if match["number"] else int(lesson.number)
    named = lesson.slug[3:].startswith(match["name"])
    return named and number == int(lesson.number)


def _nearest(wanted: str, lessons: list[Lesson]) -> str:
    """Return the lesson that *wanted* is a slip of; "" if there is none."""
    word = re.sub("[- ]", "_", wanted.strip().lower().rpartition("/")[2])
    slugs = {name: it.slug for it in lessons for name in (it.slug, it.slug[3:])}
    near = difflib.get_close_matches(word, slugs, n=1)
    return slugs[near[0]] if near else ""
