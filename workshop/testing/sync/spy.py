"""Observing a real function without replacing it."""

from __future__ import annotations

import functools
import importlib
import inspect
import weakref
from collections.abc import Callable
from typing import Any

from workshop.testing.reporting.source import Held, held_here
from workshop.testing.sync.condition import on_event_loop

_spies: weakref.WeakSet[Spy] = weakref.WeakSet()


class Spy:
    """Calls a `def` function, and records each call and where it was made.

    `count` is the number of calls, including those handed to other processes. `calls`
    holds the arguments of those made in this process. `held` is the learner's line if
    the function ever ran on the event loop's thread. A pickled spy is the original
    function under its own name, so process pools accept it.
    """

    def __init__(self, function: Callable[..., Any], what: str) -> None:
        """Watch *function*, which a message calls *what*."""
        self.function = function
        self.what = what
        self.calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
        self.handed_over = 0
        self.held: Held | None = None
        functools.update_wrapper(self, function)
        _spies.add(self)

    @property
    def count(self) -> int:
        """How often it was called here or handed to another process."""
        return len(self.calls) + self.handed_over

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Record the call and make it."""
        self.calls.append((args, kwargs))
        if on_event_loop() and not inspect.iscoroutinefunction(self.function):
            self.held = self.held or held_here()
        return self.function(*args, **kwargs)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str, str]]:
        """Pickle as the original function, by name."""
        self.handed_over += 1
        return _original, (self.function.__module__, self.function.__qualname__)


def _original(module: str, name: str) -> Any:
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found.function if isinstance(found, Spy) else found


def first_held_call() -> Held | None:
    """Return the line that blocked the loop in any observed call of this test."""
    return next((spy.held for spy in list(_spies) if spy.held), None)


def forget_spies() -> None:
    """Remove the spies of the previous test."""
    _spies.clear()
