"""What the tests of grading need."""

import contextlib
import uuid
from collections.abc import Iterator

import psutil
import pytest

from workshop.processes import supervisor


@pytest.fixture
def no_process_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail when a process that this test started is there afterwards."""
    badge = uuid.uuid4().hex
    monkeypatch.setenv("WORKSHOP_STARTED_BY_TEST", badge)
    yield
    left = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get("WORKSHOP_STARTED_BY_TEST") != badge:
                continue
            # The first test of a session starts it, and it ends with the session.
            if supervisor.__name__ not in process.cmdline():
                left.append(process.cmdline())
    assert left == []


REFUSALS: list[tuple[str, str, str]] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what was refused, and with which words."""
    if not REFUSALS:
        return
    terminalreporter.section("answers refused")
    for name, verdict, words in sorted(REFUSALS):
        terminalreporter.write_line(f"{name:<42} {verdict:<9} {words}")
    terminalreporter.write_line(f"{len(REFUSALS)} refused")
