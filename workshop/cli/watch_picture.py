"""Draw the pictures of watch mode for the README and the site."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from workshop import course, paths
from workshop.actions.learner import LearnerActions
from workshop.actions.room import RoomActions
from workshop.check.answers import grade_source
from workshop.grading import LessonVerdict
from workshop.lesson import Lesson
from workshop.progress import Store
from workshop.room.client import Participation
from workshop.screen.watch.app import WatchApp
from workshop.screen.watch.picture import picture
from workshop.watch import Event, Finished, Started, Watching

_LESSON, _STEPS_DONE = "00", 1
_PICTURES = {
    "watch.svg": ((118, 30), ["escape", "h", "h"]),
    "watch-narrow.svg": ((60, 28), ["escape"]),
}
"""By file: the terminal's columns and lines, and the keys to press."""


class _Graded:
    """A fake engine that already has its verdict."""

    def __init__(self, verdict: LessonVerdict, listen: Callable[[Event], None]) -> None:
        self._verdict = verdict
        self._listen = listen

    def start(self) -> None:
        """Send the verdict."""
        lesson = self._verdict.lesson
        self._listen(Watching(lesson.slug, lesson.app_file, False, ""))
        self._listen(Started(lesson.slug, 1, len(lesson.tests)))
        self._listen(Finished(lesson.slug, 1, self._verdict, ""))

    def rerun(self) -> None:
        """Do nothing, like the methods below."""

    def end_run(self) -> None:
        """Do nothing."""

    def change(self, lesson: Lesson, environment: Mapping[str, str]) -> None:
        """Do nothing."""


@contextlib.contextmanager
def _in_colours() -> Iterator[None]:
    """Draw in colours, whatever NO_COLOR and the like say."""
    refused = os.environ.pop("NO_COLOR", None)
    try:
        yield
    finally:
        if refused is not None:
            os.environ["NO_COLOR"] = refused


def watch_pictures() -> dict[str, str]:
    """Return pictures of watch mode in the middle of a lesson, by file name.

    The verdict comes from a real run of the solution up to some step. Only its duration
    is fixed.
    """
    lesson = course.catalogue().find(_LESSON)
    source = lesson.state_file(_STEPS_DONE).read_text(encoding="utf-8")
    verdict = replace(grade_source(lesson, source), seconds=0.8)
    with contextlib.chdir(paths.ROOT), _in_colours():
        return {name: _draw(verdict, *how) for name, how in _PICTURES.items()}


def _draw(verdict: LessonVerdict, size: tuple[int, int], keys: list[str]) -> str:
    def open_session(
        lesson: Lesson,
        environment: Mapping[str, str],
        listen: Callable[[Event], None],
    ) -> _Graded:
        return _Graded(verdict, listen)

    with tempfile.TemporaryDirectory() as folder:
        room = RoomActions(Participation(Path(folder)))
        actions = LearnerActions(store=Store(Path(folder) / "progress.json"), room=room)
        app = WatchApp(actions, open_session, verdict.lesson)
        try:
            return asyncio.run(picture(app, keys, size=size, title="make learn"))
        finally:
            actions.close()
