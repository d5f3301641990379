"""Each content of the answer gets one verdict, and the last one always does."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from typing import TypeVar

import pytest

from tests.tiny import GOOD
from workshop.grading.engine import ROOT
from workshop.lesson import Lesson
from workshop.progress import content_hash
from workshop.watch import Event, Finished, Session

SECONDS = 30.0
Kind = TypeVar("Kind", bound=Event)


class Listener:
    """Keeps what a session tells, for a test to wait for."""

    def __init__(self) -> None:
        self.heard: list[Event] = []
        self._queue: queue.SimpleQueue[Event] = queue.SimpleQueue()

    def __call__(self, event: Event) -> None:
        self.heard.append(event)
        self._queue.put(event)

    def next(self, kind: type[Kind]) -> Kind:
        """Wait for the next event of *kind*."""
        while True:
            event = self._queue.get(timeout=SECONDS)
            if isinstance(event, kind):
                return event


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def session(lesson: Lesson, listener: Listener) -> Iterator[Session]:
    session = Session(lesson, root=ROOT, environment={}, listen=listener)
    yield session
    session.close()


def test_what_is_there_is_graded_and_then_each_save(
    lesson: Lesson, session: Session, listener: Listener
) -> None:
    session.start()
    first = listener.next(Finished)
    lesson.app_file.write_text(GOOD, encoding="utf-8")
    second = listener.next(Finished)

    assert not first.verdict.passed
    assert second.verdict.passed
    assert second.content == content_hash(lesson.app_file)
