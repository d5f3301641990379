"""A lesson and its steps, read from its folder on demand."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from workshop import conflicts
from workshop.lesson.expected import ExpectedTest, read_tests
from workshop.lesson.text import (
    Brief,
    Prediction,
    read_brief,
    read_goal,
    read_hints,
    read_key_points,
    read_prediction,
    read_sections,
)

_LINE = re.compile(r"line (?P<line>\d+): ")
"""The beginning of the messages of `read_tests`."""


@dataclass(frozen=True)
class Gap:
    """A problem that makes a lesson incomplete.

    Attributes:
        file: The file with the problem.
        what: The problem, as words that follow the file's name: "is missing".
        fix: A sentence that says what to do.
        line: The number of the line, or 0.

    """

    file: Path
    what: str
    fix: str
    line: int = 0

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else str(self.file)
        return f"{place} {self.what}. {self.fix}"


class LessonError(Exception):
    """A lesson's files are missing or cannot be understood.

    The message names the file, the problem and the fix. `gap` has the same as data; it
    is None if the problem is not in the lesson itself.
    """

    def __init__(self, message: str | Gap) -> None:
        super().__init__(str(message))
        self.gap = message if isinstance(message, Gap) else None


@dataclass(frozen=True)
class Step:
    """One defect to repair. `hints` go from vague to specific."""

    number: int
    title: str
    text: str
    hints: tuple[str, ...]
    tests: tuple[ExpectedTest, ...]


@dataclass(frozen=True)
class Lesson:
    """The lesson in *folder* (`lessons/NN_name`) with its *solution* folder.

    Files are read when a property is first used, so listing lessons only reads their
    READMEs. Each property raises `LessonError` when its file is missing or malformed.
    """

    folder: Path
    solution: Path

    @property
    def slug(self) -> str:
        """The folder's name, like `01_database_session`."""
        return self.folder.name

    @property
    def number(self) -> str:
        """The two digits of the slug."""
        return self.slug[:2]

    @property
    def app_file(self) -> Path:
        """The file that the learner edits."""
        return self.folder / "app.py"

    @property
    def solution_file(self) -> Path:
        """The repaired app."""
        return self.solution / "app.py"

    @property
    def scenario_file(self) -> Path:
        """The scenes for `timeline`. A lesson need not have any."""
        return self.folder / "scenario.py"

    @property
    def page(self) -> Path:
        """The page that explains it, read before or after the exercise."""
        return self.folder.parents[1] / "docs" / "lessons" / f"{self.slug}.md"

    @cached_property
    def test_file(self) -> Path:
        """The only `test_*.py` of the lesson."""
        try:
            found = sorted(self.folder.glob("test_*.py"))
        except OSError as problem:
            raise _unreadable(self.folder, problem) from None
        if not found:
            raise LessonError(_missing(self.folder / f"test_{self.slug[3:]}.py"))
        if len(found) > 1:
            names = " and ".join(path.name for path in found)
            raise LessonError(
                Gap(
                    self.folder,
                    f"has {len(found)} test files, {names}",
                    "Keep one: its tests decide whether a solution passes.",
                )
            )
        return found[0]

    @cached_property
    def brief(self) -> Brief:
        """The content of the README."""
        path = self.folder / "README.md"
        try:
            return read_brief(read(path))
        except ValueError as problem:
            raise LessonError(_misread(path, problem)) from None

    @property
    def title(self) -> str:
        """The title without the number."""
        return self.brief.title

    @property
    def minutes(self) -> int:
        """The minutes that a working developer should need.

        Raises:
            LessonError: The README does not say.
        """
        if self.brief.minutes is None:
            raise LessonError(
                Gap(
                    self.folder / "README.md",
                    "does not say how long the lesson takes",
                    "Add a line like '*35 minutes · you edit `app.py`*'.",
                )
            )
        return self.brief.minutes

    @cached_property
    def tests(self) -> tuple[ExpectedTest, ...]:
        """All tests, which a solution must pass."""
        try:
            tests = read_tests(read(self.test_file))
        except (ValueError, SyntaxError, RecursionError, MemoryError) as problem:
            raise LessonError(_misread(self.test_file, problem)) from None
        if not tests:
            raise LessonError(
                Gap(
                    self.test_file,
                    "holds no tests",
                    "Write at least one for each step, marked with "
                    "@pytest.mark.step(1). " + _restore(self.test_file),
                )
            )
        return tests

    @property
    def step_numbers(self) -> list[int]:
        """The numbers of the README's steps.

        Raises:
            LessonError: They are not 1, 2, 3 and so on.
        """
        numbers = [section.number for section in self.brief.sections]
        readme = self.folder / "README.md"
        form = "Write headings like '## Step 1 · What becomes true', counted from 1."
        if not numbers:
            raise LessonError(Gap(readme, "has no steps", form))
        if numbers != list(range(1, len(numbers) + 1)):
            counted = ", ".join(map(str, numbers))
            raise LessonError(Gap(readme, f"numbers its steps {counted}", form))
        return numbers

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """The steps of the README with their hints and tests.

        Raises:
            LessonError: README, hints and tests have different steps.
        """
        numbers = self.step_numbers
        tested = {test.step for test in self.tests}
        if tested != set(numbers):
            raise LessonError(
                Gap(
                    self.test_file,
                    f"has tests that belong to steps {sorted(tested)}, but the "
                    f"README has steps {numbers}",
                    "Give each step at least one test, and each test a step that "
                    "the README describes.",
                )
            )
        hints = self.hints
        return tuple(
            Step(
                number=section.number,
                title=section.title,
                text=section.body,
                hints=hints.get(section.number, ()),
                tests=tuple(t for t in self.tests if t.step == section.number),
            )
            for section in self.brief.sections
        )

    @cached_property
    def hints(self) -> dict[int, tuple[str, ...]]:
        """The hints of each step that has some, by the step's number."""
        path = self.folder / "hints.md"
        try:
            sections = read_sections(read(path))
        except ValueError as problem:
            raise LessonError(_misread(path, problem)) from None
        return {part.number: read_hints(part.body) for part in sections}

    @property
    def key_points(self) -> tuple[str, ...]:
        """The key points according to its page; empty without a page."""
        try:
            return read_key_points(read(self.page))
        except LessonError:
            return ()

    @property
    def prediction(self) -> Prediction | None:
        """The question of its page, with the answer; None without a page."""
        try:
            return read_prediction(read(self.page))
        except LessonError:
            return None

    def state_file(self, step: int) -> Path:
        """Return the app after *step* steps are repaired.

        0 is the starter; the last step's state is the solution.

        Raises:
            LessonError: There is no such step.
        """
        count = len(self.brief.sections)
        if not 0 <= step <= count:
            raise LessonError(
                f"Lesson {self.number} has {count} steps; there is no step {step}."
            )
        if step == count:
            return self.solution_file
        return self.solution / "steps" / f"{step}.py"

    @property
    def goal(self) -> str:
        """What a learner can do afterwards, as in "You can …"; "" if not said."""
        try:
            return read_goal(read(self.solution / "README.md"))
        except LessonError:
            return ""

    def reason(self, step: int) -> str:
        """Return why the solution of *step* works (Markdown); "" if undocumented."""
        try:
            sections = read_sections(read(self.solution / "README.md"))
        except (ValueError, LessonError):
            return ""
        bodies = (section.body for section in sections if section.number == step)
        return next(bodies, "").partition("**Other correct solutions.**")[0].strip()

    @property
    def fixtures(self) -> frozenset[str]:
        """The fixtures that its tests use, which show the services it needs."""
        return frozenset().union(*(test.fixtures for test in self.tests))


def read(path: Path) -> str:
    """Return the text of a lesson's file.

    Raises:
        LessonError: It is missing, unreadable or not UTF-8.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise LessonError(_missing(path)) from None
    except (OSError, UnicodeDecodeError) as problem:
        raise _unreadable(path, problem) from None
    marker = conflicts.first_marker(text)
    if marker is not None:
        raise LessonError(_conflict(path, marker))
    return text


def _missing(path: Path) -> Gap:
    return Gap(path, "is missing", f"Write it. {_restore(path)}")


def _conflict(path: Path, line: int) -> Gap:
    what = "has conflict markers: git could not combine two versions of it"
    return Gap(path, what, conflicts.ADVICE, line)


def _unreadable(path: Path, problem: Exception) -> LessonError:
    if isinstance(problem, UnicodeDecodeError):
        # Python's message has the byte's position, but a line number is more useful.
        line = problem.object.count(b"\n", 0, problem.start) + 1
        return LessonError(Gap(path, "is not UTF-8", "Save it as UTF-8.", line))
    reason = getattr(problem, "strerror", None) or problem
    return LessonError(
        Gap(path, f"cannot be read ({reason})", "Make the file readable.")
    )


def _misread(path: Path, problem: Exception) -> Gap:
    """Return the gap for a file with malformed content."""
    line = getattr(problem, "lineno", None) or 0
    words = problem.msg if isinstance(problem, SyntaxError) else str(problem)
    said = _LINE.match(words)
    if said:
        line, words = int(said["line"]), words[said.end() :]
    return Gap(path, f"cannot be used: {words}", _restore(path), line)


def _restore(path: Path) -> str:
    return (
        f"If it worked before, restore it: `git checkout -- {path.name}` in its folder."
    )
