"""What the tests of grading need."""

from collections.abc import Iterator

import psutil
import pytest


@pytest.fixture
def no_process_left() -> Iterator[None]:
    """Fail when a process that was not there before is there afterwards."""
    before = {process.pid for process in psutil.process_iter()}
    yield
    left = []
    for process in psutil.process_iter():
        try:
            ours = "WORKSHOP_RUN" in process.environ()
        except (psutil.Error, OSError):
            continue
        if process.pid not in before and ours:
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
