"""What the actions return: data that each face shows in its own way."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from workshop.lesson import Lesson, Step


@dataclass(frozen=True)
class Hints:
    """The hints for one step that the learner has seen.

    Attributes:
        lesson: the lesson.
        step: the step that the hints are for.
        seen: how many of the step's hints have been shown.
        is_new: whether the last of them is shown for the first time.
        change_is_shown: whether the solution's change for the step has been shown, and
            the learner has not begun to do the step again since.

    """

    lesson: Lesson
    step: Step
    seen: int
    is_new: bool = False
    change_is_shown: bool = False

    @property
    def all_seen(self) -> bool:
        """Whether there is no further hint."""
        return self.seen >= len(self.step.hints)


@dataclass(frozen=True)
class Comparison:
    """The learner's file, or an earlier state, beside a file of the solution.

    Attributes:
        lesson: the lesson.
        mine: the learner's file, or the solution's state before the step.
        solution: the solution, or its state after a step.
        step: the number of that step, None for the whole solution.
        why: the reasons for the step or the whole solution, in Markdown.

    """

    lesson: Lesson
    mine: Path
    solution: Path
    step: int | None = None
    why: str = ""
