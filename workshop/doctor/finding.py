"""The result of one of the doctor's checks."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass


class State(enum.Enum):
    """The result as a word, because colour alone is not enough."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Finding:
    """The result of one check; a warning or problem includes its cure."""

    state: State
    text: str

    def line(self) -> str:
        """Return the line to print."""
        return f"{self.state.value:<8} {self.text}"

    @classmethod
    def parse(cls, line: str) -> Finding | None:
        """Return the finding from a line made by `line()`; None for any other line."""
        word, _, text = line.partition(" ")
        try:
            return cls(State(word), text.strip())
        except ValueError:
            return None


def ok(text: str) -> Finding:
    """Return a finding that the check passed."""
    return Finding(State.OK, text)


def warning(text: str) -> Finding:
    """Return a finding about a nuisance, with its cure."""
    return Finding(State.WARNING, text)


def problem(text: str) -> Finding:
    """Return a finding about something that makes lessons fail, with its cure."""
    return Finding(State.PROBLEM, text)


def conclusion(findings: Sequence[Finding]) -> str:
    """Summarise the findings in one sentence."""
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
