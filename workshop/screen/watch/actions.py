"""The interface between the screen and files, servers and the progress record."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from workshop.lesson import Lesson
from workshop.progress import State
from workshop.timeline import Timeline
from workshop.watch import Event, Finished


class Session(Protocol):
    """The engine of watch mode, as far as the screen uses it."""

    def start(self) -> None:
        """Start watching and grading."""

    def rerun(self) -> None:
        """Grade the current file again."""

    def end_run(self) -> None:
        """Stop the run in progress."""

    def change(self, lesson: Lesson, environment: Mapping[str, str]) -> None:
        """Switch to another lesson."""


OpenSession = Callable[[Lesson, Mapping[str, str], Callable[[Event], None]], Session]


class ActionError(Exception):
    """An action failed; the message says why."""


class LearnerActions(Protocol):
    """The actions behind the keys. All may be called from any thread.

    They return sentences to show. Those that can fail raise `ActionError`.
    """

    def lessons(self) -> Sequence[Lesson]:
        """Return the lessons of the course."""

    def state(self) -> State:
        """Return the learner's progress."""

    def enter(self, lesson: Lesson) -> Mapping[str, str]:
        """Start the services for *lesson*'s tests, and return their environment.

        Starting a server takes time. Services of the previous lesson are stopped.
        """

    def record(self, finished: Finished) -> None:
        """Record a verdict at once."""

    def next_hint(self, lesson: Lesson, step: int) -> int:
        """Record that one more hint of *step* was shown; return how many were."""

    def note_solution(self, lesson: Lesson) -> None:
        """Record that the solution was shown."""

    def reset(self, lesson: Lesson) -> str:
        """Replace the learner's file with the starter, and keep a copy."""

    def catch_up(self, lesson: Lesson, step: int) -> str:
        """Replace the learner's file with the start of *step*, and keep a copy."""

    def note_shown(self, lesson: Lesson, step: int) -> None:
        """Record that the change for *step* was shown."""

    def undo(self, lesson: Lesson) -> str:
        """Undo the last reset or catch-up."""

    def serve(
        self,
        lesson: Lesson,
        listen: Callable[[str], None],
        accept: Callable[[str], None],
    ) -> None:
        """Start to serve the learner's app.

        From other threads, *listen* is called with each line of the server's log, and
        *accept* with the address once the app accepts connections. An app that cannot
        be loaded is loaded again when it is saved, so that may be much later.
        """

    def stop_serving(self) -> None:
        """Stop the server, if it runs."""

    def timelines(self, lesson: Lesson) -> Sequence[str]:
        """Return the titles of the scenes of *lesson* that can be recorded."""

    def timeline(self, lesson: Lesson, scene: int) -> Timeline:
        """Run a scene with the learner's app and return the recording."""

    def browse(self, lesson: Lesson) -> str:
        """Open the lesson's page in a browser and return its address.

        Return "" if there is no built page or no browser.
        """

    def notes(self) -> Sequence[str]:
        """Return and clear the notes about the progress record."""
