"""The doctor's round: first the machine, then the inside of the environment."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

from workshop.doctor import machine
from workshop.doctor.finding import Finding, State, conclusion, problem
from workshop.environment.model import Environment
from workshop.paths import ROOT
from workshop.terminal.output import safe

_PATIENCE_SECONDS = 30


def main(arguments: list[str] | None = None) -> int:
    """Print what was found; return 1 if there is a problem, else 0.

    Takes no arguments: with any, says what it is for and returns 2, or 0 when
    they ask for help.
    """
    if arguments:
        sys.stdout.write("python -m workshop doctor: is this machine ready?\n")
        return 0 if set(arguments) <= {"--help", "-h"} else 2
    findings = []
    try:
        for finding in _visit(Environment.here()):
            findings.append(finding)
            _say(finding.line())
        _say(conclusion(findings))
    except BrokenPipeError:
        # Whoever read it has gone (`| head`): nothing left to say.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1 if any(finding.state is State.PROBLEM for finding in findings) else 0


def _say(sentence: str) -> None:
    """Print *sentence*, which may quote a path or a server's message."""
    sys.stdout.write(safe(sentence) + "\n")
    sys.stdout.flush()


def _visit(environment: Environment) -> Iterator[Finding]:
    yield from machine.look(environment)
    stamp = environment.stamp()
    if stamp is not None and os.access(environment.python, os.X_OK):
        yield from _inside(environment)


def _inside(environment: Environment) -> Iterator[Finding]:
    """Yield what the environment's own interpreter finds."""
    command = [str(environment.python), "-m", "workshop.doctor.inside"]
    try:
        ended = subprocess.run(
            command,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=_PATIENCE_SECONDS,
            check=False,
        )
    except OSError as error:
        yield problem(
            f"{environment.python} does not start ({error.strerror}). Remove "
            f"{environment.place}; the next verb makes it anew."
        )
        return
    except subprocess.TimeoutExpired:
        yield problem(
            f"What the lessons need did not start within {_PATIENCE_SECONDS} seconds. "
            "Look for a virus scanner or a very busy machine, and try again."
        )
        return
    for line in ended.stdout.splitlines():
        finding = Finding.parse(line)
        if finding is not None:
            yield finding
    if ended.returncode:
        last = ended.stderr.strip().splitlines()[-1:] or [f"code {ended.returncode}"]
        yield problem(
            f"The packages could not be tried ({last[0]}). Remove "
            f"{environment.place}; the next verb makes it anew."
        )
