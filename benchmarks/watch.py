"""Measure the time from saving `app.py` to the verdict on the screen.

    python -m benchmarks.watch [--json] [--lesson 00 | --all-lessons] [--saves 30]

Works with any Python: the workshop's environment is set up if it is missing. Saves
a solution and the starter, which fails every step, in turn, each time with different
content. Every save is timed in the real watch mode, in plain lines and on a full
terminal, and, in the same minutes, in three other tools:

- the limit: the same tests in a warm process;
- pytest-watcher with its default settings;
- `pytest`, started again for each save.

Each tool has its own copy of the course. A time begins just before the file is
written, and ends when the verdict has been printed (or the process has ended). Watch
mode shows the verdict on the current step first; that time has its own figure.

With --all-lessons, --json prints one object with a key for each lesson. Its figures
are medians in milliseconds: `step_ms` and `lesson_ms` of a solution,
`failing_step_ms` and `failing_lesson_ms` of a starter, and `warm_limit_ms`,
`pytest_watcher_ms` and `cold_pytest_ms` of a solution.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.inside import HERE, enter

if TYPE_CHECKING:
    from workshop.lesson import Lesson

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("conftest.py", "pyproject.toml", "docs", "lessons", "solutions", "workshop")
VERDICT = re.compile(
    rb"(Passed|Failed|Error|Timed out|Crashed): (\x1b\[[\d;]*m)*(all )?\d"
)
SUMMARY = re.compile(rb"(passed|failed|error).* in [\d.]+s")
STEP = re.compile(rb"Checking the others|" + VERDICT.pattern)
NAMES = {
    "step": "watch mode, the current step",
    "ours": "watch mode, in lines",
    "screen": "watch mode, on the whole terminal",
    "warm_limit": "the limit: a warm process",
    "pytest_watcher": "pytest-watcher",
    "cold_pytest": "pytest, started for each save",
}
STARTS = 5
SECONDS = 60.0
PAUSE = 0.5
"""Seconds between a verdict and the next save: less than anyone needs to read it."""
COMMAND = "import sys; from workshop.cli import main; sys.exit(main(sys.argv[1:]))"


class Program:
    """A program that keeps running, and its output."""

    def __init__(
        self,
        command: list[str],
        folder: Path,
        *,
        terminal: bool = False,
        also: Mapping[str, str] | None = None,
    ) -> None:
        self._name = " ".join(command)
        self._terminal = terminal
        self._changed = threading.Condition()
        self._text = b""
        self._over = False
        env = {**environment(folder), **(also or {})}
        if terminal:
            import pty

            ours, theirs = pty.openpty()
            resize(theirs)
            env["TERM"] = "xterm-256color"
            self._process = subprocess.Popen(
                command,
                cwd=folder,
                env=env,
                stdin=theirs,
                stdout=theirs,
                stderr=theirs,
                start_new_session=True,
                # It gets SIGHUP when the terminal is closed, also if we are killed.
                preexec_fn=make_it_the_terminal,
            )
            os.close(theirs)
            self._in = self._out = ours
        else:
            self._process = subprocess.Popen(
                command,
                cwd=folder,
                env=env,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._in = self._process.stdin.fileno()
            self._out = self._process.stdout.fileno()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            while chunk := os.read(self._out, 1 << 16):
                with self._changed:
                    self._text += chunk
                    self._changed.notify_all()
        with self._changed:
            self._over = True
            self._changed.notify_all()

    def write(self, line: str) -> None:
        """Write a line to the program's input."""
        os.write(self._in, line.encode() + b"\n")

    def forget(self) -> None:
        """Drop the output so far."""
        with self._changed:
            self._text = b""

    def read(self, pattern: re.Pattern[bytes]) -> re.Match[bytes]:
        """Wait until the output contains *pattern*, and return the match."""
        found: list[re.Match[bytes]] = []

        def there() -> bool:
            match = pattern.search(self._text)
            if match:
                found.append(match)
            return match is not None or self._over

        with self._changed:
            self._changed.wait_for(there, SECONDS)
            text = self._text.decode(errors="replace")
        if not found:
            raise SystemExit(f"{self._name} printed no verdict:\n{text[-3000:]}")
        return found[0]

    def wait_until_idle(self) -> None:
        """Wait until it has no child process left."""
        import psutil

        while psutil.Process(self._process.pid).children():
            time.sleep(0.05)

    def close(self) -> None:
        """End it, with its child processes."""
        with contextlib.suppress(OSError):
            os.write(self._in, b"q\n")
        try:
            self._process.wait(0.2 if not self._terminal else 10)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(OSError):
                os.killpg(self._process.pid, signal.SIGTERM)
            self._process.wait()
        if self._terminal:
            os.close(self._in)


def environment(folder: Path) -> dict[str, str]:
    """Return the environment for programs that work in *folder*."""
    left_out = ("PYTHONDONTWRITEBYTECODE", "PYTEST_ADDOPTS", "CI", "NO_COLOR")
    env = {name: value for name, value in os.environ.items() if name not in left_out}
    # As in an activated environment.
    programs = os.pathsep.join([str(Path(sys.executable).parent), env.get("PATH", "")])
    own = {"WORKSHOP_HOME": str(folder / ".home"), "PYTHONPATH": str(folder)}
    return {**env, **own, "PATH": programs}


def make_it_the_terminal() -> None:
    """Make standard input the terminal of this process's session."""
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def resize(terminal: int) -> None:
    """Give *terminal* 100 columns and 40 lines."""
    import fcntl
    import struct
    import termios

    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))


class Copies:
    """Copies of this checkout, one for each tool."""

    def __init__(self, folder: Path, slug: str) -> None:
        self._folder = folder
        self._slug = slug

    def make(self, name: str) -> Path:
        """Return a new copy."""
        copy = self._folder / name
        copy.mkdir()
        ignore = shutil.ignore_patterns("__pycache__")
        for part in PARTS:
            source = ROOT / part
            if source.is_dir():
                shutil.copytree(source, copy / part, ignore=ignore)
            else:
                shutil.copy(source, copy / part)
        return copy

    def answer(self, copy: Path) -> Path:
        """Return the file that is saved in *copy*."""
        return copy / "lessons" / self._slug / "app.py"


Save = Callable[[str], float]
"""Saves a text, and returns the milliseconds until its verdict."""

Round = Callable[[str], dict[str, float]]
"""Saves a text, runs its tests, and returns the milliseconds of each phase."""


@contextlib.contextmanager
def watching(
    command: list[str],
    copies: Copies,
    name: str,
    pattern: re.Pattern[bytes],
    *,
    terminal: bool = False,
    one_at_a_time: bool = False,
    steps: list[float] | None = None,
) -> Iterator[Save]:
    """Start a tool that watches, wait for its first verdict, and yield how to save.

    *one_at_a_time* is for a tool that misses a save while its last run is ending. The
    milliseconds until the verdict on the current step are added to *steps*.
    """
    copy = copies.make(name)
    program = Program(command, copy, terminal=terminal)
    answer = copies.answer(copy)

    def save(text: str) -> float:
        if one_at_a_time:
            program.wait_until_idle()
            time.sleep(PAUSE)
        program.forget()
        began = time.perf_counter()
        answer.write_text(text, encoding="utf-8")
        if steps is not None:
            program.read(STEP)
            steps.append(1000 * (time.perf_counter() - began))
        program.read(pattern)
        return 1000 * (time.perf_counter() - began)

    try:
        program.read(pattern)
        yield save
    finally:
        program.close()


@contextlib.contextmanager
def restarted(command: list[str], copies: Copies) -> Iterator[Save]:
    """Yield how to save and then start *command*."""
    copy = copies.make("cold")
    env = environment(copy)

    def save(text: str) -> float:
        began = time.perf_counter()
        copies.answer(copy).write_text(text, encoding="utf-8")
        subprocess.run(command, cwd=copy, env=env, capture_output=True, check=False)
        return 1000 * (time.perf_counter() - began)

    save(copies.answer(copy).read_text(encoding="utf-8"))  # writes the byte code
    yield save


@contextlib.contextmanager
def warm(copies: Copies, lesson: Lesson) -> Iterator[Round]:
    """Start a process, run the tests until it is warm, and yield how to run them."""
    from workshop.actions.services import services_for_tests
    from workshop.grading.engine import make_job
    from workshop.sandbox.worker_process import quick_folder

    copy = copies.make("warm")
    answer = copies.answer(copy)
    job = {**make_job(lesson, answer), "test_file": str(lesson.test_file)}
    with services_for_tests(lesson, None, say=lambda _: None) as services:
        # Its temporary files are where watch mode has its own.
        also = {**services, "TMPDIR": str(quick_folder() or tempfile.gettempdir())}
        command = [sys.executable, "-m", "benchmarks.warm"]
        program = Program(command, ROOT, also=also)
        program.write(json.dumps(job))
        figures = re.compile(rb"^\{.*\}\n", re.MULTILINE)

        def save(text: str) -> dict[str, float]:
            answer.write_text(text, encoding="utf-8")
            program.forget()
            program.write("")
            phases: dict[str, float] = json.loads(program.read(figures)[0])
            return phases

        try:
            for _ in range(3):
                save(answer.read_text(encoding="utf-8"))
            yield save
        finally:
            program.close()


def measure(lesson: Lesson, saves: int) -> dict[str, dict[str, list[float]]]:
    """Return milliseconds by state of the answer and by tool."""
    texts = {
        "": lesson.solution_file.read_text(encoding="utf-8"),
        "failing_": lesson.state_file(0).read_text(encoding="utf-8"),
    }
    ours = [sys.executable, "-c", COMMAND, "watch", lesson.number]
    folder = f"lessons/{lesson.slug}"
    pytest = [sys.executable, "-m", "pytest", folder]
    # Its default pattern, *.py, does not match in subfolders.
    ptw = [sys.executable, "-m", "pytest_watcher", "--now", "--patterns=**/*.py"]
    ptw += [folder, folder]
    found: dict[str, dict[str, list[float]]] = {state: {} for state in texts}
    with (
        tempfile.TemporaryDirectory(prefix="workshop-benchmark-") as name,
        contextlib.ExitStack() as stack,
    ):
        copies = Copies(Path(name), lesson.slug)
        tools: dict[str, Save] = {}
        steps: list[float] = []
        lines = watching([*ours, "--plain"], copies, "lines", VERDICT, steps=steps)
        tools["ours"] = stack.enter_context(lines)
        if sys.platform != "win32":
            screen = watching(ours, copies, "screen", VERDICT, terminal=True)
            tools["screen"] = stack.enter_context(screen)
        warm_round = stack.enter_context(warm(copies, lesson))
        tools["warm_limit"] = lambda text: warm_round(text)["all"]
        watcher = watching(ptw, copies, "watcher", SUMMARY, one_at_a_time=True)
        tools["pytest_watcher"] = stack.enter_context(watcher)
        tools["cold_pytest"] = stack.enter_context(restarted(pytest, copies))
        for number in range(saves):
            for state, text in texts.items():
                for tool, save in tools.items():
                    time.sleep(PAUSE)
                    figures = found[state].setdefault(tool, [])
                    figures.append(save(f"{text}\n# Save {number}.\n"))
                    if tool == "ours":
                        found[state].setdefault("step", []).append(steps.pop())
                    show_progress(f"save {number + 1} of {saves}")
    show_progress("")
    return found


def measure_start(lesson: Lesson, command: list[str]) -> list[float]:
    """Return the milliseconds from the command to the first verdict."""
    figures = []
    with tempfile.TemporaryDirectory(prefix="workshop-benchmark-") as home:
        for _ in range(STARTS):
            began = time.perf_counter()
            program = Program(
                [*command, "watch", lesson.number, "--plain"],
                ROOT,
                also={"WORKSHOP_HOME": home},
            )
            program.read(VERDICT)
            figures.append(1000 * (time.perf_counter() - began))
            program.close()
    return figures


SHORT = {
    ("", "step"): "step_ms",
    ("", "ours"): "lesson_ms",
    ("failing_", "step"): "failing_step_ms",
    ("failing_", "ours"): "failing_lesson_ms",
    ("", "warm_limit"): "warm_limit_ms",
    ("", "pytest_watcher"): "pytest_watcher_ms",
    ("", "cold_pytest"): "cold_pytest_ms",
}


def measure_all(lessons: Iterable[Lesson], saves: int, *, as_json: bool) -> None:
    """Measure every lesson, and print the medians."""
    found = {}
    for lesson in lessons:
        each = measure(lesson, saves)
        found[lesson.slug] = {
            key: round(statistics.median(each[state][tool]), 1)
            for (state, tool), key in SHORT.items()
        }
        if not as_json:
            print(lesson.slug, *(f"{k} {v:.0f}" for k, v in found[lesson.slug].items()))
    if as_json:
        print(json.dumps(found))


def show_progress(text: str) -> None:
    """Show *text* in the last line of a terminal; "" removes it."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{text:<30}" + ("\r" if not text else ""))
        sys.stderr.flush()


def p95(figures: list[float]) -> float:
    """Return the value that 95 % of *figures* do not exceed."""
    return sorted(figures)[max(0, round(0.95 * len(figures)) - 1)]


def table(found: dict[str, dict[str, list[float]]], start: list[float]) -> str:
    """Return the figures as a table, with the ratio of each tool to watch mode."""
    lines = ["from the save to the verdict, ms         p50     p95         ratio"]
    for state, tools in found.items():
        ours = statistics.median(tools["ours"])
        lines.append("the starter, which fails" if state else "the solution")
        for tool, figures in tools.items():
            middle = statistics.median(figures)
            lines.append(
                f"  {NAMES[tool]:<34} {middle:>7.0f} {p95(figures):>7.0f} "
                f"{middle / ours:>10.2f}"
            )
    lines.append(
        f"{'from the command to the first verdict':<36} "
        f"{statistics.median(start):>7.0f} {p95(start):>7.0f}"
    )
    return "\n".join(lines)


def main() -> None:
    """Measure, and print a table or one JSON object."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", dest="as_json")
    parser.add_argument("--lesson", default="00")
    parser.add_argument("--all-lessons", action="store_true")
    parser.add_argument("--saves", type=int, default=30)
    here = HERE in sys.argv
    parser.add_argument(HERE, action="store_true", help="do not set anything up")
    enter("benchmarks.watch", ("core", "benchmarks"))
    chosen = parser.parse_args()
    from workshop.course import catalogue

    if chosen.all_lessons:
        measure_all(catalogue().lessons(), chosen.saves, as_json=chosen.as_json)
        return
    lesson = catalogue().find(chosen.lesson)
    command = [sys.executable, *(["-c", COMMAND] if here else ["-m", "workshop"])]
    start = measure_start(lesson, command)
    found = measure(lesson, chosen.saves)
    if not chosen.as_json:
        print(
            f"lesson {lesson.slug}, {chosen.saves} saves each, {os.cpu_count()} cores"
        )
        print(table(found, start))
        return
    figures: dict[str, object] = {
        "lesson": lesson.slug,
        "saves": chosen.saves,
        "cores": os.cpu_count(),
        "start_ms": round(statistics.median(start), 1),
    }
    for state, tools in found.items():
        for tool, each in tools.items():
            figures[f"{state}{tool}_ms"] = round(statistics.median(each), 1)
            figures[f"{state}{tool}_p95_ms"] = round(p95(each), 1)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
