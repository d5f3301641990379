"""Draw the pictures of watch mode that README and site show."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from workshop.actions.checkout import CheckoutActions
from workshop.check.answers import grade_source
from workshop.cli import place
from workshop.grading import LessonVerdict
from workshop.lesson import Lesson
from workshop.progress import Store
from workshop.screen.watch.app import WatchApp
from workshop.screen.watch.picture import picture
from workshop.watch import Event, Finished, Started, Watching

_LESSON, _STEPS_DONE = "00", 1
_PICTURES = {
    "watch.svg": ((118, 30), ["escape", "h", "h"]),
    "watch-narrow.svg": ((60, 28), ["escape"]),
}
"""By file: columns and lines of the terminal, and what is typed in it."""


class _Graded:
    """An engine that comes with its verdict."""

    def __init__(self, verdict: LessonVerdict, listen: Callable[[Event], None]) -> None:
        self._verdict = verdict
        self._listen = listen

    def start(self) -> None:
        """Tell the verdict."""
        lesson = self._verdict.lesson
        self._listen(Watching(lesson.slug, lesson.app_file, False, ""))
        self._listen(Started(lesson.slug, 1, len(lesson.tests)))
        self._listen(Finished(lesson.slug, 1, self._verdict, ""))

    def rerun(self) -> None:
        """Have nothing more to tell, as the others."""

    def end_run(self) -> None:
        """Have nothing to end."""

    def change(self, lesson: Lesson, environment: Mapping[str, str]) -> None:
        """Know no other lesson."""


@contextlib.contextmanager
def _in_colours() -> Iterator[None]:
    """Draw as on a terminal of somebody who has nothing against colours."""
    refused = os.environ.pop("NO_COLOR", None)
    try:
        yield
    finally:
        if refused is not None:
            os.environ["NO_COLOR"] = refused


def watch_pictures() -> dict[str, str]:
    """Return watch mode in the middle of a lesson as SVG pictures, by file name.

    The verdict is that of a real run of our file after some steps. Only the
    time that it took is always the same.
    """
    lesson = place.catalogue().find(_LESSON)
    source = lesson.state_file(_STEPS_DONE).read_text(encoding="utf-8")
    verdict = replace(grade_source(lesson, source), seconds=0.8)
    with contextlib.chdir(place.ROOT), _in_colours():
        return {name: _draw(verdict, *how) for name, how in _PICTURES.items()}


def _draw(verdict: LessonVerdict, size: tuple[int, int], keys: list[str]) -> str:
    def open_session(
        lesson: Lesson,
        environment: Mapping[str, str],
        listen: Callable[[Event], None],
    ) -> _Graded:
        return _Graded(verdict, listen)

    with tempfile.TemporaryDirectory() as folder:
        actions = CheckoutActions(store=Store(Path(folder) / "progress.json"))
        app = WatchApp(actions, open_session, verdict.lesson)
        try:
            return asyncio.run(picture(app, keys, size=size, title="make learn"))
        finally:
            actions.close()
