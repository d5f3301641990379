"""What a learner does in an instructor's room: join, report, ask for help, leave."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from workshop import paths
from workshop.actions.errors import ActionError
from workshop.commands import command
from workshop.lesson import Lesson
from workshop.room.client import FILE

if TYPE_CHECKING:
    from workshop.grading import LessonVerdict, StepVerdict
    from workshop.room.client.address import Invitation
    from workshop.room.client.membership import Membership
    from workshop.room.client.participation import Participation
    from workshop.room.client.reports import Report
    from workshop.room.client.status import RoomStatus
    from workshop.room.client.subscription import OnEvent

PURPOSE = "Its board shows your instructor who needs help."
SENT = (
    "your name, your current step, verdicts (seconds, names of failed tests), which "
    "hints and solutions you open, requests for help, votes, and a regular heartbeat"
)
NEVER_SENT = "Your code and output are never sent."

CHANGE = 4
"""The number of the last hint, which is the solution's change itself."""


class RoomActions:
    """A learner's actions in a room. Until they join one, nothing is sent.

    Methods that report return at once: the report is stored, and a thread sends it.
    Without a room, the client is not even imported.
    """

    def __init__(self, participation: Participation | None = None) -> None:
        self._participation = participation
        self._listener: tuple[OnEvent, Callable[[], None]] | None = None
        self._lock = threading.Lock()
        self._place: tuple[str, int] | None = None
        """The last lesson and step that the learner opened."""
        self._known: dict[tuple[str, int], bool] = {}
        """The last verdict on each step that was reported to the room."""

    def _in_room(self) -> Participation | None:
        """Return the participation if the learner may be in a room."""
        if self._participation is None and not (paths.home() / FILE).exists():
            return None
        return self._opened()

    def _opened(self) -> Participation:
        from workshop.room.client.participation import Participation

        with self._lock:
            if self._participation is None:
                self._participation = Participation(paths.home())
                if self._listener is not None:
                    self._participation.listen(*self._listener)
            return self._participation

    @property
    def membership(self) -> Membership | None:
        """The learner's membership, or None if they have not joined a room."""
        there = self._in_room()
        return there.membership if there is not None else None

    @property
    def status(self) -> RoomStatus:
        """Whether the room responds."""
        from workshop.room.client.status import RoomStatus

        there = self._in_room()
        return there.status if there is not None else RoomStatus()

    def start(self) -> None:
        """Start to send the events that earlier commands have stored."""
        there = self._in_room()
        if there is not None:
            there.start()

    def listen(self, on_event: OnEvent, changed: Callable[[], None]) -> None:
        """Subscribe to the room. Both functions are called from other threads."""
        there = self._in_room()
        self._listener = on_event, changed
        if there is not None:
            there.listen(on_event, changed)

    def close(self) -> str:
        """Stop, after at most 300 ms for a last attempt to send.

        Return a note for the learner, or "".
        """
        if self._participation is None:
            return ""
        self._participation.close()
        if not self._participation.status.ended:
            return ""
        return (
            "You are no longer in the room, so nothing is sent. The instructor may "
            f"have started a new one. To join it: {command('join')}"
        )

    def join(self, invitation: Invitation) -> Membership:
        """Join a room. This may take seconds.

        Raises:
            ActionError: Joining failed. The message contains the reason.

        """
        from workshop.room.client import reports
        from workshop.room.client.problems import RoomError

        there = self._opened()
        try:
            joined = there.join(invitation)
        except RoomError as problem:
            raise ActionError(str(problem)) from None
        self._known.clear()
        if self._place is not None:
            there.report(reports.opened(*self._place))
        return joined

    def leave(self, *, local: bool = False) -> Membership:
        """Leave the room and delete the learner's data. This may take seconds.

        Raises:
            ActionError: Leaving failed. The message contains the reason.

        """
        from workshop.room.client.problems import RoomError

        try:
            return self._opened().leave(local=local)
        except RoomError as problem:
            raise ActionError(str(problem)) from None

    # Reports

    def opened(self, lesson: Lesson, step: int) -> None:
        """Report that the learner works on *step*, if it has changed."""
        place = lesson.number, step
        if place == self._place:
            return
        self._place = place
        there = self._in_room()
        if there is not None:
            from workshop.room.client import reports

            there.report(reports.opened(*place))

    def judged(self, verdict: LessonVerdict) -> None:
        """Report the verdict on the current step, and on changed earlier steps."""
        there = self._in_room()
        if not verdict.steps or there is None:
            return
        lesson = verdict.lesson
        changed = judged_steps(verdict, self._known)
        self._known |= {(lesson.number, it.number): it.passed for it in changed}
        *before, current = (_judged(lesson, it, verdict.seconds) for it in changed)
        there.report(*before)
        self.opened(lesson, changed[-1].number)
        there.report(current)

    def hint_shown(self, lesson: Lesson, step: int, rung: int) -> None:
        """Report that the learner has read a hint; 4 is the change itself."""
        there = self._in_room()
        if there is not None:
            from workshop.room.client import reports

            there.report(reports.hint_shown(lesson.number, step, rung))

    def solution_shown(self, lesson: Lesson) -> None:
        """Report that the learner has opened the solution."""
        there = self._in_room()
        if there is not None:
            from workshop.room.client import reports

            there.report(reports.solution_shown(lesson.number))

    def ask_for_help(self, wanted: bool) -> None:
        """Ask for help, or say that it is no longer needed."""
        there = self._in_room()
        if there is not None:
            from workshop.room.client import reports

            there.report(reports.help_wanted(wanted))

    def vote(self, poll: str, choice: str) -> None:
        """Vote in a poll. The last vote counts."""
        there = self._in_room()
        if there is not None:
            from workshop.room.client import reports

            there.report(reports.vote(poll, choice))


def judged_steps(
    verdict: LessonVerdict, known: Mapping[tuple[str, int], bool]
) -> list[StepVerdict]:
    """Return the steps of *verdict* to report to the room.

    These are the earlier steps whose verdict differs from *known*, and then the current
    one. Later steps fail because the learner has not started them.
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
    from workshop.room.client import reports

    failed = [it.test.id for it in step.tests if it.verdict != "passed"]
    return reports.judged(
        lesson.number,
        step.number,
        passed=step.passed,
        failed=failed,
        seconds=seconds,
    )
