"""Rules on a lesson's files that hold without running anything."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from workshop.lesson import Lesson, LessonError
from workshop.lesson.text import read_sections

_RUNGS = 3
_COLUMNS = 72
_SHORT = 12
"""Changed lines shorter than this (`else:`, `return x`) may stand in a hint."""
_WAITING = re.compile(r"\b(?:time\.sleep|perf_counter|monotonic)\(")
_SLEEPING = re.compile(r"\basyncio\.sleep\((?!0\))")


@dataclass(frozen=True)
class Finding:
    """Something that must be mended before a lesson is handed out.

    `rule` names the rule, `text` says what is wrong and where.
    """

    lesson: str
    rule: str
    text: str

    def __str__(self) -> str:
        return f"{self.lesson}: {self.rule}: {self.text}"


def check_texts(lesson: Lesson, root: Path) -> Iterator[Finding]:
    """Yield what is wrong with the texts and tests of *lesson*."""

    def finding(rule: str, text: str) -> Finding:
        return Finding(lesson.slug, rule, text)

    try:
        steps = lesson.steps
        _ = lesson.minutes
    except LessonError as problem:
        yield finding("readable", str(problem))
        return
    needed = [
        lesson.app_file,
        *(lesson.state_file(number) for number in range(len(steps) + 1)),
        lesson.solution / "README.md",
        lesson.page,
        root / "tests" / "variants" / lesson.slug / "variants.toml",
    ]
    missing = [path for path in needed if not path.is_file()]
    for path in missing:
        yield finding("complete", f"{path.relative_to(root)} is missing")
    if missing:
        return
    yield from _check_hints(lesson, finding_rule="hints")
    for test in lesson.tests:
        if not test.fact:
            yield finding("facts", f"{test.id} has no docstring that states its fact")
    yield from _check_test_file(lesson)
    for number in range(len(steps) + 1):
        path = lesson.state_file(number)
        for line_number, line in enumerate(_lines(path), 1):
            if len(line) > _COLUMNS:
                yield finding(
                    "columns",
                    f"{path.relative_to(root)}:{line_number} is {len(line)} wide; "
                    f"a phone shows {_COLUMNS}",
                )
    for step in steps:
        if not any(f"TODO {step.number}" in line for line in _lines(_starter(lesson))):
            yield finding("todos", f"the starter has no 'TODO {step.number}: ...'")


def _check_hints(lesson: Lesson, finding_rule: str) -> Iterator[Finding]:
    hints = lesson.folder / "hints.md"
    titles = {part.number: part.title for part in read_sections(_text(hints))}
    for step in lesson.steps:
        where = f"step {step.number}"
        if titles.get(step.number) != step.title:
            yield Finding(
                lesson.slug,
                finding_rule,
                f"{where} is called {titles.get(step.number)!r} in hints.md and "
                f"{step.title!r} in README.md",
            )
        if len(step.hints) != _RUNGS:
            yield Finding(
                lesson.slug,
                finding_rule,
                f"{where} has {len(step.hints)} hints and should have {_RUNGS}",
            )
        for line in changed_lines(
            lesson.state_file(step.number - 1), lesson.state_file(step.number)
        ):
            if any(line in " ".join(rung.split()) for rung in step.hints):
                yield Finding(
                    lesson.slug,
                    finding_rule,
                    f"a hint of {where} contains the solution's line {line!r}",
                )


def changed_lines(before: Path, after: Path) -> list[str]:
    """Return the code lines of *after* that are not in *before*, stripped.

    Comments and lines too short to give anything away are left out.
    """
    there = {line.strip() for line in _lines(before)}
    return [
        stripped
        for line in _lines(after)
        if len(stripped := line.strip()) >= _SHORT
        and stripped not in there
        and not stripped.startswith("#")
    ]


def _check_test_file(lesson: Lesson) -> Iterator[Finding]:
    source = _text(lesson.test_file)
    name = lesson.test_file.name
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Assert) and node.msg is None:
            yield Finding(
                lesson.slug,
                "messages",
                f"{name}:{node.lineno}: an assertion without words",
            )
    for number, line in enumerate(source.splitlines(), 1):
        if _WAITING.search(line) or _SLEEPING.search(line):
            yield Finding(
                lesson.slug,
                "no clocks",
                f"{name}:{number} waits by the clock: {line.strip()}",
            )


def _starter(lesson: Lesson) -> Path:
    return lesson.state_file(0)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _lines(path: Path) -> list[str]:
    return _text(path).splitlines()
