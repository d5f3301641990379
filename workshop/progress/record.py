"""What is remembered of a learner, and how it becomes JSON and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

VERSION = 1
"""Raised when an older program could misread what a newer one wrote."""


@dataclass
class LessonRecord:
    """What is remembered of one lesson.

    `passed` holds the steps that have ever passed, each with the time (ISO
    8601, UTC) of the first pass. `verdicts` is the last verdict by step and
    `content` the hash of the file that it was about. `hints` counts the rungs
    shown by step; `solution_seen` is the time when ours was first shown.
    """

    passed: dict[int, str] = field(default_factory=dict)
    verdicts: dict[int, str] = field(default_factory=dict)
    content: str = ""
    hints: dict[int, int] = field(default_factory=dict)
    solution_seen: str = ""

    def is_finished(self, steps: int) -> bool:
        """Whether every step of *steps* passed in the last verdict or before."""
        return all(number in self.passed for number in range(1, steps + 1))

    def current_step(self, steps: int) -> int:
        """The first step of *steps* that the last verdict did not pass.

        The last one when all are passed.
        """
        for number in range(1, steps + 1):
            if self.verdicts.get(number) != "passed":
                return number
        return steps


@dataclass
class State:
    """What is remembered of all lessons, by their folder's name."""

    lessons: dict[str, LessonRecord] = field(default_factory=dict)

    def of(self, slug: str) -> LessonRecord:
        """Return the record of a lesson, an empty new one if there is none."""
        return self.lessons.setdefault(slug, LessonRecord())


def to_json(state: State) -> dict[str, Any]:
    """Return *state* as JSON data of today's version."""
    return {
        "version": VERSION,
        "lessons": {
            slug: {
                "passed": {str(k): v for k, v in record.passed.items()},
                "verdicts": {str(k): v for k, v in record.verdicts.items()},
                "content": record.content,
                "hints": {str(k): v for k, v in record.hints.items()},
                "solution_seen": record.solution_seen,
            }
            for slug, record in state.lessons.items()
        },
    }


def from_json(data: Mapping[str, Any]) -> State:
    """Return the state in *data*.

    Raises ValueError, TypeError, KeyError or AttributeError when *data* is
    not what `to_json` makes.
    """
    return State(
        {
            str(slug): LessonRecord(
                passed={int(k): str(v) for k, v in entry["passed"].items()},
                verdicts={int(k): str(v) for k, v in entry["verdicts"].items()},
                content=str(entry["content"]),
                hints={int(k): int(v) for k, v in entry["hints"].items()},
                solution_seen=str(entry["solution_seen"]),
            )
            for slug, entry in data["lessons"].items()
        }
    )
