"""Lines about exported and imported progress."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from workshop.progress import Brought, State


def known(state: State) -> str:
    """Return a summary of *state*: `9 passed steps of 2 lessons`."""
    counts = [len(it.passed) for it in state.lessons.values() if it.passed]
    return f"{_count(sum(counts), 'passed step')} of {_count(len(counts), 'lesson')}"


def brought_line(brought: Brought, file: Path) -> str:
    """Return what the import of *file* has added."""
    if brought.is_empty:
        return f"{file} contains nothing new."
    if not brought.passed:
        return f"{file} added no passed steps, only hints and shown solutions."
    count = _count(sum(map(len, brought.passed.values())), "passed step")
    return (
        f"{file} added {count}: {_steps(brought.passed)}.\n"
        "Your code was not moved. To continue, `catch-up` solves earlier steps."
    )


def _steps(passed: Mapping[str, Sequence[int]]) -> str:
    return "; ".join(
        f"lesson {slug[:2]} step{'s' if len(steps) > 1 else ''} "
        + ", ".join(map(str, steps))
        for slug, steps in sorted(passed.items())
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
