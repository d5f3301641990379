"""Find the user's function that a thread is asked to run."""

from __future__ import annotations

import asyncio
import functools
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from workshop.timeline.places import Files

# The names of functions that pass another function to a thread.
_PASSING = frozenset(
    {
        "run_sync",
        "to_thread",
        "run_in_threadpool",
        "run_in_executor",
        "_run_in_executor",
        "handed_over",
    }
)


def function_of(
    function: Any, args: tuple[Any, ...], files: Files
) -> tuple[Any, dict[str, object] | None]:
    """Return the user's function, and its arguments if they are known.

    Libraries wrap the function in partials, `Context.run` and methods of generators.
    """
    plain = _unwrapped(function, args, {})
    for candidate, given, options in plain:
        code = getattr(candidate, "__code__", getattr(candidate, "gi_code", None))
        if files.is_users(code):
            return candidate, _arguments(candidate, given, options)
    candidate, given, options = plain[-1] if plain else (function, args, {})
    return candidate, None


def _unwrapped(
    function: Any, args: tuple[Any, ...], options: dict[str, Any]
) -> list[tuple[Any, tuple[Any, ...], dict[str, Any]]]:
    """Return the functions that may be the user's, the most likely one last."""
    if isinstance(function, functools.partial):
        return _unwrapped(
            function.func, (*function.args, *args), {**function.keywords, **options}
        )
    found = [(function, args, options)]
    owner = getattr(function, "__self__", None)
    generator = getattr(owner, "gen", owner)
    if inspect.isgenerator(generator):
        found.append((generator, (), {}))
    for n, argument in enumerate(args):
        if callable(argument) or inspect.isgenerator(argument):
            found += _unwrapped(argument, args[n + 1 :], options)
            break
    for argument in options.values():
        if inspect.isfunction(argument):
            found += _unwrapped(argument, (), {})
    return found


def _arguments(
    function: Any, args: tuple[Any, ...], options: dict[str, Any]
) -> dict[str, object] | None:
    try:
        return inspect.signature(function).bind(*args, **options).arguments
    except (TypeError, ValueError):
        return None


def handed_over_by_users(frame: FrameType | None, files: Files) -> bool:
    """Return whether the user's code, and not a library, started the thread."""
    while frame is not None:
        if frame.f_code.co_name not in _PASSING:
            return files.is_users(frame.f_code)
        frame = frame.f_back
    return False


@contextmanager
def anyio_threads(
    loop: asyncio.AbstractEventLoop,
    handed_over: Callable[[Callable[..., Any], tuple[Any, ...]], Callable[..., Any]],
) -> Iterator[None]:
    """Call *handed_over* with each function that anyio runs in a thread for *loop*.

    Starlette and FastAPI call `anyio.to_thread.run_sync` as an attribute. Calls from
    code that has imported the function itself are not observed.
    """
    to_thread: Any = sys.modules.get("anyio.to_thread")
    if to_thread is None:
        yield
        return
    real = to_thread.run_sync

    @functools.wraps(real)
    async def run_sync(function: Callable[..., Any], *args: Any, **options: Any) -> Any:
        if asyncio.get_running_loop() is loop and listening:
            function = handed_over(function, args)
        return await real(function, *args, **options)

    listening = True
    to_thread.run_sync = run_sync
    try:
        yield
    finally:
        listening = False
        if to_thread.run_sync is run_sync:
            to_thread.run_sync = real
