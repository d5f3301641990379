"""Several cases in one test, of which only the failed one is reported."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

_listener: Callable[[], None] | None = None


def cases(values: Iterable[T]) -> Iterator[T]:
    """Yield each of *values*, for a test that fails with the first wrong one.

    What the app printed and raised during cases that have passed is not reported.
    """
    for value in values:
        yield value
        if _listener is not None:
            _listener()


def on_passed_case(listener: Callable[[], None] | None) -> None:
    """Call *listener* when a case of a test has passed."""
    global _listener
    _listener = listener
