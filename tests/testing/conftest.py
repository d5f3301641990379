"""Small apps for the test kit to observe."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent

import pytest

from workshop.testing.sync import gate, idle, rendezvous
from workshop.testing.time import limits

WriteApp = Callable[[str], Path]


@pytest.fixture
def write_app(tmp_path: Path) -> WriteApp:
    """Return a function that writes a text as app.py."""

    def write(text: str) -> Path:
        file = tmp_path / "app.py"
        file.write_text(dedent(text), encoding="utf-8")
        return file

    return write


@pytest.fixture
def app_file(request: pytest.FixtureRequest, write_app: WriteApp) -> Path:
    """The app of a test module is its constant APP."""
    return write_app(request.module.APP)


@contextmanager
def shortened() -> Iterator[None]:
    """Let the outer limit pass at once, around what is to run into it and no more."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "LIMIT_SECONDS", 0.1)
        patch.setattr(rendezvous, "LIMIT_SECONDS", 0.1)
        patch.setattr(gate, "_THREAD_LIMIT_SECONDS", 0.1)
        patch.setattr(idle, "SILENCE_SECONDS", 0.1)
        yield


@pytest.fixture
def short_limit() -> Iterator[None]:
    """Let the outer limit pass at once, for tests in which all runs into it."""
    with shortened():
        yield
