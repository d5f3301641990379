"""What the tests of grading need."""

import contextlib
import uuid
from collections.abc import Callable, Iterator

import psutil
import pytest

from workshop.processes.supervised import supervised


@pytest.fixture
def no_process_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail if a process that this test started remains afterwards."""
    # The supervisor lives as long as this process: it is not the test that starts it.
    supervised({})
    mark = uuid.uuid4().hex
    monkeypatch.setenv("WORKSHOP_STARTED_BY_TEST", mark)
    yield
    left = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get("WORKSHOP_STARTED_BY_TEST") == mark:
                left.append(process.cmdline())
    assert left == []


REFUSED = "answer refused"
"""The property of a test's report that says which answer was refused, and how."""


@pytest.fixture
def refused(
    record_property: Callable[[str, object], None],
) -> Callable[[str, str, str], None]:
    """Return a function that has an answer's name, verdict and words printed."""

    def record(name: str, verdict: str, words: str) -> None:
        record_property(REFUSED, (name, verdict, words))

    return record


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the refused apps and the messages."""
    refused = sorted(
        value
        for report in terminalreporter.getreports("passed")
        for name, value in report.user_properties
        if name == REFUSED
    )
    if not refused:
        return
    terminalreporter.section("answers refused")
    for name, verdict, words in refused:
        terminalreporter.write_line(f"{name:<42} {verdict:<9} {words}")
    terminalreporter.write_line(f"{len(refused)} refused")
