"""A lesson and its steps, read from its folder when asked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from workshop import conflicts
from workshop.lesson.expected import ExpectedTest, read_tests
from workshop.lesson.text import (
    Brief,
    read_brief,
    read_key_points,
    read_rungs,
    read_sections,
)


class LessonError(Exception):
    """A lesson's files are missing or cannot be understood.

    The message names the file, what is wrong with it and what to do.
    """


@dataclass(frozen=True)
class Step:
    """One defect to repair. `hints` are its rungs, from vague to near."""

    number: int
    title: str
    text: str
    hints: tuple[str, ...]
    tests: tuple[ExpectedTest, ...]


@dataclass(frozen=True)
class Lesson:
    """The lesson in *folder* (`lessons/NN_name`) with its *solution* folder.

    Files are read when a property is first used, so that listing lessons
    reads nothing but their READMEs. Each property raises `LessonError` when
    its file is missing or malformed.
    """

    folder: Path
    solution: Path

    @property
    def slug(self) -> str:
        """The folder's name, like `01_database_session`."""
        return self.folder.name

    @property
    def number(self) -> str:
        """The two digits that people type."""
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
        """What `timeline` plays. A lesson need not have one."""
        return self.folder / "scenario.py"

    @property
    def page(self) -> Path:
        """The page that explains it, read before or after the exercise."""
        return self.folder.parents[1] / "docs" / "lessons" / f"{self.slug}.md"

    @cached_property
    def test_file(self) -> Path:
        """The one `test_*.py` of the lesson."""
        found = sorted(self.folder.glob("test_*.py"))
        if len(found) != 1:
            raise LessonError(
                f"{self.folder} holds {len(found)} files named test_*.py and "
                "should hold one. Restore it with `git checkout`."
            )
        return found[0]

    @cached_property
    def brief(self) -> Brief:
        """What the README says."""
        path = self.folder / "README.md"
        try:
            return read_brief(_read(path))
        except ValueError as problem:
            raise LessonError(f"{path}: {problem}.") from None

    @property
    def title(self) -> str:
        """The title without the number."""
        return self.brief.title

    @property
    def minutes(self) -> int:
        """What a working developer should need.

        Raises `LessonError` when the README does not say.
        """
        if self.brief.minutes is None:
            raise LessonError(
                f"{self.folder / 'README.md'} does not say how long it takes. "
                "Add a line like '*35 minutes · you edit `app.py`*'."
            )
        return self.brief.minutes

    @cached_property
    def tests(self) -> tuple[ExpectedTest, ...]:
        """The tests that an answer must pass, all of them."""
        try:
            tests = read_tests(_read(self.test_file))
        except (ValueError, SyntaxError) as problem:
            raise LessonError(f"{self.test_file}: {problem}.") from None
        if not tests:
            raise LessonError(
                f"{self.test_file} holds no tests. Restore it with `git checkout`."
            )
        return tests

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """The steps of the README with their hints and tests.

        Raises `LessonError` when README, hints and tests name different steps.
        """
        path = self.folder / "hints.md"
        try:
            hints = {part.number: part for part in read_sections(_read(path))}
        except ValueError as problem:
            raise LessonError(f"{path}: {problem}.") from None
        sections = self.brief.sections
        numbers = [section.number for section in sections]
        if numbers != list(range(1, len(numbers) + 1)) or not numbers:
            raise LessonError(
                f"{self.folder / 'README.md'}: its steps are numbered {numbers}, "
                "and should count from 1."
            )
        tested = {test.step for test in self.tests}
        if tested != set(numbers):
            raise LessonError(
                f"{self.test_file}: its tests belong to steps {sorted(tested)}, "
                f"and the README has steps {numbers}."
            )
        return tuple(
            Step(
                number=section.number,
                title=section.title,
                text=section.body,
                hints=read_rungs(hints[section.number].body)
                if section.number in hints
                else (),
                tests=tuple(t for t in self.tests if t.step == section.number),
            )
            for section in sections
        )

    @property
    def key_points(self) -> tuple[str, ...]:
        """What its page says is to be kept of it; empty without a page."""
        try:
            return read_key_points(_read(self.page))
        except LessonError:
            return ()

    def state_file(self, step: int) -> Path:
        """Return the app as it stands after *step* steps are repaired.

        0 is the starter, the last step's state is the solution. Raises
        `LessonError` when there is no such step.
        """
        count = len(self.brief.sections)
        if not 0 <= step <= count:
            raise LessonError(
                f"Lesson {self.number} has {count} steps; there is no step {step}."
            )
        if step == count:
            return self.solution_file
        return self.solution / "steps" / f"{step}.py"

    def reason(self, step: int) -> str:
        """Return why our repair of *step* works (Markdown); "" if nobody said."""
        try:
            sections = read_sections(_read(self.solution / "README.md"))
        except (ValueError, LessonError):
            return ""
        bodies = (section.body for section in sections if section.number == step)
        return next(bodies, "").partition("**Other right answers.**")[0].strip()

    @property
    def fixtures(self) -> frozenset[str]:
        """The fixtures that its tests ask for: tells which services it needs."""
        return frozenset().union(*(test.fixtures for test in self.tests))


def _read(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise LessonError(
            f"{path} is missing. It was probably moved or deleted; "
            f"`git checkout -- {path.name}` in its folder restores it."
        ) from None
    except (OSError, UnicodeDecodeError) as problem:
        raise LessonError(f"{path} cannot be read: {problem}.") from None
    marker = conflicts.first_marker(text)
    if marker is not None:
        raise LessonError(conflicts.words_for(str(path), marker))
    return text
