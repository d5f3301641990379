"""Watch mode, on the whole terminal or in lines: put together from its parts."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from workshop.lesson import Lesson
from workshop.processes.signals import leaving_by
from workshop.services import ServiceError

if TYPE_CHECKING:
    from workshop.actions.checkout import CheckoutActions
    from workshop.actions.services import Choice
    from workshop.screen.watch.actions import OpenSession
    from workshop.watch import Event, Session


def terminal_is_whole() -> bool:
    """Whether there is a terminal that can be drawn on.

    Input and both outputs have to be one: keys come from the first, and the
    screen is drawn on the error output.
    """
    streams = (sys.stdin, sys.stdout, sys.stderr)
    return (
        all(stream is not None and stream.isatty() for stream in streams)
        and os.environ.get("TERM", "") != "dumb"
    )


def watch_on_screen(lesson: Lesson, database: Choice | None) -> None:
    """Watch *lesson*, and those that the person goes on to, until they quit."""
    with _actions_and_sessions(lesson, database) as (actions, open_session):
        from workshop.screen.watch.app import WatchApp, parting_words

        app = WatchApp(actions, open_session, lesson)
        # The mouse stays the terminal's: it selects, copies and opens links.
        with leaving_by(app.leave):
            app.run(mouse=False)
    print(parting_words(actions.state(), app.lesson))  # noqa: T201 -- the last word
    for note in actions.notes():
        print(note, file=sys.stderr)  # noqa: T201 -- see above


def watch_in_lines(lesson: Lesson, database: Choice | None) -> bool:
    """Do the same in lines; return whether the last verdict was a pass.

    Lines typed are taken from standard input, and it ends with them.
    """
    with _actions_and_sessions(lesson, database) as (actions, open_session):
        from workshop.screen.console import out
        from workshop.screen.lines import Lines
        from workshop.screen.watch.actions import ActionError

        lines = Lines(actions, open_session, lesson, out())
        try:
            return lines.run(sys.stdin or ())
        except ActionError as problem:
            raise ServiceError(str(problem)) from None


@contextmanager
def _actions_and_sessions(
    lesson: Lesson, database: Choice | None
) -> Iterator[tuple[CheckoutActions, OpenSession]]:
    """Yield what both faces are put together from, and end it all afterwards.

    The session for *lesson* begins at once, and is handed over when it is
    asked for: importing a face takes as long as importing what tests need.
    """
    from workshop.actions.checkout import CheckoutActions
    from workshop.watch import Session

    actions = CheckoutActions(database)
    begun = _Begun(actions, lesson)
    sessions: list[Session] = []

    def open_session(
        lesson: Lesson,
        environment: Mapping[str, str],
        listen: Callable[[Event], None],
    ) -> Session:
        session = begun.hand_over(lesson, listen)
        if session is None:
            session = Session(
                lesson,
                environment=environment,
                listen=lambda event: listen(_with_kept_output(event)),
            )
            sessions.append(session)
        return session

    try:
        yield actions, open_session
    finally:
        for session in (*sessions, *begun.sessions()):
            session.close()
        actions.close()


def _with_kept_output(event: Event) -> Event:
    """Keep what the app has printed when *event* is a verdict, and name the file."""
    from workshop.cli.printouts import with_kept_output
    from workshop.watch import Finished

    if isinstance(event, Finished):
        return replace(event, verdict=with_kept_output(event.verdict))
    return event


class _Begun:
    """A session that has begun before there is anybody to listen."""

    def __init__(self, actions: CheckoutActions, lesson: Lesson) -> None:
        self._actions = actions
        self._lesson = lesson
        self._session: Session | None = None
        self._told: list[Event] = []
        self._listen: Callable[[Event], None] | None = None
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._begin, daemon=True)
        self._thread.start()

    def _begin(self) -> None:
        from workshop.screen.watch.actions import ActionError
        from workshop.watch import Session

        # Who asks for the lesson anew is told why it cannot be entered.
        with contextlib.suppress(ActionError):
            self._session = Session(
                self._lesson,
                environment=self._actions.enter(self._lesson),
                listen=self._hear,
            )
            self._session.start()

    def _hear(self, event: Event) -> None:
        event = _with_kept_output(event)
        with self._lock:
            if self._listen is None:
                self._told.append(event)
            else:
                self._listen(event)

    def hand_over(
        self, lesson: Lesson, listen: Callable[[Event], None]
    ) -> Session | None:
        """Return the session if it is *lesson*'s; *listen* hears all it has told."""
        self._thread.join()
        if self._listen is not None:
            return None
        if lesson.folder != self._lesson.folder:
            # Nobody has waited for it: its lesson was left at once.
            if self._session is not None:
                self._session.close()
            return None
        with self._lock:
            for event in self._told:
                listen(event)
            self._listen = listen
        return self._session

    def sessions(self) -> list[Session]:
        """Return what is to be closed."""
        self._thread.join()
        return [self._session] if self._session is not None else []
