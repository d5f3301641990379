"""Loading the file under test anew, and unloading it."""

from __future__ import annotations

import functools
import importlib.util
import linecache
import sys
import tempfile
import traceback
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from workshop import conflicts
from workshop.private_apis.interpreter import empty_typing_caches
from workshop.testing.app.exits import as_app_exit
from workshop.testing.reporting.failures import AppExit, AppLoadError
from workshop.testing.reporting.source import add_learner_file, line_of_error

MODULE = "app"


class LoadedFile:
    """The file under test as a new module called `app`.

    While it is loaded, `sys.modules["app"]` is that module, and its folder is first in
    `sys.path`. Ahead of the folder is a temporary one with a copy of the file as
    `app.py`, which another process imports when a process pool hands it a function,
    whatever the file is called here. The source is compiled from the text that has just
    been read, so an outdated `.pyc` cannot be used.
    """

    def __init__(self, file: Path) -> None:
        """Load *file*.

        Raises:
            AppLoadError: in words, with the learner's line, whatever went wrong.

        """
        self.file = file.resolve()
        text = _read(self.file)
        _refuse_conflict(self.file, text)
        self._copy = tempfile.TemporaryDirectory(
            prefix="workshop-app-", ignore_cleanup_errors=True
        )
        Path(self._copy.name, f"{MODULE}.py").write_text(text, encoding="utf-8")
        self._path = [self._copy.name, str(self.file.parent)]
        self._modules_before = set(sys.modules)
        self._previous = sys.modules.get(MODULE)
        add_learner_file(self.file)
        _fill_linecache(self.file, text)
        try:
            self.module = self._execute(text)
        except BaseException:
            self.unload()
            raise

    def _execute(self, text: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location(MODULE, self.file)
        assert spec is not None
        module = importlib.util.module_from_spec(spec)
        sys.path[:0] = self._path
        sys.modules[MODULE] = module
        try:
            code = _compiled(text, str(self.file))
            if reached := reach_of(code):
                raise AppLoadError(f"{self.file.name} {reached}")
            exec(code, module.__dict__)  # noqa: S102 -- running the learner's file
        except AppLoadError:
            raise
        except BaseException as exc:
            ended = as_app_exit(exc, f"while {self.file.name} was being loaded")
            if ended is None and not isinstance(exc, Exception):
                raise
            raise AppLoadError(_words(self.file, exc, ended)) from exc
        if not callable(getattr(module, MODULE, None)):
            raise AppLoadError(
                f"{self.file.name} has no FastAPI object called `app`. An empty file, "
                "or one where `app` has another name, cannot be tested."
            )
        return module

    def unload(self) -> None:
        """Remove the module, and those that it imported from its own folder."""
        for entry in self._path:
            if entry in sys.path:
                sys.path.remove(entry)
        folder = str(self.file.parent)
        for name in set(sys.modules) - self._modules_before:
            origin = getattr(sys.modules[name], "__file__", None) or ""
            if name == MODULE or str(Path(origin).parent) == folder:
                del sys.modules[name]
        if self._previous is not None:
            sys.modules[MODULE] = self._previous
        elif MODULE in sys.modules and MODULE not in self._modules_before:
            del sys.modules[MODULE]
        self._copy.cleanup()
        empty_caches()


def empty_caches() -> None:
    """Clear what FastAPI and typing have cached about every app so far.

    FastAPI caches what it finds out about each function, and typing each
    `Annotated[...]`. A cached function would keep its module alive, and the module its
    engine.
    """
    for name in [name for name in sys.modules if name.startswith("fastapi.")]:
        for cached in _caches_in(name):
            cached.cache_clear()
    empty_typing_caches()


@functools.cache
def _caches_in(module: str) -> list[Any]:
    """Return the functions of *module* that remember their results."""
    values = list(vars(sys.modules[module]).values())
    return [value for value in values if hasattr(value, "cache_clear")]


# Attributes that lead from a function, a method or a frame to its caller or globals,
# and the modules that grade an app. A lesson's app needs none of them.
_LEAD_OUT = frozenset(
    {"__self__", "__closure__", "cell_contents", "f_back", "f_locals", "f_globals"}
)
_JUDGES = (
    "workshop.testing",
    "workshop.grading",
    "workshop.private_apis",
    "workshop.sandbox",
    "_pytest",
    "pluggy",
)


@functools.lru_cache(maxsize=1)
def reach_of(code: CodeType) -> str | None:
    """Return how *code* tries to interfere with its tests, or None."""
    todo = [code]
    while todo:
        each = todo.pop()
        todo += [it for it in each.co_consts if isinstance(it, CodeType)]
        said = [it for it in each.co_consts if isinstance(it, str)]
        for name in (*each.co_names, *said):
            if name in _LEAD_OUT:
                return (
                    f"uses `{name}`, which gives it access to its tests. An app that "
                    "interferes with its tests is not graded. Remove that code."
                )
            if f"{name}.".startswith(tuple(f"{it}." for it in _JUDGES)):
                return (
                    f"imports `{name}`, which grades it. An app that interferes with "
                    "its tests is not graded. Remove that import."
                )
    return None


@functools.lru_cache(maxsize=1)
def _compiled(text: str, file: str) -> CodeType:
    """Return *text* compiled. Every test of a run loads the same text."""
    return compile(text, file, "exec", dont_inherit=True)


def _read(file: Path) -> str:
    try:
        return importlib.util.decode_source(file.read_bytes())
    except FileNotFoundError:
        raise AppLoadError(
            f"There is no {file}. It was probably renamed or deleted."
        ) from None
    except (SyntaxError, UnicodeDecodeError) as exc:
        raise AppLoadError(
            f"{file.name} is not text in UTF-8, so nothing can read it. Let your "
            "editor save it as UTF-8, or begin again: `reset` keeps your file."
        ) from exc


def _refuse_conflict(file: Path, text: str) -> None:
    """Report conflict markers, which Python would report as an invalid number."""
    number = conflicts.first_marker(text)
    if number is not None:
        line = text.splitlines()[number - 1]
        words = conflicts.words_for(file.name, number)
        raise AppLoadError(f"{words}\n{file.name}:{number}  {line.strip()}")


def _fill_linecache(file: Path, text: str) -> None:
    # No modification time: linecache then never goes back to the disk, and a
    # traceback shows the lines that ran, also when the file was saved meanwhile.
    lines = text.splitlines(keepends=True)
    linecache.cache[str(file)] = (len(text), None, lines, str(file))


def _words(file: Path, error: BaseException, ended: AppExit | None) -> str:
    if ended is not None:
        return str(ended)
    if isinstance(error, SyntaxError) and conflicts.is_marker(error.text or ""):
        name = Path(error.filename or file).name
        words = conflicts.words_for(name, error.lineno or 0)
        return f"{words}\n{name}:{error.lineno}  {(error.text or '').strip()}"
    if isinstance(error, SyntaxError) and error.filename == str(file):
        line = f"{file.name}:{error.lineno}  {(error.text or '').strip()}"
        return f"{file.name} is not valid Python: {error.msg}.\n{line}"
    what = "".join(traceback.format_exception_only(error)).strip()
    words = f"{file.name} could not be loaded: {what}"
    place = line_of_error(error)
    return f"{words}\n{place.labelled}" if place else words
