"""Detect whether the app under test has changed the code that judges it.

The app runs in the same interpreter as its tests, so it could make a test pass by
changing that code. The code is recorded before the app is loaded and compared after
each phase of a test: the functions and classes of pytest, of the test kit and of the
libraries that both use, the lesson's own test module with its data, and the plugins
that pytest calls.

Attributes of libraries that are not code (a default timeout, a policy, a registry) may
change, because an app may configure the libraries that it uses.
"""

from __future__ import annotations

import builtins
import operator
import sys
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from types import FunctionType, ModuleType
from typing import Any

from workshop.private_apis.packages import (
    MODULES_A_TEST_RUNS_THROUGH,
    SET_BY_PYTEST_FOR_EACH_TEST,
)

# Modules, including their submodules, whose functions and classes must not change.
_CODE = frozenset(
    {
        "builtins",
        "pytest",
        "_pytest",
        "pluggy",
        "workshop",
        "__main__",
        "anyio",
        "asyncio",
        "httpx2",
        "httpcore2",
        "json",
        "contextlib",
        "contextvars",
        "functools",
        "inspect",
        "io",
        "os",
        "threading",
        "traceback",
        "aiosqlite",
        "sqlite3",
        "asyncpg.connection",
        "redis.asyncio",
        "sqlalchemy.engine",
        "sqlalchemy.ext.asyncio",
    }
)
# Modules that every test runs through. They are compared after each phase of a test,
# the others at the end of the round.
_NEAR = frozenset(
    {
        "builtins",
        "pytest",
        "pluggy",
        "workshop.testing",
        "workshop.grading",
        "workshop.private_apis",
        "workshop.sandbox",
        "__main__",
        "anyio.pytest_plugin",
        "json",
        *MODULES_A_TEST_RUNS_THROUGH,
    }
)
# Modules in which nothing may change, except what they set themselves.
_EVERYTHING = ("workshop",)
# Names that may legitimately be rebound later.
_FREE = {
    # Set by the test kit itself.
    "workshop.testing.time.watchdog._watchdog",
    "workshop.testing.reporting.cases._listener",
    *SET_BY_PYTEST_FOR_EACH_TEST,
    # During a failure recording: the threads that the app starts are recorded.
    "anyio.to_thread.run_sync",
    "threading.excepthook",
    # Programs replace these for good reasons.
    *(f"builtins.{it}" for it in ("print", "input", "breakpoint", "help", "_")),
}


def watch(
    tests: Iterable[ModuleType], hooks: Iterable[tuple[str, list[Any]]]
) -> Callable[[bool], str | None]:
    """Record the current state; return a function that names what has changed.

    Called with True, that function compares everything, otherwise only the modules that
    every test runs through.

    *tests* are the modules with the tests and their data. *hooks* are pytest's hooks by
    name, each with the list of its implementations.

    The function keeps references to everything that it calls. So an app that replaces
    one of these by name cannot influence it, and is detected.
    """
    own = list(tests)
    watched = [*_of(builtins), *_modules(own)]
    names = {module.__name__ for module in own}
    near = [it for it in watched if it.module in names or _below(it.module, _NEAR)]
    cells = _cells(it.owner for it in near)
    implementations = [(name, hook, list(hook)) for name, hook in hooks]
    data = [(module, name, _frozen(value)) for module, name, value in _data(own)]
    loaded = {name: sys.modules[name] for name in sorted(sys.modules) if _is_code(name)}
    # Bound now, not looked up when it is called.
    same, every, each, frozen, modules = operator.is_, all, map, _frozen, sys.modules
    size, text, difference = len, "{}.{}".format, _difference()

    def changed(whole: bool) -> str | None:
        for part in watched if whole else near:
            now = part.names
            if size(now) != size(part.values) or not every(
                each(same, now.values(), part.values)
            ):
                found = difference(part)
                if found is not None:
                    return found
        for cell, content, name in cells:
            if cell.cell_contents is not content:
                return name
        for name, hook, before in implementations:
            if size(hook) != size(before) or not every(each(same, hook, before)):
                return name
        for module, name, before in data:
            if frozen(vars(module).get(name)) != before:
                return text(module.__name__, name)
        for name, module in loaded.items():
            if modules.get(name) is not module:
                return name
        return None

    return changed


class _Part:
    """The names in one module or class, and their values."""

    __slots__ = (
        "is_module",
        "keys",
        "module",
        "name",
        "names",
        "owner",
        "strict",
        "values",
    )

    def __init__(
        self, owner: ModuleType | type, module: str, name: str, *, strict: bool
    ) -> None:
        self.owner = owner
        self.is_module = isinstance(owner, ModuleType)
        self.module = module
        self.name = name
        self.names: Mapping[str, Any] = vars(owner)
        self.values = list(self.names.values())
        self.keys = list(self.names)
        self.strict = strict


def _difference() -> Callable[[_Part], str | None]:
    """Return a function that names a relevant change in a part.

    Irrelevant changes are accepted as the new state.
    """
    builtin = frozenset(vars(builtins))
    has_code, free, missing, mapping, pairs = _has_code, _FREE, object(), dict, zip

    def difference(part: _Part) -> str | None:
        before = mapping(pairs(part.keys, part.values, strict=True))
        part.keys, part.values = [*part.names], [*part.names.values()]
        for name in {**before, **part.names}:
            old, new = before.get(name, missing), part.names.get(name, missing)
            if old is new or f"{part.name}.{name}" in free:
                continue
            if old is missing and part.is_module and name not in builtin:
                continue  # imported late; no code there uses that name
            if old is missing:
                if has_code(new):
                    return f"{part.name}.{name}"
            # Libraries fill in an empty name on first use, as redis-py does with the
            # scripts of its lock.
            elif part.strict or has_code(old):
                return f"{part.name}.{name}"
        return None

    return difference


def _modules(tests: Sequence[ModuleType]) -> list[_Part]:
    parts: list[_Part] = []
    for name, module in list(sys.modules.items()):
        if type(module) is ModuleType and _is_code(name) and module is not builtins:
            parts += _of(module)
    for module in tests:
        parts += _of(module)
    return parts


def _of(module: ModuleType) -> list[_Part]:
    """Return *module* and the classes that it defines, as parts."""
    name = module.__name__
    shown = "the workshop's worker" if name == "__main__" else name
    parts = [_Part(module, name, shown, strict=_below(name, _EVERYTHING))]
    todo = [it for it in vars(module).values() if isinstance(it, type)]
    seen = set()
    while todo:
        found = todo.pop()
        if found in seen or found.__module__ != name:
            continue
        seen.add(found)
        if found.__flags__ & _HEAP_TYPE:
            shown_as = f"{shown}.{found.__qualname__}"
            parts.append(_Part(found, name, shown_as, strict=False))
            todo += [it for it in vars(found).values() if isinstance(it, type)]
    return parts


_HEAP_TYPE = 1 << 9
"""Flag of classes that a program can change; classes written in C lack it."""


def _cells(owners: Iterable[Any]) -> list[tuple[Any, Any, str]]:
    """Return the closure variables of the test kit's functions."""
    found = []
    for owner in owners:
        module = owner.__name__ if isinstance(owner, ModuleType) else owner.__module__
        if not _below(module, ("workshop.testing",)):
            continue
        for value in vars(owner).values():
            if isinstance(value, FunctionType):
                for cell in value.__closure__ or ():
                    try:
                        content = cell.cell_contents
                    except ValueError:
                        continue  # still empty
                    found.append((cell, content, f"{module}.{value.__qualname__}"))
    return found


def _data(modules: Iterable[ModuleType]) -> list[tuple[ModuleType, str, Any]]:
    """Return the constants of the tests. They may change other names."""
    return [
        (module, name, value)
        for module in modules
        for name, value in vars(module).items()
        if name.isupper() and type(value) in (dict, list, set, tuple)
    ]


def _frozen(value: Any) -> Any:
    """Return a copy of *value* that does not change with it."""
    kind = type(value)
    if kind is dict:
        return ("dict", [(_frozen(k), _frozen(v)) for k, v in value.items()])
    if kind is list or kind is tuple:
        return (kind.__name__, [_frozen(each) for each in value])
    if kind is set:
        return ("set", frozenset(map(id, value)))
    if kind in (int, float, str, bytes, bool, type(None)):
        return (kind.__name__, value)
    return ("object", id(value))


def _has_code(value: Any) -> bool:
    return callable(value) or hasattr(type(value), "__get__")


def _is_code(module: str) -> bool:
    return _below(module, _CODE)


def _below(module: str, names: Container[str]) -> bool:
    while module and module not in names:
        module = module.rpartition(".")[0]
    return bool(module)
