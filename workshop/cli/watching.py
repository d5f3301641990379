"""Assemble watch mode, for the full terminal or for plain lines."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from workshop.actions.learner import LearnerActions
from workshop.actions.sessions import WatchSessions
from workshop.cli.notes import print_notes
from workshop.lesson import Lesson
from workshop.processes.signals import leaving_by

if TYPE_CHECKING:
    from workshop.actions.services import Choice
    from workshop.actions.sessions import OpenSession


def terminal_is_whole() -> bool:
    """Whether the full screen can be used.

    Standard input, output and error must all be terminals: keys come from the first,
    and the screen is drawn on standard error.
    """
    streams = (sys.stdin, sys.stdout, sys.stderr)
    return (
        all(stream is not None and stream.isatty() for stream in streams)
        and os.environ.get("TERM", "") != "dumb"
    )


def watch_on_screen(lesson: Lesson, database: Choice | None) -> None:
    """Watch *lesson*, and those that the user goes to, until they quit."""
    with _actions_and_sessions(lesson, database) as (actions, open_session):
        from workshop.screen.watch.app import WatchApp, parting_words

        app = WatchApp(actions, open_session, lesson)
        # The mouse is left to the terminal, which selects, copies and opens links.
        with leaving_by(app.leave):
            app.run(mouse=False)
    print(parting_words(actions.state(), app.lesson))  # noqa: T201 -- after the screen
    print_notes(actions.notes())


def watch_in_lines(lesson: Lesson, database: Choice | None) -> bool:
    """Watch in plain lines; return whether the last verdict was a pass.

    Keys are lines on standard input, and watch mode ends with that.
    """
    with _actions_and_sessions(lesson, database) as (actions, open_session):
        from workshop.screen.console import out
        from workshop.screen.lines import Lines

        return Lines(actions, open_session, lesson, out()).run(sys.stdin or ())


@contextmanager
def _actions_and_sessions(
    lesson: Lesson, database: Choice | None
) -> Iterator[tuple[LearnerActions, OpenSession]]:
    """Yield what both interfaces are put together from, and end it all afterwards."""
    actions = LearnerActions(database)
    sessions = WatchSessions(actions, lesson)
    try:
        yield actions, sessions.open
    finally:
        sessions.close()
        actions.close()
