"""What the doctor says about one thing."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass


class State(enum.Enum):
    """How it is, by word and never by colour alone."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; a warning or problem says the cure, too."""

    state: State
    text: str

    def line(self) -> str:
        """Return the line that is shown."""
        return f"{self.state.value:<8} {self.text}"

    @classmethod
    def parse(cls, line: str) -> Finding | None:
        """Return the finding that `line()` made, or None for any other line."""
        word, _, text = line.partition(" ")
        try:
            return cls(State(word), text.strip())
        except ValueError:
            return None


def ok(text: str) -> Finding:
    """Return a finding that all is well."""
    return Finding(State.OK, text)


def warning(text: str) -> Finding:
    """Return a finding that is a nuisance, with its cure."""
    return Finding(State.WARNING, text)


def problem(text: str) -> Finding:
    """Return a finding that lessons will fail on, with its cure."""
    return Finding(State.PROBLEM, text)


def conclusion(findings: Sequence[Finding]) -> str:
    """Sum up the findings in one sentence."""
    problems = sum(finding.state is State.PROBLEM for finding in findings)
    warnings = sum(finding.state is State.WARNING for finding in findings)
    if not problems and not warnings:
        return "All is well."
    parts = [
        f"{count} {word}{'s' if count > 1 else ''}"
        for count, word in ((problems, "problem"), (warnings, "warning"))
        if count
    ]
    return f"{' and '.join(parts)}: the lines above say what to do."
