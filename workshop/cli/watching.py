"""Watch mode on the whole terminal: screen, engine and desk, put together."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from workshop.cli import place
from workshop.lesson import Lesson

if TYPE_CHECKING:
    from workshop.cli.services import Choice
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
    from workshop.cli.desk import CheckoutDesk
    from workshop.screen.watch.app import WatchApp, parting_words
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
    app = WatchApp(desk, open_session, lesson)
    try:
        # The mouse stays the terminal's: it selects, copies and opens links.
        app.run(mouse=False)
    finally:
        for session in sessions:
            session.close()
        desk.close()
    print(parting_words(desk.state(), app.lesson))  # noqa: T201 -- the last word
    for note in desk.notes():
        print(note, file=sys.stderr)  # noqa: T201 -- see above
