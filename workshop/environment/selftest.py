"""The project's own tests: `make test`, `make test-all`, `make test-everywhere`."""

from __future__ import annotations

import enum
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

Command = tuple[str, ...]
"""What is run, without the interpreter: `("-m", "mypy")`."""

NOTEBOOKS: Command = ("-m", "pytest", "-c", "notebooks/pytest.ini", "notebooks")
TESTS: Command = ("-m", "pytest", "tests", "-n", "auto", "--durations", "20")
LAYERS = "from importlinter.cli import lint_imports_command as lint; lint()"
"""What Python is told to check who imports whom: the program `lint-imports`."""


class Tier(enum.Enum):
    """How much is tested."""

    QUICK = "what a contributor waits for: no slow tests"
    ALL = "everything, on this Python"
    EVERYWHERE = "everything, and what differs on other Pythons and systems"


def selftest(tier: Tier) -> int:
    """Run linters, type checker and tests, and print at the end what failed.

    Each command is printed before it runs. A failed command does not stop the
    next ones. The last line is pytest's summary. Tests of `Tier.EVERYWHERE` run on
    the oldest and the newest supported Python that this machine has too, each in an
    environment of its own under `.venvs`; tests marked `one_python` do not.

    Returns:
        0 if everything passed, else 1.

    """
    run = _Run()
    for command in checks(tier):
        run.print_and_call(command, Environment(Path(sys.prefix)))
    for version, path in _others() if tier is Tier.EVERYWHERE else ():
        run.test_on(version, path)
    if run.failed:
        # Now, because the last line has to be pytest's.
        _print(f"\nNot passed so far: {'; '.join(run.failed)}")
    run.print_and_call(tests(tier), Environment(Path(sys.prefix)))
    return 1 if run.failed else 0


def checks(tier: Tier) -> list[Command]:
    """Return everything that is run before the tests, in this order."""
    commands: list[Command] = [
        ("-m", "ruff", "check", *_not_linted(), "."),
        ("-m", "ruff", "format", "--check", *_not_linted(), "."),
        ("-m", "mypy"),
        # Import Linter cannot be started with `python -m`.
        ("-c", LAYERS, "--no-logo", "--no-cache"),
    ]
    if tier is Tier.EVERYWHERE:
        # Nobody tests there, so at least every call has to exist there.
        commands += [
            ("-m", "mypy", *_types_of(system), "workshop")
            for system in ("win32", "darwin")
        ]
    if tier is not Tier.QUICK:
        # On one Python: what notebooks print is the same on all, and kernels are slow.
        commands.append(NOTEBOOKS)
    return commands


def tests(tier: Tier) -> Command:
    """Return the command that runs the tests of *tier* on this Python."""
    return (*TESTS, "-m", "not slow") if tier is Tier.QUICK else TESTS


def _types_of(system: str) -> Command:
    return ("--platform", system, "--cache-dir", f".mypy_cache/{system}")


def _not_linted() -> Command:
    """Return options for ruff that leave out the learner's files.

    What learners write in `lessons/` must not fail the project's tests. Authors get
    the lessons' tests linted; a starter is linted as step 0 of the solution.
    """
    author = bool(os.environ.get("WORKSHOP_AUTHOR"))
    lessons = "lessons/*/app.py" if author else "lessons"
    return ("--extend-exclude", f"{lessons},.venvs")


def _others() -> list[tuple[str, str]]:
    """Return version and path of the oldest and newest other Python."""
    there = python.found()
    here = sys.version_info[:2]
    ends = {min(there), max(there)} if there else set()
    chosen = sorted(ends - {here})
    if not chosen:
        _print(f"\nThis machine has no other Python than {version_text(here)}.")
    return [(version_text(version), there[version]) for version in chosen]


@dataclass
class _Run:
    failed: list[str] = field(default_factory=list)

    def print_and_call(self, command: Command, environment: Environment) -> None:
        """Print a command, run it in *environment*, and remember it if it fails."""
        here = str(environment.place) == sys.prefix
        shown = shlex.join(["python", *command])
        shown += "" if here else f" on {environment.place.name}"
        _print(f"\n$ {shown}")
        # Commands that the tests start have to use the same environment.
        settings = {**os.environ, "WORKSHOP_VENV": str(environment.place)}
        interpreter = sys.executable if here else str(environment.python)
        if call([interpreter, *command], cwd=ROOT, environment=settings):
            self.failed.append(shown)

    def test_on(self, version: str, path: str) -> None:
        """Run the tests on another Python, in an environment of its own."""
        environment = Environment(ROOT / ".venvs" / version)
        try:
            setup.ensure(environment, BY_NAME["selftest"].groups, base=path)
        except SetupError as error:
            _print(f"\n{error}")
            self.failed.append(f"the set-up on {version}")
        else:
            # The site is built by one Python, the one that everybody uses.
            chosen = ("--ignore", "tests/site", "-m", "not one_python")
            self.print_and_call((*TESTS, *chosen), environment)


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
