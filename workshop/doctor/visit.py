"""Run all checks: first of the machine, then inside the environment."""

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
    """Print all findings; return 1 if there is a problem, otherwise 0.

    There are no arguments: with any, print a description and return 2.
    """
    if arguments:
        sys.stdout.write("python -m workshop doctor: is this machine ready?\n")
        return 2
    findings = []
    try:
        for finding in _visit(Environment.here()):
            findings.append(finding)
            _say(finding.line())
        _say(conclusion(findings))
    except BrokenPipeError:
        # The reader has gone (`| head`), so there is nothing to print.
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
    """Yield the findings from the environment's own interpreter."""
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
            f"{environment.place}; the next command creates it again."
        )
        return
    except subprocess.TimeoutExpired:
        yield problem(
            f"The checks of the packages took longer than {_PATIENCE_SECONDS} seconds. "
            "A virus scanner or a very busy machine may be the cause. Try again."
        )
        return
    for line in ended.stdout.splitlines():
        finding = Finding.parse(line)
        if finding is not None:
            yield finding
    if ended.returncode:
        last = ended.stderr.strip().splitlines()[-1:] or [f"code {ended.returncode}"]
        yield problem(
            f"The packages could not be checked ({last[0]}). Remove "
            f"{environment.place}; the next command creates it again."
        )
