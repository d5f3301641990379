"""What the tests of grading need."""

import contextlib
import uuid
from collections.abc import Iterator

import psutil
import pytest

from workshop.processes.supervised import supervised


@pytest.fixture
def no_process_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail if a process that this test started remains afterwards."""
    # The supervisor lives as long as this process: it is not the test that starts it.
    supervised({})
    badge = uuid.uuid4().hex
    monkeypatch.setenv("WORKSHOP_STARTED_BY_TEST", badge)
    yield
    left = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get("WORKSHOP_STARTED_BY_TEST") == badge:
                left.append(process.cmdline())
    assert left == []


REFUSALS: list[tuple[str, str, str]] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the refused apps and the messages."""
    if not REFUSALS:
        return
    terminalreporter.section("answers refused")
    for name, verdict, words in sorted(REFUSALS):
        terminalreporter.write_line(f"{name:<42} {verdict:<9} {words}")
    terminalreporter.write_line(f"{len(REFUSALS)} refused")
