"""A learner's progress, and its conversion to and from JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

VERSION = 2
"""Increased when an older program could misread what a newer one wrote.

Version 1 did not record shown steps, or files that the workshop wrote.
"""

VERDICTS = frozenset(
    {"passed", "failed", "error", "timed out", "crashed", "stopped", "not run"}
)
"""The verdicts, as the grader writes them."""


@dataclass
class LessonRecord:
    """The progress in one lesson.

    Attributes:
        passed: The steps that have ever passed, with the time (ISO 8601, UTC) of the
            first pass.
        hints: The number of hints shown, by step.
        shown: The time at which a step's change was shown or applied while the step
            did not pass.
        solution_seen: The time at which the solution was first shown.
        verdicts: The last verdict, by step.
        content: The hash of the file that `verdicts` is about.
        given: How many steps, from the first, are the solution's repairs in the file.
        again: The shown steps that the learner is repeating.
    """

    passed: dict[int, str] = field(default_factory=dict)
    verdicts: dict[int, str] = field(default_factory=dict)
    content: str = ""
    hints: dict[int, int] = field(default_factory=dict)
    solution_seen: str = ""
    shown: dict[int, str] = field(default_factory=dict)
    given: int = 0
    again: set[int] = field(default_factory=set)

    def is_finished(self, steps: int) -> bool:
        """Whether every step of *steps* passed in the last verdict or earlier."""
        return all(number in self.passed for number in range(1, steps + 1))

    def current_step(self, steps: int) -> int:
        """The first of *steps* that did not pass in the last verdict.

        The last step if all passed.
        """
        for number in range(1, steps + 1):
            if self.verdicts.get(number) != "passed":
                return number
        return steps

    def judge(self, verdicts: Mapping[int, str], content: str, now: str) -> None:
        """Record the *verdicts*, by step, on the file with the hash *content*."""
        self.verdicts = dict(verdicts)
        self.content = content
        for number, verdict in verdicts.items():
            if verdict != "passed":
                continue
            if number <= self.given and number not in self.passed:
                self.shown.setdefault(number, now)
            elif number in self.again:
                self.again.discard(number)
                self.shown.pop(number, None)
            self.passed.setdefault(number, now)

    def show(self, step: int, now: str) -> None:
        """Record that *step*'s change was shown, unless the file passes it anyway."""
        if self.verdicts.get(step) != "passed":
            self.shown.setdefault(step, now)
        self.again.discard(step)

    def has_before_them(self, step: int) -> bool:
        """Whether *step*'s change was shown and the learner is not repeating it yet."""
        return step in self.shown and step not in self.again

    def start_at(self, step: int, content: str) -> None:
        """Record that the file was replaced, with the steps before *step* repaired."""
        self.given = step - 1
        self.content = content
        self.verdicts = dict.fromkeys(range(1, step), "passed")
        self.again = {number for number in self.shown if number >= step}

    def standing(self) -> dict[str, Any]:
        """Return what is known about the file's present content, as JSON data."""
        return {
            "verdicts": {str(k): v for k, v in self.verdicts.items()},
            "content": self.content,
            "given": self.given,
            "again": sorted(self.again),
        }

    def restore(self, standing: Mapping[str, Any]) -> None:
        """Restore the result of `standing` from when the file had its present content.

        If *standing* is malformed, nothing is known about the file.
        """
        try:
            self._take(standing)
        except (ValueError, TypeError, KeyError, AttributeError):
            self.verdicts, self.content, self.given, self.again = {}, "", 0, set()

    def _take(self, entry: Mapping[str, Any]) -> None:
        self.verdicts, self.content, self.given, self.again = (
            {int(k): str(v) for k, v in entry["verdicts"].items()},
            str(entry["content"]),
            int(entry["given"]),
            {int(number) for number in entry["again"]},
        )
        if unknown := set(self.verdicts.values()) - VERDICTS:
            raise ValueError(f"no verdict: {sorted(unknown)}")


@dataclass
class State:
    """The progress in all lessons, by their folder's name.

    `learners` are random words that distinguish the progress of different learners.
    There is more than one after progress from elsewhere was merged.
    """

    lessons: dict[str, LessonRecord] = field(default_factory=dict)
    learners: set[str] = field(default_factory=set)

    def of(self, slug: str) -> LessonRecord:
        """Return the record of a lesson, a new empty one if there is none."""
        return self.lessons.setdefault(slug, LessonRecord())

    def has_progress(self) -> bool:
        """Whether there is anything that an export would carry."""
        return any(
            it.passed or it.hints or it.shown or it.solution_seen
            for it in self.lessons.values()
        )


def to_json(state: State) -> dict[str, Any]:
    """Return *state* as JSON data of the current version."""
    return {
        "version": VERSION,
        "learners": sorted(state.learners),
        "lessons": {
            slug: {
                "passed": {str(k): v for k, v in record.passed.items()},
                "hints": {str(k): v for k, v in record.hints.items()},
                "shown": {str(k): v for k, v in record.shown.items()},
                "solution_seen": record.solution_seen,
                **record.standing(),
            }
            for slug, record in state.lessons.items()
        },
    }


def from_json(data: Mapping[str, Any]) -> State:
    """Return the state in *data*, of the current version or an older one.

    Raises:
        ValueError: *data* was not made by `to_json`. Depending on the damage, it may
            also be a TypeError, KeyError or AttributeError.
    """
    if data["version"] not in (1, VERSION):
        raise ValueError("unknown version")
    new = {"shown": {}, "given": 0, "again": []} if data["version"] == 1 else {}
    return State(
        {
            str(slug): _lesson_from_json({**new, **entry})
            for slug, entry in data["lessons"].items()
        },
        # Not in files of earlier releases, which ignore it.
        {str(learner) for learner in data.get("learners", ())},
    )


def _lesson_from_json(entry: Mapping[str, Any]) -> LessonRecord:
    record = LessonRecord(
        passed={int(k): str(v) for k, v in entry["passed"].items()},
        hints={int(k): int(v) for k, v in entry["hints"].items()},
        shown={int(k): str(v) for k, v in entry["shown"].items()},
        solution_seen=str(entry["solution_seen"]),
    )
    record._take(entry)
    return record
