"""What the room needs to know about the lessons: steps, minutes and predictions."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from workshop.lesson import Lesson
from workshop.lesson.text import Prediction

_CHOICE = re.compile(r"^- \*\*([A-H])\.\*\* (.*(?:\n(?![-`]|$).*)*)", re.MULTILINE)
_RIGHT = re.compile(r"\*\*([A-H])\b")
_FENCE = re.compile(r"^(```\w+) .*$", re.MULTILINE)
_EXPLANATION = re.compile(r"^- \*\*([A-H])\*\* (.*(?:\n  .*)*)", re.MULTILINE)


@dataclass(frozen=True)
class Question:
    """The question of a lesson's *Predict* part.

    `text` is Markdown. Choices and explanations are stored by letter. An explanation
    describes the misconception behind a wrong choice.
    """

    text: str
    choices: dict[str, str]
    right: str
    explanations: dict[str, str]


@dataclass(frozen=True)
class CourseLesson:
    """A lesson: its number, title, planned minutes, titles of steps, and question.

    `page` is the name of its page in the built site: `06_redis_cache.html`.
    """

    number: str
    title: str
    minutes: int
    steps: tuple[str, ...]
    question: Question | None
    page: str = ""


def course_of(lessons: Iterable[Lesson]) -> dict[str, CourseLesson]:
    """Return what the room needs to know about *lessons*, by number."""
    return {lesson.number: _read(lesson) for lesson in lessons}


def _read(lesson: Lesson) -> CourseLesson:
    prediction = lesson.prediction
    return CourseLesson(
        lesson.number,
        lesson.title,
        lesson.minutes,
        tuple(step.title for step in lesson.steps),
        None if prediction is None else question_in(prediction),
        lesson.page.with_suffix(".html").name,
    )


def question_in(prediction: Prediction) -> Question | None:
    """Return the question in *prediction*; None if its choices have no letters."""
    choices = {
        letter: " ".join(text.split())
        for letter, text in _CHOICE.findall(prediction.question)
    }
    right = _RIGHT.search(prediction.answer)
    if len(choices) < 2 or right is None or right[1] not in choices:
        return None
    explanations = {
        letter: f"{letter} " + " ".join(text.split())
        for letter, text in _EXPLANATION.findall(prediction.answer)
    }
    # Remove the site's options after the language of a code block.
    text = _FENCE.sub(r"\1", _CHOICE.sub("", prediction.question)).strip()
    return Question(text, choices, right[1], explanations)
