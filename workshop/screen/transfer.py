"""Say what of a learner's progress has travelled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from workshop.progress import Brought, State


def known(state: State) -> str:
    """Return how much *state* remembers: `9 passed steps of 2 lessons`."""
    counts = [len(it.passed) for it in state.lessons.values() if it.passed]
    return f"{_count(sum(counts), 'passed step')} of {_count(len(counts), 'lesson')}"


def brought_line(brought: Brought, file: Path) -> str:
    """Return what the import of *file* has added."""
    if brought.is_empty:
        return f"{file} brought nothing new: all of it was known."
    if not brought.passed:
        return f"{file} brought no passed steps, but hints and looks at solutions."
    count = _count(sum(map(len, brought.passed.values())), "passed step")
    return (
        f"{file} brought {count}: {_steps(brought.passed)}.\n"
        "Your answers stayed where they are: `catch-up` gives ours to go on from."
    )


def _steps(passed: Mapping[str, Sequence[int]]) -> str:
    return "; ".join(
        f"lesson {slug[:2]} step{'s' if len(steps) > 1 else ''} "
        + ", ".join(map(str, steps))
        for slug, steps in sorted(passed.items())
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
