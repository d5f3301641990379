"""A running room for tests of its pages and of what it responds."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from tests.room.browsers import WAIT
from tests.room.serving import Learner, RunningRoom, log_in, running_room
from tests.site.chromium import browser, needed
from workshop.room.server import feed
from workshop.room.server.attempts import AttemptsInMemory
from workshop.room.server.settings import Settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """The settings of a room in a file of its own."""
    return Settings(f"sqlite+aiosqlite:///{(tmp_path / 'room.db').as_posix()}")


@pytest.fixture(scope="module")
def shared_room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRoom]:
    """A running room whose boards follow the log almost at once."""
    file = tmp_path_factory.mktemp("room") / "room.db"
    shared = Settings(f"sqlite+aiosqlite:///{file.as_posix()}")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(feed, "INTERVAL_SECONDS", 0.02)
        with running_room(shared) as started:
            yield started


@pytest.fixture
def room(shared_room: RunningRoom) -> RunningRoom:
    """The room that a file's tests share. Each of them begins without wrong codes."""
    shared_room.service.attempts = AttemptsInMemory()
    return shared_room


@pytest.fixture
def visit(room: RunningRoom) -> Iterator[Callable[..., httpx2.Client]]:
    """Return a function that makes a browser without cookies."""
    with contextlib.ExitStack() as stack:

        def make(**options: Any) -> httpx2.Client:
            return stack.enter_context(room.client(**options))

        yield make


@pytest.fixture
def join(
    room: RunningRoom, visit: Callable[..., httpx2.Client]
) -> Callable[[str], Learner]:
    """Return a function that lets a learner join with a name."""

    def make(name: str) -> Learner:
        learner = Learner(visit(), name)
        assert learner.join(room.service.room.code).status_code == 200
        return learner

    return make


@pytest.fixture
def iris(room: RunningRoom, visit: Callable[..., httpx2.Client]) -> httpx2.Client:
    """The browser of Iris, who is logged in to the board."""
    client = visit()
    log_in(client, room)
    return client


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A running browser, for the tests of one file."""
    with needed(), browser() as started:
        from playwright.sync_api import expect

        expect.set_options(timeout=WAIT)
        yield started
        expect.set_options()


@pytest.fixture
def people(chromium: Browser) -> Iterator[Callable[..., BrowserContext]]:
    """Return a function that gives a person a browser of their own."""
    with contextlib.ExitStack() as stack:

        def make(**options: Any) -> BrowserContext:
            context = chromium.new_context(**options)
            context.set_default_timeout(WAIT)
            return stack.enter_context(context)

        yield make
