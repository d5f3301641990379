"""A lesson of one step, small enough to judge hostile answers by."""

from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from workshop.lesson import Lesson

README = """\
# 90 · Seats

*5 minutes · you edit `app.py`*

Customers cannot see how many seats are free.

## Step 1 · The free seats are shown

`GET /seats` must tell how many seats are free.
"""

HINTS = """\
# Hints · 90 · Seats

## Step 1 · The free seats are shown

1. Look.
2. Think.
3. Write.
"""

TESTS = '''\
import pytest


@pytest.mark.step(1)
async def test_the_free_seats_are_shown(client):
    """A customer sees how many seats are free."""
    answer = await client.get("/seats")
    assert answer.status_code == 200, (
        f"GET /seats answered {answer.status_code}. Expected: 200."
    )
    assert answer.json() == {"free": 2}, (
        f"GET /seats said {answer.text}. Expected: 2 free seats."
    )


@pytest.mark.step(1)
async def test_the_address_of_nothing_is_not_found(client):
    """An unknown address is not found."""
    answer = await client.get("/nothing")
    assert answer.status_code == 404, (
        f"GET /nothing answered {answer.status_code}. Expected: 404."
    )
'''

GOOD = """\
from fastapi import FastAPI

app = FastAPI()


@app.get("/seats")
async def seats():
    return {"free": 2}
"""


@pytest.fixture
def lesson(tmp_path: Path) -> Lesson:
    folder = tmp_path / "lessons" / "90_seats"
    folder.mkdir(parents=True)
    for name, text in (
        ("README.md", README),
        ("hints.md", HINTS),
        ("test_seats.py", TESTS),
        ("app.py", GOOD),
    ):
        (folder / name).write_text(text, encoding="utf-8")
    return Lesson(folder, tmp_path / "solutions" / "90_seats")


@pytest.fixture
def answer(lesson: Lesson) -> Callable[[str], Path]:
    """Return a function that writes a text as the learner's answer."""

    def write(source: str) -> Path:
        lesson.app_file.write_text(source, encoding="utf-8")
        return lesson.app_file

    return write


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
