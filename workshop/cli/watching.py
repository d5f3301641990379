"""Watch mode, on the whole terminal or in lines: put together from its parts."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from workshop.cli import place
from workshop.lesson import Lesson
from workshop.services import ServiceError

if TYPE_CHECKING:
    from workshop.cli.desk import CheckoutDesk
    from workshop.cli.services import Choice
    from workshop.screen.watch.desk import OpenSession
    from workshop.watch import Event


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
    from workshop.screen.watch.app import WatchApp, parting_words

    with _desk_and_sessions(database) as (desk, open_session):
        app = WatchApp(desk, open_session, lesson)
        # The mouse stays the terminal's: it selects, copies and opens links.
        app.run(mouse=False)
    print(parting_words(desk.state(), app.lesson))  # noqa: T201 -- the last word
    for note in desk.notes():
        print(note, file=sys.stderr)  # noqa: T201 -- see above


def watch_in_lines(lesson: Lesson, database: Choice | None) -> bool:
    """Do the same in lines; return whether the last verdict was a pass.

    Lines typed are taken from standard input, and it ends with them.
    """
    from workshop.screen.console import out
    from workshop.screen.lines import Lines
    from workshop.screen.watch.desk import DeedError

    with _desk_and_sessions(database) as (desk, open_session):
        lines = Lines(desk, open_session, lesson, out())
        try:
            return lines.run(sys.stdin or ())
        except DeedError as problem:
            raise ServiceError(str(problem)) from None


@contextmanager
def _desk_and_sessions(
    database: Choice | None,
) -> Iterator[tuple[CheckoutDesk, OpenSession]]:
    """Yield what both faces are put together from, and end it all afterwards."""
    from workshop.cli.desk import CheckoutDesk
    from workshop.watch import Session

    sessions: list[Session] = []

    def open_session(
        lesson: Lesson,
        environment: Mapping[str, str],
        listen: Callable[[Event], None],
    ) -> Session:
        session = Session(
            lesson, root=place.ROOT, environment=environment, listen=listen
        )
        sessions.append(session)
        return session

    desk = CheckoutDesk(database)
    try:
        yield desk, open_session
    finally:
        for session in sessions:
            session.close()
        desk.close()
