"""What a lesson is: discovery, text, steps, hints and tests.

This package does not know how a lesson is run or shown.
"""

from workshop.lesson.catalogue import Catalogue, UnknownLessonError
from workshop.lesson.expected import ExpectedTest
from workshop.lesson.model import Gap, Lesson, LessonError, Step

__all__ = [
    "Catalogue",
    "ExpectedTest",
    "Gap",
    "Lesson",
    "LessonError",
    "Step",
    "UnknownLessonError",
]
