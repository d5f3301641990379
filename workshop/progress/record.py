"""What is remembered of a learner, and how it becomes JSON and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

VERSION = 2
"""Raised when an older program could misread what a newer one wrote.

Version 1 knew nothing of shown steps and of files that came from us.
"""

VERDICTS = frozenset(
    {"passed", "failed", "error", "timed out", "crashed", "stopped", "not run"}
)
"""The words of a verdict, as the grader writes them."""


@dataclass
class LessonRecord:
    """What is remembered of one lesson.

    `passed` holds the steps that have ever passed, each with the time (ISO
    8601, UTC) of the first pass. `hints` counts the rungs shown by step,
    `shown` has the time when a step's change was shown or given while it did
    not pass, and `solution_seen` the time when our solution first was.

    The rest is about the file as it stands. `verdicts` is the last verdict by
    step and `content` the hash of the file that it was about. The first
    `given` steps in it are our repairs, and `again` are the shown steps that
    the learner has set out to do again.
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

    def judge(self, verdicts: Mapping[int, str], content: str, now: str) -> None:
        """Take the *verdicts* by step on the file with the hash *content*."""
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
        """Note that *step*'s change was shown, unless the file passes it anyway."""
        if self.verdicts.get(step) != "passed":
            self.shown.setdefault(step, now)
        self.again.discard(step)

    def has_before_them(self, step: int) -> bool:
        """Whether *step*'s change was shown, and they do not do it again yet."""
        return step in self.shown and step not in self.again

    def start_at(self, step: int, content: str) -> None:
        """Note that the file is now ours, with the steps before *step* repaired."""
        self.given = step - 1
        self.content = content
        self.verdicts = dict.fromkeys(range(1, step), "passed")
        self.again = {number for number in self.shown if number >= step}

    def standing(self) -> dict[str, Any]:
        """Return what is known of the file as it stands, as JSON data."""
        return {
            "verdicts": {str(k): v for k, v in self.verdicts.items()},
            "content": self.content,
            "given": self.given,
            "again": sorted(self.again),
        }

    def restore(self, standing: Mapping[str, Any]) -> None:
        """Take back what `standing` returned when the file stood as it does now.

        Nothing is known then where *standing* is not what it should be.
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
    """What is remembered of all lessons, by their folder's name.

    `learners` are random words that tell one learner's progress from another's. There
    is more than one if the learner has merged progress from elsewhere.
    """

    lessons: dict[str, LessonRecord] = field(default_factory=dict)
    learners: set[str] = field(default_factory=set)

    def of(self, slug: str) -> LessonRecord:
        """Return the record of a lesson, an empty new one if there is none."""
        return self.lessons.setdefault(slug, LessonRecord())

    def has_progress(self) -> bool:
        """Whether there is anything that an export would carry."""
        return any(
            it.passed or it.hints or it.shown or it.solution_seen
            for it in self.lessons.values()
        )


def to_json(state: State) -> dict[str, Any]:
    """Return *state* as JSON data of today's version."""
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
    """Return the state in *data*, of today's version or of an older one.

    Raises ValueError, TypeError, KeyError or AttributeError when *data* is
    not what `to_json` makes, or made.
    """
    if data["version"] not in (1, VERSION):
        raise ValueError("no version that there ever was")
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
