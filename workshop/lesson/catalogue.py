"""Discover lessons: a new folder in `lessons/` is a new lesson."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from workshop.lesson.completeness import gaps, is_leftover
from workshop.lesson.model import Gap, Lesson

_SLUG = re.compile(r"^\d\d_[a-z0-9_]+$")
_WANTED = re.compile(r"(?:lesson_?)?(?:0*(?P<number>\d{1,2})(?:_|$))?(?P<name>[a-z_]*)")


class UnknownLessonError(Exception):
    """There is no lesson of that name; the message lists the lessons."""


@dataclass(frozen=True)
class Catalogue:
    """The lessons of the checkout at *root*."""

    root: Path

    def lessons(self) -> list[Lesson]:
        """Return the complete lessons, by number."""
        return self.complete_and_left_out()[0]

    def left_out(self) -> list[tuple[Lesson, Gap]]:
        """Return the incomplete lessons, each with its first gap."""
        return self.complete_and_left_out()[1]

    def complete_and_left_out(self) -> tuple[list[Lesson], list[tuple[Lesson, Gap]]]:
        """Return both, with each lesson's files read only once."""
        judged = list(_judged(self.named()))
        complete = [lesson for lesson, gap in judged if gap is None]
        return complete, [(it, gap) for it, gap in judged if gap is not None]

    def first_gap(self, lesson: Lesson) -> Gap | None:
        """Return the first gap of *lesson*; None if it is complete."""
        rivals = [it for it in self.named() if it.number == lesson.number]
        judged = _judged(rivals or [lesson])
        return next((gap for it, gap in judged if it.folder == lesson.folder), None)

    def named(self) -> list[Lesson]:
        """Return all folders with a lesson's name, complete or not, by number."""
        try:
            found = sorted((self.root / "lessons").iterdir())
        except OSError:
            return []
        return [
            Lesson(path, self.root / "solutions" / path.name)
            for path in found
            if _SLUG.match(path.name) and not is_leftover(path)
        ]

    def find(self, wanted: str) -> Lesson:
        """Return the lesson that *wanted* refers to.

        `1`, `01`, `001`, `lesson-01`, `lesson01`, `01_database_session`,
        `database-session`, the beginning of such a name, and the path of the lesson's
        folder or of a file in it all refer to lesson 01. Complete lessons are preferred
        to incomplete ones.

        Raises:
            UnknownLessonError: For anything else, including a number with the name of
                another lesson.
        """
        lessons = self.named()
        meant = [lesson for lesson in lessons if _is_meant(wanted, lesson)]
        if len(meant) > 1:
            whole = {lesson.folder for lesson in self.lessons()}
            meant = [it for it in meant if it.folder in whole] or meant
        if len(meant) == 1:
            return meant[0]
        if len({lesson.number for lesson in meant}) == 1:
            names = " or ".join(lesson.slug for lesson in meant)
            raise UnknownLessonError(
                f"Lesson {wanted!r} could be {names}. Type the whole name, or give "
                "one of them another number."
            )
        there = ", ".join(lesson.number for lesson in lessons) or "none"
        near = _nearest(wanted, lessons)
        question = f" Did you mean {near}?" if near else ""
        raise UnknownLessonError(
            f"There is no lesson {wanted!r}.{question} The lessons are: {there}."
        )


def _judged(lessons: Iterable[Lesson]) -> Iterator[tuple[Lesson, Gap | None]]:
    """Yield each lesson with its first gap. If two share a number, the first counts."""
    by_number: dict[str, Lesson] = {}
    for lesson in lessons:
        gap = next(gaps(lesson), None)
        first = by_number.get(lesson.number)
        if gap is None and first is not None:
            gap = Gap(
                lesson.folder,
                f"has the number of {first.folder.name}",
                "Give one of them another number: rename its folder.",
            )
        elif gap is None:
            by_number[lesson.number] = lesson
        yield lesson, gap


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
    """Return the lesson that *wanted* is a misspelling of; "" if there is none."""
    word = re.sub("[- ]", "_", wanted.strip().lower().rpartition("/")[2])
    slugs = {name: it.slug for it in lessons for name in (it.slug, it.slug[3:])}
    near = difflib.get_close_matches(word, slugs, n=1)
    return slugs[near[0]] if near else ""
