"""Rules about a lesson's hints, tests and starter."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from workshop.check.finding import Finding
from workshop.check.rules.places import below, hints_of, text_of
from workshop.lesson import Lesson
from workshop.lesson.text import read_sections

RUNGS = 3
COPY = "## Copy this into your service"
"""The title of the code in a solution that readers copy."""
COLUMNS = 72
"""The number of columns that a phone shows."""
_SHORT = 12
"""Changed lines shorter than this (`else:`, `return x`) may appear in a hint."""
_WAITING = re.compile(r"\b(?:time\.sleep|perf_counter|monotonic)\(")
_SLEEPING = re.compile(r"\basyncio\.sleep\((?!0\))")


def hints(lesson: Lesson, root: Path) -> Iterator[Finding]:
    """Each step has three hints under its title, without a line of the solution."""
    path = hints_of(lesson)
    text = text_of(path) or ""
    titles = {part.number: part.title for part in read_sections(text)}
    for step in lesson.steps:
        line = _line_of(text, f"## Step {step.number} ")

        def finding(what: str, fix: str, line: int = line) -> Finding:
            return Finding(lesson.slug, "hints", what, below(path, root), line, fix)

        if titles.get(step.number) != step.title:
            yield finding(
                f"step {step.number} is called {titles.get(step.number)!r} here and "
                f"{step.title!r} in README.md",
                "Give it the same title in both files.",
            )
        if len(step.hints) != RUNGS:
            yield finding(
                f"step {step.number} has {len(step.hints)} hints and should have "
                f"{RUNGS}",
                "Write what you see, what it means, and which call to use.",
            )
        for changed in changed_lines(
            lesson.state_file(step.number - 1), lesson.state_file(step.number)
        ):
            if any(changed in " ".join(rung.split()) for rung in step.hints):
                yield finding(
                    f"a hint of step {step.number} contains the solution's line "
                    f"{changed!r}",
                    "Name the call, but leave the finished line out.",
                )


def reasons(lesson: Lesson, root: Path) -> Iterator[Finding]:
    """The solution says why each repair works, and has code to copy."""
    path = lesson.solution / "README.md"
    text = text_of(path)
    if text is None:
        return
    try:
        titles = {part.number: part.title for part in read_sections(text)}
    except ValueError:
        return  # another rule reports the title
    for step in lesson.steps:
        if titles.get(step.number) != step.title:
            yield Finding(
                lesson.slug,
                "reasons",
                f"does not explain step {step.number} under its title",
                below(path, root),
                _line_of(text, f"## Step {step.number} "),
                f"Add '## Step {step.number} · {step.title}'.",
            )
    if not lesson.goal:
        yield Finding(
            lesson.slug,
            "reasons",
            "does not say what learners can do afterwards",
            below(path, root),
            _line_of(text, "**Goal.**"),
            "Write one sentence below '**Goal.**' that begins with 'You can'.",
        )
    if f"\n{COPY}\n" not in text:
        yield Finding(
            lesson.slug,
            "reasons",
            "has no code to copy",
            below(path, root),
            fix=f"Add '{COPY}' with 20 to 40 lines that work without the lesson.",
        )


def facts(lesson: Lesson, root: Path) -> Iterator[Finding]:
    """Each test has a docstring that states the fact to learn."""
    for test in lesson.tests:
        if not test.fact:
            yield Finding(
                lesson.slug,
                "facts",
                f"{test.id} has no docstring that states its fact",
                below(lesson.test_file, root),
                test.line,
                "Write the sentence that a learner should remember.",
            )


def messages(lesson: Lesson, root: Path) -> Iterator[Finding]:
    """Every assertion says what was seen and what was expected."""
    for node in ast.walk(ast.parse(text_of(lesson.test_file) or "")):
        if isinstance(node, ast.Assert) and node.msg is None:
            yield Finding(
                lesson.slug,
                "messages",
                "an assertion without a message",
                below(lesson.test_file, root),
                node.lineno,
                "Say what a customer saw, and end with 'Expected: …'.",
            )


def clocks(lesson: Lesson, root: Path) -> Iterator[Finding]:
    """No test sleeps or uses a stopwatch."""
    lines = (text_of(lesson.test_file) or "").splitlines()
    for number, line in enumerate(lines, 1):
        if _WAITING.search(line) or _SLEEPING.search(line):
            yield Finding(
                lesson.slug,
                "no clocks",
                f"waits by the clock: {line.strip()}",
                below(lesson.test_file, root),
                number,
                "Hold a stand-in with a Gate, or wait for an event.",
            )


def columns(lesson: Lesson, root: Path) -> Iterator[Finding]:
    """The starter, the states after each step and the solution fit on a phone."""
    for state in range(len(lesson.steps) + 1):
        path = lesson.state_file(state)
        for number, line in enumerate((text_of(path) or "").splitlines(), 1):
            if len(line) > COLUMNS:
                yield Finding(
                    lesson.slug,
                    "columns",
                    f"is {len(line)} wide",
                    below(path, root),
                    number,
                    f"A phone shows {COLUMNS}.",
                )


def todos(lesson: Lesson, root: Path) -> Iterator[Finding]:
    """The starter marks the place of each step."""
    starter = text_of(lesson.state_file(0)) or ""
    for step in lesson.steps:
        if f"TODO {step.number}" not in starter:
            yield Finding(
                lesson.slug,
                "todos",
                f"the starter has no 'TODO {step.number}: …'",
                below(lesson.state_file(0), root),
                fix="Add it as a comment above the code to repair.",
            )


def changed_lines(before: Path, after: Path) -> list[str]:
    """Return the code lines of *after* that are not in *before*, stripped.

    Comments, and lines too short to give anything away, are left out.
    """
    there = {line.strip() for line in (text_of(before) or "").splitlines()}
    return [
        stripped
        for line in (text_of(after) or "").splitlines()
        if len(stripped := line.strip()) >= _SHORT
        and stripped not in there
        and not stripped.startswith("#")
    ]


def _line_of(text: str, beginning: str) -> int:
    """Return the number of the line of *text* with this beginning; 0 if none has it."""
    found = (n for n, it in enumerate(text.splitlines(), 1) if it.startswith(beginning))
    return next(found, 0)
