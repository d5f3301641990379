"""What the tests rely on, and whether the app under test has changed it.

The app runs in the same interpreter as its tests, so it could make a test
pass by changing the code that judges it. What that code consists of is noted
before the app is loaded and compared after each part of a test: the functions
and classes of pytest, of the test kit and of the libraries that both use, the
lesson's own test module with its data, and the plugins that pytest calls.

What belongs to libraries but is no code (a default timeout, a policy, a
registry) may change: an app may configure the libraries that it uses.
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

# Modules, each with those below it, whose functions and classes must stay.
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
# Those that a test itself runs through: compared after each part of a test, and
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
# Modules of which nothing may change, but for what they themselves set.
_EVERYTHING = ("workshop",)
# Names that may stand for something else later.
_FREE = {
    # Set by the test kit itself.
    "workshop.testing.time.watchdog._keeper",
    "workshop.testing.reporting.cases._listener",
    *SET_BY_PYTEST_FOR_EACH_TEST,
    # While a failure is recorded: threads are seen where the app begins them.
    "anyio.to_thread.run_sync",
    "threading.excepthook",
    # Programs replace these for reasons of their own.
    *(f"builtins.{it}" for it in ("print", "input", "breakpoint", "help", "_")),
}


def watch(
    tests: Iterable[ModuleType], hooks: Iterable[tuple[str, list[Any]]]
) -> Callable[[bool], str | None]:
    """Note what there is now; return a function that names what has changed.

    It looks at all that it knows if it is told so, else at what is near.

    *tests* are the modules with the tests and their data. *hooks* are pytest's
    hooks by name, each with the list of its implementations.

    The function holds on to all that it calls. An app that replaces one of
    these by name changes nothing here, and is found out.
    """
    own = list(tests)
    watched = [*_of(builtins), *_modules(own)]
    names = {module.__name__ for module in own}
    near = [it for it in watched if it.module in names or _below(it.module, _NEAR)]
    cells = _cells(it.owner for it in near)
    implementations = [(name, hook, list(hook)) for name, hook in hooks]
    data = [(module, name, _frozen(value)) for module, name, value in _data(own)]
    loaded = {name: sys.modules[name] for name in sorted(sys.modules) if _is_code(name)}
    # Bound here, not looked up when it is called.
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
    """The names of one module or class, and what they stood for."""

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
    """Return a function that names what matters of what has changed in a part.

    What does not matter is taken for right from then on.
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
                continue  # imported late; no code there looks for that name
            if old is missing:
                if has_code(new):
                    return f"{part.name}.{name}"
            # Libraries fill a name that was empty when they first need it, as
            # redis-py does with the scripts of its lock.
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
"""Flag of classes that a program can change; those written in C it cannot."""


def _cells(owners: Iterable[Any]) -> list[tuple[Any, Any, str]]:
    """Return the variables that functions of the test kit keep from outside."""
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
                        continue  # empty so far
                    found.append((cell, content, f"{module}.{value.__qualname__}"))
    return found


def _data(modules: Iterable[ModuleType]) -> list[tuple[ModuleType, str, Any]]:
    """Return the constants of the tests. Other names are theirs to change."""
    return [
        (module, name, value)
        for module in modules
        for name, value in vars(module).items()
        if name.isupper() and type(value) in (dict, list, set, tuple)
    ]


def _frozen(value: Any) -> Any:
    """Return *value* as something that does not change with it."""
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
