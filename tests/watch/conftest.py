"""What tests of watch mode need."""

from __future__ import annotations

import itertools
import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from tests.tiny import GOOD, write_lesson
from workshop.grading import Limits
from workshop.lesson import Lesson
from workshop.progress import content_hash
from workshop.watch import Event, Finished, Session

SECONDS = 60.0
LIMITS = Limits(output_bytes=300_000)
Kind = TypeVar("Kind", bound=Event)


class Watched:
    """A lesson that a session watches, and what the session has told."""

    def __init__(self, lesson: Lesson, services: Mapping[str, str]) -> None:
        self.lesson = lesson
        self.file = lesson.app_file
        self.heard: list[Event] = []
        self.session = Session(
            lesson, environment=services, listen=self._listen, limits=LIMITS
        )
        self._queue: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._numbers = itertools.count()

    def _listen(self, event: Event) -> None:
        self.heard.append(event)
        self._queue.put(event)

    def next(self, kind: type[Kind], **facts: object) -> Kind:
        """Wait for the next event of *kind* with these *facts*."""
        while True:
            event = self._queue.get(timeout=SECONDS)
            if isinstance(event, kind) and facts.items() <= vars(event).items():
                return event

    def verdict(self) -> Finished:
        """Wait for the verdict on what is in the file now."""
        return self.next(Finished, content=content_hash(self.file))

    def until_looked_at(self) -> None:
        """Wait until the session has looked at the file as it is now."""
        done = threading.Event()
        real = self.session._look

        def spy() -> None:
            real()
            done.set()

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(self.session, "_look", spy)
            assert done.wait(SECONDS)

    def until_tidy(self) -> None:
        """Make the session clean up after the previous run, and wait for that."""
        done = threading.Event()

        def tidy() -> None:
            self.session._tidy()
            done.set()

        self.session._inbox.put(tidy)
        assert done.wait(SECONDS)

    def until_ready(self) -> None:
        """Wait until the next run's workers have prepared everything."""
        self.until_tidy()
        assert self.session._pool is not None
        for worker in self.session._pool._idle:
            event = worker._queue.get(timeout=SECONDS)
            assert event["event"] == "ready"
            worker._queue.put(event)

    def all(self, kind: type[Kind]) -> list[Kind]:
        """Return all events of *kind* so far."""
        return [event for event in self.heard if isinstance(event, kind)]

    def text(self, source: str = GOOD) -> str:
        """Return *source* as a content that was never there before."""
        return f"{source}\n# Save {next(self._numbers)}.\n"

    def save(self, source: str = GOOD) -> None:
        """Save *source* as a content that was never there before."""
        self.file.write_text(self.text(source), encoding="utf-8")


Watch = Callable[[Lesson], AbstractContextManager[Watched]]


@contextmanager
def watch(
    lesson: Lesson, services: Mapping[str, str] | None = None
) -> Iterator[Watched]:
    """Yield a session that watches *lesson*, to be started; close it afterwards."""
    watched = Watched(lesson, services or {})
    try:
        yield watched
    finally:
        watched.session.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """One session for many tests; starting another one takes seconds."""
    root: Path = tmp_path_factory.mktemp("checkout")
    with watch(write_lesson(root)) as watched:
        watched.session.start()
        watched.next(Finished)
        yield watched


@pytest.fixture
def watched(shared: Watched) -> Iterator[Watched]:
    """The shared session, settled on an answer that has passed."""
    shared.save()
    shared.verdict()
    shared.heard.clear()
    yield shared
    shared.until_tidy()
