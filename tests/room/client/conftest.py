"""What tests of the learner's side of the room need."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import lesson, said  # noqa: F401 -- fixtures
from tests.room.client.fake_room import CODE, SECONDS, FakeRoom, opened_room
from workshop.room.client import Invitation, Membership, Participation
from workshop.room.client.pauses import Pauses

SHORT = Pauses(0.01, 0.05)


class Learner:
    """A learner's process, and what it has heard."""

    def __init__(self, folder: Path) -> None:
        self.part = Participation(folder, SHORT)
        self.told: list[Any] = []
        self._changed = threading.Condition()

    def listen(self) -> None:
        """Be in watch mode."""
        self.part.listen(self._hear, self._note)

    def join(self, room: FakeRoom, name: str = "Ann") -> Membership:
        """Join *room*."""
        return self.part.join(Invitation(room.address, CODE, name))

    def until(self, happened: Callable[[], bool]) -> None:
        """Wait until something has *happened* to the learner."""
        with self._changed:
            assert self._changed.wait_for(happened, SECONDS), self.part.status

    def until_status(self, words: str) -> None:
        """Wait until the connection is described in these *words*."""
        self.until(lambda: self.part.status.words == words)

    def _hear(self, told: Any) -> None:
        with self._changed:
            self.told.append(told)
            self._changed.notify_all()

    def _note(self) -> None:
        with self._changed:
            self._changed.notify_all()


@pytest.fixture
def room() -> Iterator[FakeRoom]:
    """A room that serves."""
    with opened_room() as room:
        yield room


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Callable[[], Learner]]:
    """Return a function that starts one more process of the same learner."""
    started: list[Learner] = []

    def start() -> Learner:
        started.append(Learner(tmp_path))
        return started[-1]

    yield start
    for learner in started:
        learner.part.close()


@pytest.fixture
def ann(process: Callable[[], Learner]) -> Learner:
    """A learner who has not joined yet."""
    return process()
