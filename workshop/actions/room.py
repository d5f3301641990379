"""The learner's part in an instructor's room: join, report, ask for help, leave."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from workshop import paths
from workshop.actions.errors import ActionError
from workshop.lesson import Lesson
from workshop.room.client import (
    Invitation,
    Membership,
    Participation,
    RoomError,
    RoomStatus,
    reports,
)

if TYPE_CHECKING:
    from workshop.grading import LessonVerdict, StepVerdict
    from workshop.room.client.reports import Report
    from workshop.room.client.subscription import Hear

PURPOSE = "The board shows the instructor who needs help, and where."
SENT = (
    "your name, the step you work on, verdicts (seconds, names of failed tests), hints "
    "and solutions you open, calls for help, votes"
)
NEVER_SENT = "Your code and output are never sent."


class RoomActions:
    """What a learner does in a room. Until they join one, nothing is sent.

    Reports return at once: they are stored, and a thread sends them.
    """

    def __init__(self, participation: Participation | None = None) -> None:
        self._participation = participation or Participation(paths.home())
        self._place: tuple[str, int] | None = None
        """The lesson and the step that were opened last."""
        self._known: dict[tuple[str, int], bool] = {}
        """Whether the room knows that a step has passed or failed."""

    @property
    def membership(self) -> Membership | None:
        """The learner in the room, None if they have not joined one."""
        return self._participation.membership

    @property
    def status(self) -> RoomStatus:
        """Whether the room responds."""
        return self._participation.status

    def start(self) -> None:
        """Begin to send what earlier commands have stored."""
        self._participation.start()

    def listen(self, hear: Hear, changed: Callable[[], None]) -> None:
        """Receive what the room tells; both are called from other threads."""
        self._participation.listen(hear, changed)

    def close(self) -> None:
        """Stop, after at most 300 ms for what has not been sent."""
        self._participation.close()

    def join(self, invitation: Invitation) -> Membership:
        """Join a room, which may take seconds.

        Raises:
            ActionError: with the reason.

        """
        try:
            joined = self._participation.join(invitation)
        except RoomError as problem:
            raise ActionError(str(problem)) from None
        self._known.clear()
        if self._place is not None:
            self._participation.report(reports.opened(*self._place))
        return joined

    def leave(self, *, local: bool = False) -> Membership:
        """Leave the room and delete the learner's data, which may take seconds.

        Raises:
            ActionError: with the reason.

        """
        try:
            return self._participation.leave(local=local)
        except RoomError as problem:
            raise ActionError(str(problem)) from None

    # Reports

    def opened(self, lesson: Lesson, step: int) -> None:
        """Report that the learner works on *step*, if it is another one."""
        place = lesson.number, step
        if place != self._place:
            self._place = place
            self._participation.report(reports.opened(*place))

    def judged(self, verdict: LessonVerdict) -> None:
        """Report the verdict on the current step, and on those that have changed."""
        lesson = verdict.lesson
        changed = judged_steps(verdict, self._known)
        self._known |= {(lesson.number, it.number): it.passed for it in changed}
        *before, current = (_judged(lesson, it, verdict.seconds) for it in changed)
        self._participation.report(*before)
        self.opened(lesson, changed[-1].number)
        self._participation.report(current)

    def hint_shown(self, lesson: Lesson, step: int, rung: int) -> None:
        """Report that the learner has read a hint."""
        self._participation.report(reports.hint_shown(lesson.number, step, rung))

    def change_shown(self, lesson: Lesson, step: int) -> None:
        """Report that the learner has read the change for a step."""
        self._participation.report(reports.change_shown(lesson.number, step))

    def solution_shown(self, lesson: Lesson) -> None:
        """Report that the learner has opened the solution."""
        self._participation.report(reports.solution_shown(lesson.number))

    def ask_for_help(self, wanted: bool) -> None:
        """Ask for help, or say that it is no longer needed."""
        self._participation.report(reports.help_wanted(wanted))

    def vote(self, poll: str, choice: str) -> None:
        """Vote in a poll. The last vote counts."""
        self._participation.report(reports.vote(poll, choice))


def judged_steps(
    verdict: LessonVerdict, known: Mapping[tuple[str, int], bool]
) -> list[StepVerdict]:
    """Return the steps of *verdict* that the room has to know about.

    These are those before the current step of which *known* says something else, and
    then the current one. Later steps fail because nobody has begun them.
    """
    current = verdict.current or verdict.steps[-1]
    number = verdict.lesson.number
    return [
        step
        for step in verdict.steps
        if step is current
        or (
            step.number < current.number
            and known.get((number, step.number)) != step.passed
        )
    ]


def _judged(lesson: Lesson, step: StepVerdict, seconds: float) -> Report:
    failed = [it.test.id for it in step.tests if it.verdict != "passed"]
    return reports.judged(
        lesson.number,
        step.number,
        passed=step.passed,
        failed=failed,
        seconds=seconds,
    )
