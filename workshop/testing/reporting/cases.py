"""Several cases in one test, of which only the failed one is reported."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

_listener: Callable[[], None] | None = None


def cases(values: Iterable[T]) -> Iterator[T]:
    """Yield each of *values*, for a test that fails with the first wrong one.

    What the app printed during earlier cases is not reported.
    """
    for number, value in enumerate(values):
        if number and _listener is not None:
            _listener()
        yield value


def on_passed_case(listener: Callable[[], None] | None) -> None:
    """Call *listener* when a test goes on to its next case."""
    global _listener
    _listener = listener
