"""Finding the learner's own lines among all frames."""

from __future__ import annotations

import linecache
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType, TracebackType

# The files under test, as their code objects name them.
_learner_files: set[str] = set()


@dataclass(frozen=True)
class SourceLine:
    """A line of the learner's file."""

    file: str
    line: int
    function: str

    @property
    def source(self) -> str:
        """The text of the line."""
        return linecache.getline(self.file, self.line).strip()

    @property
    def short(self) -> str:
        """File name and line: `app.py:41`."""
        return f"{Path(self.file).name}:{self.line}"

    @property
    def labelled(self) -> str:
        """File name, line and text: `app.py:41  async def report():`."""
        return f"{self.short}  {self.source}"

    def __str__(self) -> str:
        """Return the line as a part of a sentence."""
        return f"{self.short} in {self.function}(): {self.source}"


class Held(SourceLine):
    """The learner's line that blocked the event loop."""


def add_learner_file(file: Path) -> None:
    """Treat *file* as the learner's from now on."""
    _learner_files.add(str(file))


def is_learner_file(file: str) -> bool:
    """Return whether *file* is one that was loaded as the app under test."""
    return file in _learner_files


def held_here() -> Held:
    """Return the line that blocks the event loop: the innermost frame of the learner.

    Without one, return the nearest frame outside this package.
    """
    frame: FrameType | None = sys._getframe(1)
    nearest: FrameType | None = None
    package = str(Path(__file__).parents[1])
    while frame is not None:
        if is_learner_file(frame.f_code.co_filename):
            nearest = frame
            break
        if nearest is None and not frame.f_code.co_filename.startswith(package):
            nearest = frame
        frame = frame.f_back
    found = nearest or sys._getframe(1)
    code = found.f_code
    return Held(code.co_filename, found.f_lineno, code.co_name)


def line_of_error(error: BaseException) -> SourceLine | None:
    """Return the innermost learner's line that *error*, or its cause, came through."""
    for each in _chain(error):
        places = list(_lines_of(each.__traceback__))
        if places:
            return places[-1]
    return None


def is_mistake(error: BaseException) -> bool:
    """Return whether a statement of the learner's own has failed with *error*.

    A `raise` is deliberate, and so is what the learner's code calls and lets through.
    """
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    place = next(_lines_of(traceback), None)
    return place is not None and not place.source.startswith("raise")


def line_of_code(code: CodeType) -> SourceLine | None:
    """Return where *code* is defined, if that is in the learner's file."""
    if not is_learner_file(code.co_filename):
        return None
    return SourceLine(code.co_filename, _definition_line(code), code.co_name)


def _definition_line(code: CodeType) -> int:
    # With decorators, the first line of a function is its first decorator.
    line = code.co_firstlineno
    for number in range(line, line + 20):
        text = linecache.getline(code.co_filename, number).lstrip()
        if text.startswith(("def ", "async def ")):
            return number
    return line


def _lines_of(traceback: TracebackType | None) -> Iterator[SourceLine]:
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if is_learner_file(code.co_filename):
            yield SourceLine(code.co_filename, traceback.tb_lineno, code.co_name)
        traceback = traceback.tb_next


def _chain(
    error: BaseException, seen: set[int] | None = None
) -> Iterator[BaseException]:
    todo, seen = [error], set() if seen is None else seen
    while todo:
        each = todo.pop(0)
        if id(each) in seen:
            continue
        seen.add(id(each))
        if isinstance(each, BaseExceptionGroup):
            # Where its errors come from says more than where the group was left.
            for part in each.exceptions:
                yield from _chain(part, seen)
        yield each
        todo.extend(x for x in (each.__cause__, each.__context__) if x is not None)
