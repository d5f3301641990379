"""Warnings about coroutines and resources that an app forgot, caught while it runs."""

from __future__ import annotations

import inspect
import re
import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import CodeType, CoroutineType
from typing import Any, TextIO

from workshop.private_apis.interpreter import current_warning_output
from workshop.testing.reporting.source import SourceLine, is_learner_file, line_of_code

_NEVER_AWAITED = re.compile(r"coroutine '(?P<name>[^']+)' was never awaited")
_ORIGIN = re.compile(
    r'File "(?P<file>[^"]+)", line (?P<line>\d+), in (?P<function>\S+)'
)
_LEFT_BEHIND = (
    r"(?s)unclosed|.*was never closed|.*not closed"
    r"|The garbage collector is trying to clean up"
)

# How many frames a coroutine remembers of where it was made.
_ORIGIN_DEPTH = 12


@dataclass
class Forgotten:
    """What an app forgot while it was loaded."""

    coroutines: list[str] = field(default_factory=list)
    resources: list[str] = field(default_factory=list)


@contextmanager
def forgotten_things(codes: dict[str, CodeType]) -> Iterator[Forgotten]:
    """Collect warnings about coroutines never awaited and resources never closed.

    Otherwise they would appear, or become an error, wherever the garbage collector
    finds them, perhaps in the next test. Other warnings are shown as usual. *codes*
    maps qualified names to the app's functions; it may be filled later.
    """
    found = Forgotten()
    depth = sys.get_coroutine_origin_tracking_depth()
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "always", r"(?s)coroutine '.*' was never awaited", RuntimeWarning
        )
        warnings.simplefilter("always", ResourceWarning)
        warnings.filterwarnings("always", _LEFT_BEHIND)
        output = current_warning_output()

        def show(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            text = str(message)
            if name := _NEVER_AWAITED.match(text):
                found.coroutines.append(_describe(name["name"], text, codes))
            elif issubclass(category, ResourceWarning) or re.match(_LEFT_BEHIND, text):
                found.resources.append(text)
            else:
                output(
                    warnings.WarningMessage(
                        message, category, filename, lineno, file, line
                    )
                )

        warnings.showwarning = show
        sys.set_coroutine_origin_tracking_depth(_ORIGIN_DEPTH)
        try:
            yield found
        finally:
            sys.set_coroutine_origin_tracking_depth(depth)


def unawaited_in(error: BaseException) -> list[str]:
    """Describe the coroutines that variables of the learner's code still refer to.

    The traceback of *error* keeps them alive, so Python gives no warning yet. The usual
    case is a missing `await`, noticed when the coroutine is used like its result.
    """
    return [
        _described(value)
        for frame, _ in traceback.walk_tb(error.__traceback__)
        if is_learner_file(frame.f_code.co_filename)
        for value in frame.f_locals.values()
        if inspect.iscoroutine(value)
        and inspect.getcoroutinestate(value) == inspect.CORO_CREATED
    ]


def _described(coroutine: CoroutineType[Any, Any, Any]) -> str:
    short = coroutine.__qualname__.rpartition("<locals>.")[2]
    for file, line, function in coroutine.cr_origin or ():
        if is_learner_file(file):
            return f"{short}() made in {SourceLine(file, line, function)}"
    return f"{short}()"


def _describe(name: str, text: str, codes: dict[str, CodeType]) -> str:
    """Return the name of a coroutine and the learner's line that made it."""
    short = name.rpartition("<locals>.")[2]
    origins = [
        SourceLine(m["file"], int(m["line"]), m["function"])
        for m in _ORIGIN.finditer(text)
        if is_learner_file(m["file"])
    ]
    if origins:
        return f"{short}() made in {origins[-1]}"
    # Made in a worker thread, where Python does not keep track.
    defined = line_of_code(codes[name]) if name in codes else None
    return f"{short}() defined at {defined.labelled}" if defined else f"{short}()"
