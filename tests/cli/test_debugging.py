"""A debugger at the terminal: in the tests of a step, and in the app that is served."""

from __future__ import annotations

import os
import re
import sys
import threading
from contextlib import suppress
from pathlib import Path

import httpx2
import pytest

from tests.tiny import GOOD, write_lesson
from workshop.lesson import Lesson
from workshop.paths import ROOT

if sys.platform == "win32":
    pytest.skip("There are no pseudo-terminals.", allow_module_level=True)

from tests.screen.terminal import Terminal

STOPS = GOOD.replace("    return", "    free = 41 + 1\n    breakpoint()\n    return")
HOSTILE = STOPS + '\nprint("\\x1b[2J\\x1b]0;title\\x07\\x1b[31mred")\n'
SHUTS_DOWN = """\
import asyncio
from contextlib import asynccontextmanager

from fastapi import FastAPI


@asynccontextmanager
async def lifespan(app):
    yield
    print("The box office is closed.")


app = FastAPI(lifespan=lifespan)


@app.get("/seats")
async def seats():
    print("A customer asks.")
    FOR_EVER
"""

# The command line on the checkout in this folder.
PROGRAM = """\
import sys
from pathlib import Path
from workshop import paths
from workshop.cli import main
paths.ROOT = Path.cwd()
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def lesson(tmp_path: Path) -> Lesson:
    """A lesson whose app stops at a breakpoint."""
    return write_lesson(tmp_path, starter=HOSTILE)


def terminal(lesson: Lesson, *words: str) -> Terminal:
    """Return a terminal in which the command line runs *words*."""
    folder = lesson.folder.parents[1]
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "TERM": "xterm",
        "PYTHONPATH": str(ROOT),
    }
    return Terminal([sys.executable, "-c", PROGRAM, *words], folder, environment)


def test_a_breakpoint_in_a_test_opens_a_debugger(lesson: Lesson) -> None:
    with terminal(lesson, "test", "90", "--debug") as screen:
        # Since Python 3.13 it stops at the call, before that behind it.
        line = 9 if sys.version_info >= (3, 13) else 10
        screen.until("(Pdb)", f"app.py({line})seats()")
        screen.type("p free + 1\n")
        screen.until("43")
        screen.type("c\n")
        code = screen.until_ended()

        assert code == 0
        assert "Step 1 · The free seats are shown: passed" in screen.text
        assert b"\x1b[2J" not in screen.written
        assert b"title" not in screen.written
        assert b"\x1b[31mred" in screen.written


def test_quitting_the_debugger_ends_the_run_without_a_pass(lesson: Lesson) -> None:
    with terminal(lesson, "test", "90", "--debug") as screen:
        screen.until("(Pdb)")
        screen.type("q\n")
        if sys.version_info >= (3, 14):
            screen.type("y\n")
        code = screen.until_ended()

        assert code == 1
        assert "You quit the debugger." in screen.text
        assert not (lesson.folder.parents[1] / ".workshop" / "progress.json").exists()


def ask(screen: Terminal) -> threading.Thread:
    """Request the seats from the served app in another thread."""
    address = re.search(r"http://127\.0\.0\.1:\d+", screen.text)
    assert address is not None

    def get() -> None:
        with (
            suppress(httpx2.HTTPError),  # the server may end meanwhile
            httpx2.Client(trust_env=False) as client,
        ):
            client.get(f"{address[0]}/seats", timeout=60)

    thread = threading.Thread(target=get)
    thread.start()
    return thread


def test_a_breakpoint_in_a_served_app_opens_a_debugger(lesson: Lesson) -> None:
    with terminal(lesson, "run", "90", "--debug") as screen:
        screen.until("Uvicorn running")
        thread = ask(screen)
        screen.until("(Pdb)")
        screen.type("p free + 1\n")
        screen.until("43")
        screen.type("c\n")
        screen.until("200 OK")
        thread.join()
        screen.type("\x03")

        assert screen.until_ended() == 0


@pytest.mark.parametrize(
    ("for_ever", "shown"),
    [("await asyncio.Event().wait()", "A customer asks."), ("breakpoint()", "(Pdb)")],
)
def test_one_ctrl_c_shuts_a_debugged_app_down(
    tmp_path: Path, for_ever: str, shown: str
) -> None:
    app = SHUTS_DOWN.replace("FOR_EVER", f"{for_ever}\n    return 2")
    lesson = write_lesson(tmp_path, starter=app)
    with terminal(lesson, "run", "90", "--debug") as screen:
        screen.until("stops the app")
        thread = ask(screen)
        screen.until(shown)
        screen.type("\x03")
        code = screen.until_ended()
        thread.join()

        assert code == 0
        assert "The box office is closed." in screen.text


WAYS_TO_STOP = {
    "in a coroutine": (
        "async def seats():\n",
        "async def seats():\n    breakpoint()\n",
    ),
    "in a thread": ("async def seats():\n", "def seats():\n    breakpoint()\n"),
}


@pytest.mark.parametrize("way", WAYS_TO_STOP)
def test_quitting_the_debugger_shuts_a_served_app_down(
    tmp_path: Path, way: str
) -> None:
    app = SHUTS_DOWN.replace("FOR_EVER", "return 2").replace(*WAYS_TO_STOP[way])
    lesson = write_lesson(tmp_path, starter=app)
    with terminal(lesson, "run", "90", "--debug") as screen:
        screen.until("stops the app")
        thread = ask(screen)
        screen.until("(Pdb)")
        screen.type("q\n")
        code = screen.until_ended()
        thread.join()

        assert code == 0
        assert "The box office is closed." in screen.text
        assert screen.text.count("You quit the debugger") == 1
        assert b"Traceback" not in screen.written
        assert b"BdbQuit" not in screen.written


@pytest.mark.parametrize(
    "place", ["app = FastAPI(lifespan=lifespan)\n", "async def lifespan(app):\n"]
)
def test_quitting_the_debugger_at_startup_ends_the_run(
    tmp_path: Path, place: str
) -> None:
    stop = "breakpoint()\n" if place.startswith("app") else "    breakpoint()\n"
    app = SHUTS_DOWN.replace("FOR_EVER", "return 2").replace(place, place + stop)
    lesson = write_lesson(tmp_path, starter=app)
    with terminal(lesson, "run", "90", "--debug") as screen:
        screen.until("(Pdb)")
        screen.type("q\n")
        code = screen.until_ended()

        assert code == 1
        assert screen.text.count("You quit the debugger") == 1
        assert b"Traceback" not in screen.written
        assert b"BdbQuit" not in screen.written


def test_a_served_app_skips_breakpoints_and_leaves_the_terminal_alone(
    lesson: Lesson,
) -> None:
    with terminal(lesson, "run", "90") as screen:
        screen.until("Application startup complete")
        thread = ask(screen)
        screen.until("python -m workshop run 90 --debug", "200 OK")
        thread.join()
        screen.type("\x03")
        code = screen.until_ended()

        assert code == 0
        assert b"\x1b[2J" not in screen.written
        assert b"title" not in screen.written
        assert b"\x1b[31mred" in screen.written
