"""Lines of code: whether they are the user's, and how to quote them.

While a recording runs, a line is kept as a code object and an instruction, which is
fast. It becomes text when the timeline is created.
"""

from __future__ import annotations

import ast
import functools
import gc
import linecache
import os
import re
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, CoroutineType, FrameType
from typing import Any, NamedTuple

_WAITING = re.compile(r"\b(await\b|async (?:with|for)\b).*")
_ADDRESS = re.compile(r" at 0x[0-9A-Fa-f]+")


def _folders(*folders: str) -> tuple[str, ...]:
    """Return prefixes of the files in *folders*, with and without links resolved."""
    both = {*folders, *map(os.path.realpath, folders)}
    return tuple(os.path.normcase(folder) + os.sep for folder in both)


# Paths are strings here for speed: this check runs for every file of a deep stack,
# during the recording.
_LIBRARIES = _folders(
    *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib")),
    *(sysconfig.get_path(name) for name in ("purelib", "platlib")),
    str(Path(__file__).parents[1]),
)
_INSTALLED = ("site-packages", "dist-packages")

# Objects between two coroutines that do not reveal the inner one.
_OPAQUE = frozenset(
    {
        "async_generator_asend",
        "async_generator_athrow",
        "anext_awaitable",
        "coroutine_wrapper",
    }
)
_MOST_FRAMES = 200
_SHORT = 20


class CodeLocation(NamedTuple):
    """An instruction of some code."""

    code: CodeType
    instruction: int


@functools.cache
def is_users(filename: str) -> bool:
    """Return whether a file is not a library's, Python's or the workshop's."""
    # Notebook cells have names in angle brackets. "<frozen …>" and "<string>" belong
    # to Python itself.
    if filename.startswith(("<frozen", "<string>")):
        return False
    if filename.startswith("<"):
        return True
    path = os.path.normcase(filename)
    if any(f"{os.sep}{folder}{os.sep}" in path for folder in _INSTALLED):
        return False
    return not path.startswith(_LIBRARIES)


def frames_of(awaitable: object) -> Iterator[FrameType]:
    """Yield the frames of a suspended coroutine, outermost first."""
    inner: Any = awaitable
    for _ in range(_MOST_FRAMES):
        # This runs after every step, and nearly all objects are coroutines.
        if type(inner) is CoroutineType:
            frame, inner = inner.cr_frame, inner.cr_await
        elif inner is None:
            return
        elif type(inner).__name__ in _OPAQUE:
            frame, inner = None, _hidden_in(inner)
        else:
            frame, inner = _frame(inner), _awaited(inner)
        if frame is not None:
            yield frame


def _hidden_in(opaque: object) -> object:
    return next((r for r in gc.get_referents(opaque) if _frame(r) is not None), None)


def frames_above(frame: FrameType | None, bottom: CodeType | None) -> list[FrameType]:
    """Return the running frames from *frame* down to *bottom*, outermost first."""
    frames = []
    while frame is not None and frame.f_code is not bottom:
        frames.append(frame)
        frame = frame.f_back
    return frames[::-1]


def _frame(awaitable: Any) -> FrameType | None:
    for attribute in ("cr_frame", "ag_frame", "gi_frame"):
        frame = getattr(awaitable, attribute, None)
        if isinstance(frame, FrameType):
            return frame
    return None


def _awaited(awaitable: Any) -> object:
    for attribute in ("cr_await", "ag_await", "gi_yieldfrom"):
        inner: object = getattr(awaitable, attribute, None)
        if inner is not None:
            return inner
    return None


@functools.cache
def _file_name(path: str) -> str:
    return Path(path).name


class Files:
    """Which files count as the user's, and which of them to quote first."""

    def __init__(
        self, users: Callable[[str], bool] | None, preferred: str | Path | None
    ) -> None:
        """Use *users*, or `is_users` by default. Quote *preferred* if possible."""
        self._users = functools.cache(users) if users else is_users
        self._preferred = None if preferred is None else Path(preferred).name

    def is_users(self, code: CodeType | None) -> bool:
        """Return whether *code* is the user's."""
        return code is not None and self._users(code.co_filename)

    def nearest(self, frames: list[FrameType]) -> tuple[CodeLocation, ...]:
        """Return the user's frames that are nearest to the current work.

        These are the innermost frames that call each other without a library between
        them. If some belong to the preferred file, only those are returned.
        """
        group: list[FrameType] = []
        preferred: list[FrameType] = []
        between = False
        for frame in frames:
            if not self.is_users(frame.f_code):
                between = True
                continue
            if between:
                group, between = [], False
            group.append(frame)
            if self._is_preferred(frame):
                preferred = [f for f in group if self._is_preferred(f)]
        chosen = preferred or group
        return tuple([CodeLocation(frame.f_code, frame.f_lasti) for frame in chosen])

    def _is_preferred(self, frame: FrameType) -> bool:
        return (
            self._preferred is not None
            and _file_name(frame.f_code.co_filename) == self._preferred
        )


class Quotes:
    """Quotes code from its current file."""

    def __init__(self) -> None:
        # The key is the identity, because equal code may come from different files.
        self._words: dict[tuple[int, int, bool], tuple[str, str]] = {}
        self._checked: set[str] = set()

    def words_of(
        self, places: tuple[CodeLocation, ...], *, waiting: bool
    ) -> tuple[str, str]:
        """Return the code at the outermost of *places*, and its location."""
        if not places:
            return "", ""
        code, instruction = places[0]
        key = (id(code), instruction, waiting)
        if key not in self._words:
            if code.co_filename not in self._checked:
                self._checked.add(code.co_filename)
                linecache.checkcache(code.co_filename)
            self._words[key] = _words(places[0], waiting)
        return self._words[key]


def _file(filename: str) -> str:
    path = Path(filename)
    # Jupyter's kernel stores cells in files with names that mean nothing to users.
    return "cell" if path.parent.name.startswith("ipykernel_") else path.name


def _words(place: CodeLocation, waiting: bool) -> tuple[str, str]:
    code, instruction = place
    first, last, start, end = _position(code, instruction)
    where = f"{_file(code.co_filename)}:{first}"
    lines = [linecache.getline(code.co_filename, n) for n in range(first, last + 1)]
    text = ""
    if start is not None and end is not None and all(lines):
        # Columns count bytes of UTF-8.
        raw = [line.encode() for line in lines]
        raw[-1] = raw[-1][:end]
        raw[0] = raw[0][start:]
        text = _tidy(b" ".join(raw).decode(errors="replace"))
    if waiting and not text.startswith("await "):
        text = _await_in(text) or text
    if waiting and not text.startswith("await "):
        found = _WAITING.search(lines[0])
        text = _tidy(found.group().rstrip(": \n")) if found else text
    return text or _tidy("".join(lines[:1])), where


def _await_in(text: str) -> str:
    """Return the first await in *text*, an expression that holds one.

    Until Python 3.11 a comprehension was awaited as a whole.
    """
    try:
        nodes = ast.walk(ast.parse(text, mode="eval"))
    except (SyntaxError, ValueError):
        return ""
    found = next((node for node in nodes if isinstance(node, ast.Await)), None)
    return (ast.get_source_segment(text, found) or "") if found else ""


def _position(
    code: CodeType, instruction: int
) -> tuple[int, int, int | None, int | None]:
    for n, (first, last, start, end) in enumerate(code.co_positions()):
        if n == max(instruction, 0) // 2 and first is not None:
            return first, last or first, start, end
    return code.co_firstlineno, code.co_firstlineno, None, None


def _tidy(text: str) -> str:
    text = " ".join(text.split())
    return text.replace("( ", "(").replace(", )", ")").replace(" )", ")")


def without_addresses(text: str) -> str:
    """Return *text* without addresses, which differ from run to run."""
    return _ADDRESS.sub("", text)


def name_of(code: CodeType, values: dict[str, object] | None = None) -> str:
    """Return the name of *code*, with those arguments in *values* that are short."""
    name = code.co_qualname.rpartition("<locals>.")[2]
    if values is None:
        return f"{name}()"
    count = code.co_argcount + code.co_kwonlyargcount
    short = (short_value(values.get(v)) for v in code.co_varnames[:count])
    return f"{name}({', '.join(v for v in short if v)})"


def short_value(value: object) -> str:
    """Return *value* as it is written in code, or an empty string if that is long."""
    # No subclasses, because their `__repr__` may be the user's code.
    if type(value) in (bool, int, float, str):
        text = repr(value)
        return text if len(text) < _SHORT else ""
    return ""
