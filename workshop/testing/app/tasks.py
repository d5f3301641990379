"""Descriptions of tasks for learners."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

from workshop.testing.reporting.source import SourceLine, is_learner_file


def describe(task: asyncio.Task[Any]) -> str:
    """Return for example `task refresh() at app.py:41: await fetch_prices()`."""
    coroutine: Any = task.get_coro()
    name = getattr(coroutine, "__qualname__", repr(coroutine))
    name = name.rpartition("<locals>.")[2]
    place = _innermost_learner_line(coroutine)
    return (
        f"task {name}() at {place.short}: {place.source}" if place else f"task {name}()"
    )


def _innermost_learner_line(coroutine: Any) -> SourceLine | None:
    found = None
    while coroutine is not None:
        if inspect.iscoroutine(coroutine):
            frame, inner = coroutine.cr_frame, coroutine.cr_await
        elif inspect.isgenerator(coroutine):
            frame, inner = coroutine.gi_frame, coroutine.gi_yieldfrom
        elif inspect.isasyncgen(coroutine):
            frame, inner = coroutine.ag_frame, coroutine.ag_await
        else:
            break
        if frame is not None and is_learner_file(frame.f_code.co_filename):
            found = SourceLine(
                frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name
            )
        coroutine = inner
    return found
