"""Real front ends below a real make in a terminal of their own, and what they leave.

Each is found by a variable in its environment that everything inherits. The app that
it runs calls the test when it has come to the point, so nobody has to wait by a clock.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import textwrap
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.screen.terminal import Terminal
from tests.tiny import GOOD, TESTS, write_lesson
from workshop.environment.model import Environment, Stamp, digest, version_text
from workshop.paths import ROOT

MARK = "WORKSHOP_TEST_FRONT_END"
PORT = "WORKSHOP_TEST_PORT"
LIMIT_SECONDS = 90.0
"""An outer limit that turns a hang into a message."""

# Starts a process that leaves group and session, as a careless app may; then it
# calls the test.
_CALLS = f'''
import os, socket, subprocess, sys
subprocess.Popen(
    [sys.executable, "-c", "import time; time.sleep(3600)"],
    start_new_session=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
)
test = socket.create_connection(("127.0.0.1", int(os.environ["{PORT}"])))
test.sendall(f"here {{os.getcwd()}}\\n".encode())
'''

HANGING = f"{_CALLS}\ntest.recv(1)\n{GOOD}"
"""An answer that never gets further than its import."""

SERVED = f"""{_CALLS}
from contextlib import asynccontextmanager
from fastapi import FastAPI

@asynccontextmanager
async def lifespan(app):
    assert test.recv(1) == b"+"
    yield
    test.sendall(b"shutting down\\n")
    if test.recv(1) == b"+":
        test.sendall(b"shut down\\n")

app = FastAPI(lifespan=lifespan)

@app.get("/seats")
async def seats():
    return {{"free": 2}}
"""
"""An app whose startup and shutdown each wait for a word of the test."""

SELLING = f"""
import os
from contextlib import asynccontextmanager

import asyncpg
from fastapi import FastAPI
from redis.asyncio import Redis

def call():
{textwrap.indent(_CALLS, "    ")}
    return test

@asynccontextmanager
async def lifespan(app):
    url = os.environ["DATABASE_URL"].replace("+asyncpg", "")
    database = await asyncpg.connect(url)
    await database.execute("CREATE TABLE sold AS SELECT 'A1' AS seat")
    redis = Redis.from_url(os.environ["REDIS_URL"])
    await redis.set("sold", "A1")
    test = call()
    assert test.recv(1) == b"+"
    yield
    test.sendall(b"shutting down\\n")
    test.recv(1)

app = FastAPI(lifespan=lifespan)
"""
"""An app that keeps rows and keys, and whose startup and shutdown wait for a word."""

SCENE = '''
async def seats(stage):
    """A client sends a request."""
    stage.request("GET", "/seats")
'''

# In the place of JupyterLab, which is not installed where the tests run.
JUPYTER = f"""
import sys
from pathlib import Path

GROUPS = ()

def command(python, root, target, *, browser):
    return [sys.executable, "-c", {_CALLS!r} + "test.recv(1)"]

def settings(environment, place, home):
    return dict(environment)
"""
JUPYTERS_ENVIRONMENT = """

def jupyter() -> Environment:
    from workshop.environment.model import Environment

    return Environment.here()
"""


def make_checkout(root: Path) -> Path:
    """Make a checkout in *root*: lesson 90 hangs, 91 is served, 92 uses servers."""
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("workshop", "requirements"):
        shutil.copytree(ROOT / name, root / name, ignore=ignored)
    for name in ("conftest.py", "pyproject.toml", "Makefile"):
        shutil.copy(ROOT / name, root / name)
    hanging = write_lesson(root)
    hanging.app_file.write_text(HANGING, encoding="utf-8")
    (hanging.folder / "scenario.py").write_text(SCENE, encoding="utf-8")
    served = write_lesson(root, name="91_halls")
    served.app_file.write_text(SERVED, encoding="utf-8")
    selling = write_lesson(root, name="92_counter")
    selling.app_file.write_text(SELLING, encoding="utf-8")
    tests = TESTS.replace("(client)", "(client, database, redis)")
    selling.test_file.write_text(tests, encoding="utf-8")
    (selling.folder / "scenario.py").write_text(SCENE, encoding="utf-8")
    for lesson in (hanging, served, selling):
        (root / "notebooks").mkdir(exist_ok=True)
        notebook = root / "notebooks" / f"{lesson.slug}.ipynb"
        notebook.write_text('{"cells": [], "nbformat": 4, "nbformat_minor": 5}')
    (root / "workshop/notebooks/jupyter.py").write_text(JUPYTER, encoding="utf-8")
    with (root / "workshop/cli/notebooks.py").open("a", encoding="utf-8") as file:
        file.write(JUPYTERS_ENVIRONMENT)
    _lend_packages(root)
    return root


def _lend_packages(root: Path) -> None:
    """Make an environment that uses the packages of this one."""
    place = root / ".venv"
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", place], check=True, timeout=60
    )
    environment = Environment(place)
    (packages,) = place.glob("lib/python*/site-packages")
    lent = sysconfig.get_path("purelib")
    (packages / "lent.pth").write_text(f"{lent}\n", encoding="utf-8")
    stamp = Stamp(
        checkout=str(root),
        place=str(place),
        python=version_text(sys.version_info[:2]),
        installed={group: digest(group) for group in ("core", "postgres")},
    )
    environment.stamp_file.write_text(stamp.text(), encoding="utf-8")


class FrontEnd:
    """A command in a terminal; see `front_end`."""

    def __init__(self, terminal: Terminal, mark: str, home: Path) -> None:
        self.terminal = terminal
        self._mark = mark
        self._home = home
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(LIMIT_SECONDS)
        self._calls: list[socket.socket] = []
        self._heard = b""
        self._changed = threading.Condition()
        self._closed = threading.Event()
        self._folders: set[Path] = set()
        self._threads = [threading.Thread(target=self._answer, daemon=True)]

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def begin(self) -> None:
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        self._closed.set()
        self._listener.close()
        for call in self._calls:
            call.close()

    def _answer(self) -> None:
        """Accept every connection, because a reloaded app connects again."""
        while True:
            try:
                call, _ = self._listener.accept()
            except OSError:
                return
            call.settimeout(None)
            self._calls.append(call)
            threading.Thread(target=self._hear, args=(call,), daemon=True).start()

    def _hear(self, call: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while part := call.recv(4096):
                with self._changed:
                    self._heard += part
                    self._changed.notify_all()

    @property
    def heard(self) -> str:
        """The lines that the app has reported so far."""
        return self._heard.decode()

    def until_heard(self, words: str) -> str:
        """Wait until the app reports *words*; return all its lines."""
        self._read_terminal_until(lambda: words in self.heard, f"the app: {words!r}")
        return self.heard

    def go_on(self) -> None:
        """Let the app continue from where it waits."""
        self._calls[-1].sendall(b"+")

    def until_shown(self, words: str) -> str:
        """Wait until the terminal shows *words*, and return what it shows."""
        terminal = self.terminal
        self._read_terminal_until(lambda: words in terminal.text, f"shown: {words!r}")
        return terminal.text

    def _read_terminal_until(self, happened: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + LIMIT_SECONDS
        while not happened():
            assert time.monotonic() < end, f"never {what}\n{self.terminal.text}"
            self.terminal.read_a_little()

    def processes(self) -> list[psutil.Process]:
        """Return all its processes that still run."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                environment = process.environ()
                if environment.get(MARK) != self._mark:
                    continue
                if process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
                    self._folders.add(Path(environment.get("TMPDIR", self._home)))
        return found

    def program(self) -> psutil.Process:
        """Return the front end's own process."""
        (program,) = [
            it
            for it in self.processes()
            if it.cmdline()[1:3] == ["-m", "workshop"] and not _is_make(it)
        ]
        return program

    def make(self) -> psutil.Process:
        """Return the make process that runs it."""
        (make,) = [it for it in self.processes() if _is_make(it)]
        return make

    def left(self) -> tuple[int, int]:
        """Wait until it has ended; return how many processes and folders remain."""
        end = time.monotonic() + LIMIT_SECONDS
        while (running := self.processes()) and time.monotonic() < end:
            self._read_terminal_until(
                lambda: not any(_runs(it) for it in running) or time.monotonic() > end,
                "ended",
            )
        folders = [*self._home.iterdir()]
        folders += [it for it in self._folders - {self._home} if it.exists()]
        return len(self.processes()), len(folders)


def _is_make(process: psutil.Process) -> bool:
    return process.name() == "make"


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


@contextmanager
def front_end(
    checkout: Path,
    folder: Path,
    *argv: str,
    variables: Mapping[str, str] | None = None,
) -> Iterator[FrontEnd]:
    """Start *argv* in a terminal, with a home and temporary files in *folder*.

    *variables* are added to its environment.
    """
    temporary = folder / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    mark = uuid.uuid4().hex
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "TERM": "xterm-256color",
        "TMPDIR": str(temporary),
        "WORKSHOP_HOME": str(folder / "home"),
        "WORKSHOP_VENV": str(checkout / ".venv"),
        "TEXTUAL_DISABLE_KITTY_KEY": "1",
        MARK: mark,
        **(variables or {}),
    }
    terminal = Terminal(list(argv), checkout, environment)
    it = FrontEnd(terminal, mark, temporary)
    environment[PORT] = str(it.port)
    try:
        with terminal:
            it.begin()
            try:
                yield it
            finally:
                for process in it.processes():
                    with contextlib.suppress(psutil.Error):
                        process.kill()
    finally:
        it.end()
