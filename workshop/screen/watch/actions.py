"""What the screen asks of the world around it: files, servers, the record."""

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
        """Begin to watch and to grade."""

    def rerun(self) -> None:
        """Grade once more what is there."""

    def end_run(self) -> None:
        """End the run that is on."""

    def change(self, lesson: Lesson, environment: Mapping[str, str]) -> None:
        """Go over to another lesson."""


OpenSession = Callable[[Lesson, Mapping[str, str], Callable[[Event], None]], Session]


class ActionError(Exception):
    """What was asked for could not be done; the message says why."""


class LearnerActions(Protocol):
    """The actions behind the keys. All may be called from any thread.

    What they return are sentences to be shown. Those that can fail raise
    `ActionError`.
    """

    def lessons(self) -> Sequence[Lesson]:
        """Return the lessons of the course."""

    def state(self) -> State:
        """Return what is remembered of the learner."""

    def enter(self, lesson: Lesson) -> Mapping[str, str]:
        """Start what *lesson*'s tests need, and return their environment.

        Takes the time that a server takes to start. What another lesson
        needed is stopped.
        """

    def record(self, finished: Finished) -> None:
        """Remember a verdict at once."""

    def next_hint(self, lesson: Lesson, step: int) -> int:
        """Note that one more rung of *step* is seen; return how many are."""

    def note_solution(self, lesson: Lesson) -> None:
        """Note that our solution has been seen."""

    def reset(self, lesson: Lesson) -> str:
        """Put the starter into the place of the learner's file, and keep that."""

    def catch_up(self, lesson: Lesson, step: int) -> str:
        """Put our file, as *step* begins, there; the learner's is kept."""

    def note_shown(self, lesson: Lesson, step: int) -> None:
        """Note that our change for *step* has been seen."""

    def undo(self, lesson: Lesson) -> str:
        """Take the last reset or catch-up back."""

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
        """End the server, if there is one."""

    def timelines(self, lesson: Lesson) -> Sequence[str]:
        """Return the titles of the scenes that can be recorded of *lesson*."""

    def timeline(self, lesson: Lesson, scene: int) -> Timeline:
        """Play a scene with the learner's app, and return what was recorded."""

    def browse(self, lesson: Lesson) -> str:
        """Open the lesson's page in a browser; return where it is.

        Empty when there is no built page or no browser.
        """

    def notes(self) -> Sequence[str]:
        """Return what had to be said about the record, and forget it."""
