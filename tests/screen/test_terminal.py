"""The real program in a real terminal, with a learner's editors beside it."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.tiny import GOOD, STATE_1, write_lesson
from workshop.lesson import Lesson
from workshop.paths import ROOT

if sys.platform == "win32":
    pytest.skip("Windows has no pseudo-terminals of this kind", allow_module_level=True)

from tests.screen.terminal import Terminal

ENDLESS = GOOD + "\nwhile True:\n    pass\n"
_COLOUR = re.compile(rb"\x1b\[(?:\d+;)*(?:3[0-8]|4[0-8]|9\d|10[0-7])(?:;\d+)*m")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with one tiny lesson."""
    root = tmp_path_factory.mktemp("checkout")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "workshop", root / "workshop", ignore=ignored)
    for name in ("conftest.py", "pyproject.toml"):
        shutil.copy(ROOT / name, root / name)
    return root


@pytest.fixture
def lesson(checkout: Path) -> Lesson:
    """The lesson in its original state, without progress."""
    shutil.rmtree(checkout / ".workshop", ignore_errors=True)
    return write_lesson(checkout)


@pytest.fixture
def terminal(checkout: Path, lesson: Lesson) -> Iterator[Terminal]:
    """`watch 90` in a terminal without colours."""
    start = "import sys; from workshop.cli import main; sys.exit(main(['watch', '90']))"
    environment = {
        **{
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("WORKSHOP_", "MAKE"))
        },
        "PYTHONPATH": str(checkout),
        "TERM": "xterm-256color",
        "NO_COLOR": "1",
        # The emulator does not know these sequences, and shows a part of them.
        "TEXTUAL_DISABLE_KITTY_KEY": "1",
    }
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    with Terminal([sys.executable, "-c", start], checkout, environment) as terminal:
        yield terminal


def save_by_rename(file: Path, text: str) -> None:
    """Save atomically, as some editors do."""
    new = file.with_name(f".{file.name}.swp")
    new.write_text(text, encoding="utf-8")
    new.replace(file)


def save_by_delete(file: Path, text: str) -> None:
    """Delete the old file and write a new one, as some editors do."""
    file.unlink()
    file.write_text(text, encoding="utf-8")


def test_every_way_of_saving_is_noticed_and_quitting_leaves_nothing_behind(
    terminal: Terminal, lesson: Lesson, checkout: Path
) -> None:
    file = lesson.app_file
    first = terminal.until("✗ Failed: 0 of 2 steps")
    terminal.type("\x1b")
    terminal.until('GET /seats said {"free":0}.')

    save_by_rename(file, STATE_1)
    terminal.until("✓ 1 passed   ✗ 2 failed", "Step 2 · Nothing is nowhere: failed")

    save_by_delete(file, GOOD)
    passed = terminal.until("✓ Passed: all 2 steps")
    state = json.loads((checkout / ".workshop" / "progress.json").read_text("utf-8"))

    for number in range(5):
        file.write_text(GOOD.replace("2", str(number)), encoding="utf-8")
    file.write_text(STATE_1, encoding="utf-8")
    terminal.until("✗ Failed: 1 of 2 steps")

    file.write_text(ENDLESS, encoding="utf-8")
    terminal.until("Checking: test")
    save_by_rename(file, GOOD)  # in the middle of a run that would never end
    terminal.until("✓ Passed: all 2 steps")

    file.write_text("def (:\n", encoding="utf-8")
    terminal.until("! No test could run: error", "app.py:1")

    file.write_text(ENDLESS, encoding="utf-8")
    terminal.until("Checking: test")
    started = terminal.descendants()
    modes = terminal.modes
    terminal.type("q")
    code = terminal.until_ended()
    output = bytes(terminal.written)

    assert "GET /seats must tell how many seats are free." in first
    assert "Lesson 90 · Seats" in passed
    assert set(state["lessons"]["90_seats"]["passed"]) == {"1", "2"}
    assert code == 0
    assert started
    assert psutil.wait_procs(started, timeout=30)[1] == []
    assert modes != terminal.modes_before
    assert terminal.modes == terminal.modes_before
    assert output.rfind(b"\x1b[?1049l") > output.rfind(b"\x1b[?1049h") >= 0
    assert "Lesson 90 · Seats: 0 of 2 steps passed." in terminal.text
    assert "workshop watch 90" in terminal.text
    assert not _COLOUR.search(output)


def test_closing_the_window_during_a_run_leaves_nothing_behind(
    terminal: Terminal, lesson: Lesson
) -> None:
    lesson.app_file.write_text(ENDLESS, encoding="utf-8")
    terminal.until("Checking: test")
    started = terminal.descendants()

    terminal.hang_up()

    assert psutil.wait_procs([terminal.process, *started], timeout=30)[1] == []
