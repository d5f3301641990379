"""Observe an event loop: what is queued, what runs, and since when it was ready.

A task takes every step through `loop.call_soon`, in C and in Python, with uvloop and
with asyncio. So it is enough to observe this one method. Coroutines, tasks and futures
are not changed.
"""

from __future__ import annotations

import asyncio
import inspect
import math
import sys
import threading
import time
import weakref
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from workshop.private_apis.event_loop import without_caller

Task = asyncio.Task[Any]

# A queued method with one of these names is a request to the task, not a step.
_NO_STEPS = frozenset(name for name in dir(asyncio.Task) if not name.startswith("_"))


class Listener(Protocol):
    """The calls that a tap makes."""

    def queued(self, task: Task, since: float) -> None:
        """A step of *task* was put into the loop's queue."""

    def began(self, task: Task | None, since: float) -> None:
        """A step of *task* begins, or of a callback that belongs to no task."""

    def ended(self, task: Task | None, callback: object) -> None:
        """The step or callback that began last has ended."""

    def starting(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        """A task is about to be created, and may take its first step at once."""

    def started(self, task: Task | None) -> None:
        """The task was created, or its creation failed."""

    def handed_over(
        self, function: Callable[..., Any], args: tuple[Any, ...]
    ) -> Callable[..., Any]:
        """A thread will call *function*. Return what it should call instead."""


class Tap:
    """Observes the queue of one loop.

    A loop can have several taps, which can be removed in any order.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        listener: Listener,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.loop = loop
        self.clock = clock or clock_of(loop)
        self._by_loop = clock is None
        self._listener = listener
        # The time since which the running callback, if it is not a task's, was ready.
        self._origin: float | None = None
        self.thread = threading.get_ident()
        self._inner: dict[str, Callable[..., Any]] = {}
        self._own: dict[str, bool] = {}
        self._factory: Any = None
        self._installed = False

    def install(self) -> None:
        """Start observing."""
        self._installed = True
        _taps.setdefault(self.loop, []).append(self)
        for name, replacement in self._replacements().items():
            self._own[name] = name in vars(self.loop)
            self._inner[name] = getattr(self.loop, name)
            setattr(self.loop, name, replacement)
        self._factory = self.loop.get_task_factory()
        # Tasks that start at once are never queued. An existing factory creates them
        # or, from Python 3.14 on, the loop itself. In other cases this sets no factory,
        # because some versions of Python name the tasks of any factory "None".
        if self._factory is not None or sys.version_info >= (3, 14):
            factory: Any = self.make_task
            self.loop.set_task_factory(factory)

    def remove(self) -> None:
        """Restore the loop to its state before `install`."""
        self._installed = False
        taps = _taps[self.loop]
        at = taps.index(self)
        taps.remove(self)
        if at < len(taps):
            above = taps[at]
            above._inner, above._own = self._inner, self._own
            if above._factory == self.make_task:
                above._factory = self._factory
            return
        for name, inner in self._inner.items():
            if self._own[name]:
                setattr(self.loop, name, inner)
            else:
                delattr(self.loop, name)
        if self.loop.get_task_factory() == self.make_task:
            self.loop.set_task_factory(self._factory)
        if not taps:
            del _taps[self.loop]

    def queue(self, callback: Callable[[], object]) -> None:
        """Put *callback* into the loop's queue, unobserved."""
        self._inner["call_soon"](callback)

    def _replacements(self) -> dict[str, Callable[..., Any]]:
        replacements: dict[str, Callable[..., Any]] = {
            "call_soon": self._call_soon,
            "call_soon_threadsafe": self._call_soon_threadsafe,
            "run_in_executor": self._run_in_executor,
        }
        # One of these two methods calls the other. Observe the inner one.
        if isinstance(self.loop, asyncio.BaseEventLoop):
            replacements["call_at"] = self._call_at
        else:
            replacements["call_later"] = self._call_later
        return replacements

    def _call_soon(
        self, callback: Callable[..., object], *args: Any, **options: Any
    ) -> Any:
        step = self._step(callback, None)
        return without_caller(self._inner["call_soon"](step, *args, **options))

    def _call_soon_threadsafe(
        self, callback: Callable[..., object], *args: Any, **options: Any
    ) -> Any:
        # Not _step: threads must not touch what the loop's thread writes.
        if not isinstance(callback, Step) and not inspect.iscoroutinefunction(callback):
            callback = Step(self, callback, None, self.clock())
        handle = self._inner["call_soon_threadsafe"](callback, *args, **options)
        return without_caller(handle)

    def _call_at(
        self, when: float, callback: Callable[..., object], *args: Any, **options: Any
    ) -> Any:
        # The due time is known only on the loop's own clock.
        due = self.clock() + when - self.loop.time() if self._by_loop else math.inf
        step = self._step(callback, due)
        return without_caller(self._inner["call_at"](when, step, *args, **options))

    def _call_later(
        self, delay: float, callback: Callable[..., object], *args: Any, **options: Any
    ) -> Any:
        step = self._step(callback, self.clock() + max(delay, 0))
        return without_caller(self._inner["call_later"](delay, step, *args, **options))

    def _run_in_executor(
        self, executor: Any, function: Callable[..., Any], *args: Any
    ) -> Any:
        # Functions for other processes or interpreters must not be wrapped.
        if executor is None or type(executor) is ThreadPoolExecutor:
            function = self._listener.handed_over(function, args)
        return self._inner["run_in_executor"](executor, function, *args)

    def _step(self, callback: Any, due: float | None) -> Any:
        if isinstance(callback, Step) and callback.tap is self:
            return callback
        task = task_of(callback)
        if task is None:
            # asyncio reports the error itself.
            if not callable(callback) or (
                self.loop.get_debug() and inspect.iscoroutinefunction(callback)
            ):
                return callback
            since = due if due is not None else self._since()
            return Step(self, callback, None, since)
        since = self._since()
        self._listener.queued(task, since)
        return Step(self, callback, task, since)

    def _since(self) -> float:
        return self.clock() if self._origin is None else self._origin

    def run(self, step: Step, args: tuple[Any, ...]) -> None:
        """Run *step*, and report its beginning and end."""
        if not self._installed:
            step.callback(*args)
            return
        self._listener.began(step.task, step.since)
        if step.task is None:
            self._origin = min(step.since, self.clock())
        try:
            step.callback(*args)
        finally:
            self._origin = None
            self._listener.ended(step.task, step.callback)

    def make_task(
        self,
        loop: asyncio.AbstractEventLoop,
        coroutine: Coroutine[Any, Any, Any],
        **options: Any,
    ) -> Any:
        """Create a task as the loop would, and notice if it starts at once."""
        if self._factory is None and not options.get("eager_start"):
            return asyncio.Task(coroutine, loop=loop, **options)
        self._listener.starting(coroutine)
        task = None
        try:
            if self._factory is None:
                task = asyncio.Task(coroutine, loop=loop, **options)
            else:
                task = self._factory(loop, coroutine, **options)
        finally:
            self._listener.started(task)
        return task


class Step:
    """A callback in the loop's queue, and since when it was ready.

    Code that inspects it, such as a log, sees the callback.
    """

    __slots__ = ("callback", "since", "tap", "task")

    def __init__(
        self,
        tap: Tap,
        callback: Callable[..., object],
        task: Task | None,
        since: float,
    ) -> None:
        self.tap, self.callback, self.task, self.since = tap, callback, task, since

    def __call__(self, *args: Any) -> None:
        """Run the callback."""
        self.tap.run(self, args)

    @property
    def __wrapped__(self) -> Callable[..., object]:
        return self.callback

    def __getattr__(self, name: str) -> Any:
        return getattr(self.callback, name)

    def __repr__(self) -> str:
        return repr(self.callback)


def task_of(callback: object) -> Task | None:
    """Return the task of which *callback* is a step, or None."""
    if isinstance(callback, Step):
        return callback.task
    owner = getattr(callback, "__self__", None)
    if not isinstance(owner, asyncio.Task):
        return None
    return None if getattr(callback, "__name__", "") in _NO_STEPS else owner


def has_own_time(loop: asyncio.AbstractEventLoop) -> bool:
    """Return whether *loop* has a time of its own."""
    return (
        isinstance(loop, asyncio.BaseEventLoop)
        and type(loop).time is not asyncio.BaseEventLoop.time
    )


def clock_of(loop: asyncio.AbstractEventLoop) -> Callable[[], float]:
    """Return the loop's clock if it has its own time; otherwise a precise clock."""
    return loop.time if has_own_time(loop) else time.perf_counter


_taps: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, list[Tap]] = (
    weakref.WeakKeyDictionary()
)
