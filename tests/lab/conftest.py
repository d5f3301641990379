"""Small apps for the lab to look at."""

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from workshop.lab import gate, limit, rendezvous, stall

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


@pytest.fixture
def short_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the outer limit pass at once, for tests of what it says."""
    monkeypatch.setattr(limit, "LIMIT_SECONDS", 0.1)
    monkeypatch.setattr(rendezvous, "LIMIT_SECONDS", 0.1)
    monkeypatch.setattr(gate, "_THREAD_LIMIT_SECONDS", 0.1)
    monkeypatch.setattr(stall, "SILENCE_SECONDS", 0.1)
