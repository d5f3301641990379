"""The sessions of watch mode, with verdicts that name the file with all output."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from workshop.actions.errors import ActionError
from workshop.lesson import Lesson

if TYPE_CHECKING:
    from workshop.actions.learner import LearnerActions
    from workshop.watch import Event, Session

Listen = Callable[["Event"], None]


class WatchSession(Protocol):
    """A session of `workshop.watch`, as far as watch mode uses it."""

    def start(self) -> None:
        """Start watching and grading."""

    def rerun(self) -> None:
        """Grade the file once more."""

    def end_run(self) -> None:
        """End the current run."""

    def change(self, lesson: Lesson, environment: Mapping[str, str]) -> None:
        """Change to another lesson."""


OpenSession = Callable[[Lesson, Mapping[str, str], Listen], WatchSession]


class WatchSessions:
    """Opens the sessions of watch mode. Close it at the end.

    The session for *lesson* begins at once, in a thread: importing what shows it takes
    as long as importing what its tests need. `open` returns it if it is still wanted.
    """

    def __init__(self, actions: LearnerActions, lesson: Lesson) -> None:
        self._actions = actions
        self._lesson = lesson
        self._early: Session | None = None
        self._opened: list[Session] = []
        self._events: list[Event] = []
        self._listen: Listen | None = None
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._begin, daemon=True)
        self._thread.start()

    def _begin(self) -> None:
        # The next call of `enter` fails in the same way, and its caller shows why.
        with contextlib.suppress(ActionError):
            environment = self._actions.enter(self._lesson)
            self._early = self._session(self._lesson, environment, self._hold_back)
            self._early.start()

    def _session(
        self, lesson: Lesson, environment: Mapping[str, str], listen: Listen
    ) -> Session:
        from workshop.watch import Session

        session = Session(
            lesson,
            environment=environment,
            listen=lambda event: listen(_with_kept_output(event)),
        )
        self._opened.append(session)
        return session

    def _hold_back(self, event: Event) -> None:
        """Pass *event* on, or keep it until there is a listener."""
        with self._lock:
            if self._listen is None:
                self._events.append(event)
            else:
                self._listen(event)

    def open(
        self, lesson: Lesson, environment: Mapping[str, str], listen: Listen
    ) -> WatchSession:
        """Return a session for *lesson*; *listen* is called with all its events."""
        self._thread.join()
        early, self._early = self._early, None
        if early is not None and lesson.folder == self._lesson.folder:
            with self._lock:
                for event in self._events:
                    listen(event)
                self._listen = listen
            return early
        if early is not None:
            early.close()  # its lesson was left at once
        return self._session(lesson, environment, listen)

    def close(self) -> None:
        """End all sessions."""
        self._thread.join()
        for session in self._opened:
            session.close()


def _with_kept_output(event: Event) -> Event:
    """If *event* is a verdict, save the app's output and add its file."""
    from workshop.actions.printouts import with_kept_output
    from workshop.watch import Finished

    if isinstance(event, Finished):
        return replace(event, verdict=with_kept_output(event.verdict))
    return event
