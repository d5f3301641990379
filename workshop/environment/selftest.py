"""The project's own tests: what `make test` and CI run."""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path

from workshop.commands import BY_NAME
from workshop.environment import python, setup
from workshop.environment.model import Environment, SetupError, version_text
from workshop.paths import ROOT
from workshop.processes.supervised import call

LAYERS = "from importlinter.cli import lint_imports_command as lint; lint()"
"""What Python is told to check who imports whom: the program `lint-imports`."""

NOTEBOOKS = ("-c", "notebooks/pytest.ini", "notebooks")
"""The arguments of pytest that run all notebooks in the checkout."""


def selftest(everywhere: bool) -> int:
    """Run linters, types, layers and all tests; report at the end what did not pass.

    Each command is printed before it runs. If one fails, the others run all the same,
    and the last line is pytest's. With *everywhere*, types are also checked as on
    Windows and macOS. The tests then also run on the oldest and the newest supported
    Python of this machine, each in an environment of its own under `.venvs`, except
    for those marked `one_python`.

    Returns 0 if everything passed, otherwise 1.
    """
    run = _Run()
    for tool in (["ruff", "check"], ["ruff", "format", "--check"]):
        run.tell_and_do([sys.executable, "-m", *tool, *_left_alone(), "."])
    run.tell_and_do([sys.executable, "-m", "mypy"])
    # Import Linter cannot be started with `python -m`.
    run.tell_and_do([sys.executable, "-c", LAYERS, "--no-logo", "--no-cache"])
    # No tests run on these systems, but at least every name that is used exists there.
    for system in ("win32", "darwin") if everywhere else ():
        options = ["--platform", system, "--cache-dir", f".mypy_cache/{system}"]
        run.tell_and_do([sys.executable, "-m", "mypy", *options, "workshop"])
    # Only on this Python: the outputs are the same on each, and kernels are slow.
    run.tell_and_do([sys.executable, "-m", "pytest", *NOTEBOOKS])
    for place in _others() if everywhere else ():
        run.on_python(place)
    if run.failed:
        # Print it now, because the last line has to be pytest's.
        _say(f"\nNot passed so far: {'; '.join(run.failed)}")
    run.tell_and_do([sys.executable, "-m", "pytest", "tests"])
    return 1 if run.failed else 0


def _left_alone() -> list[str]:
    """Return the files that the linters ignore.

    Learners' edits in `lessons/` must not break the project's checks. The tests of
    lessons are checked; the starter is checked where it is kept a second time, as step
    0 of the solution.
    """
    mine = bool(os.environ.get("WORKSHOP_AUTHOR"))
    lessons = "lessons/*/app.py" if mine else "lessons"
    return ["--extend-exclude", f"{lessons},.venvs"]


def _others() -> list[tuple[str, str]]:
    """Return version and path of the oldest and newest other Python."""
    there = python.found()
    here = sys.version_info[:2]
    ends = {min(there), max(there)} if there else set()
    chosen = sorted(ends - {here})
    if not chosen:
        _say(f"\nThis machine has no other Python than {version_text(here)}.")
    return [(version_text(version), there[version]) for version in chosen]


@dataclass
class _Run:
    failed: list[str] = field(default_factory=list)

    def tell_and_do(self, command: list[str], venv: Path | None = None) -> None:
        """Print a command, run it, and remember it if it fails."""
        shown = shlex.join(["python", *command[1:]])
        where = f" on {venv.name}" if venv else ""
        _say(f"\n$ {shown}{where}")
        # Commands that the tests start have to stay in the same environment.
        place = str(venv or sys.prefix)
        settings = {**os.environ, "WORKSHOP_VENV": place}
        if call(command, cwd=ROOT, environment=settings):
            self.failed.append(shown + where)

    def on_python(self, version_and_path: tuple[str, str]) -> None:
        """Run the tests on another Python, in its own environment."""
        version, path = version_and_path
        environment = Environment(ROOT / ".venvs" / version)
        try:
            setup.ensure(environment, BY_NAME["selftest"].groups, base=path)
        except SetupError as error:
            _say(f"\n{error}")
            self.failed.append(f"the set-up on {version}")
        else:
            # The site is built by one Python only.
            left_out = ["--ignore", "tests/site", "-m", "not one_python"]
            command = [str(environment.python), "-m", "pytest", "tests", *left_out]
            self.tell_and_do(command, environment.place)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
