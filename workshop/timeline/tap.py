"""Observe an event loop: what is queued, what runs, and since when it was ready.

A task takes every step through `loop.call_soon`, in C and in Python alike, with uvloop
as with asyncio. So it is enough to observe that one place: coroutines, tasks and
futures remain exactly what they are.
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

# What is queued under these names is a request to the task, not a step of it.
_NO_STEPS = frozenset(name for name in dir(asyncio.Task) if not name.startswith("_"))


class Listener(Protocol):
    """The calls that a tap makes."""

    def queued(self, task: Task, since: float) -> None:
        """A step of *task* was put into the loop's queue."""

    def began(self, task: Task | None, since: float) -> None:
        """A step of *task* begins, or a callback that belongs to none."""

    def ended(self, task: Task | None, callback: object) -> None:
        """The step or callback that began last is over."""

    def starting(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        """A task is about to be made, and may take its first step at once."""

    def started(self, task: Task | None) -> None:
        """The task was made, or that failed."""

    def handed_over(
        self, function: Callable[..., Any], args: tuple[Any, ...]
    ) -> Callable[..., Any]:
        """A thread is to call *function*; return what it calls instead."""


class Tap:
    """Observes what is put into the queue of one loop.

    Several taps may sit on a loop, one on top of another, and be removed in any order.
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
        # Since when the callback that runs now, and is no task's, could have run.
        self._origin: float | None = None
        self.thread = threading.get_ident()
        self._inner: dict[str, Callable[..., Any]] = {}
        self._own: dict[str, bool] = {}
        self._factory: Any = None
        self._installed = False

    def install(self) -> None:
        """Begin to observe."""
        self._installed = True
        _taps.setdefault(self.loop, []).append(self)
        for name, replacement in self._replacements().items():
            self._own[name] = name in vars(self.loop)
            self._inner[name] = getattr(self.loop, name)
            setattr(self.loop, name, replacement)
        self._factory = self.loop.get_task_factory()
        # Tasks that start at once are not queued before. They are made by a factory
        # that is there already or, from Python 3.14 on, on demand. Elsewhere we set
        # none: some versions of Python call the tasks of any factory "None".
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
        # The one of the two through which the other goes.
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
        # By another clock than the loop's nobody knows.
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
        # What goes to other processes or interpreters must stay as it is.
        if executor is None or type(executor) is ThreadPoolExecutor:
            function = self._listener.handed_over(function, args)
        return self._inner["run_in_executor"](executor, function, *args)

    def _step(self, callback: Any, due: float | None) -> Any:
        if isinstance(callback, Step) and callback.tap is self:
            return callback
        task = task_of(callback)
        if task is None:
            # asyncio itself says what is wrong with these.
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
        """Make a task as the loop would, and notice if it begins at once."""
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

    To code that inspects it, such as a log, it is the callback.
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
    """Return the task of which *callback* is a step."""
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
    """Return the clock to draw by: a precise one, or the loop's if it has its own."""
    return loop.time if has_own_time(loop) else time.perf_counter


_taps: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, list[Tap]] = (
    weakref.WeakKeyDictionary()
)
