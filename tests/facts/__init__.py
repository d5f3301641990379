"""Statements about libraries, each a test that fails when it is no longer true.

`docs/reference/facts.md` is made from them by `python -m workshop pages`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

_Test = TypeVar("_Test", bound=Callable[..., Any])

FACT = "__fact__"
"""The attribute that marks a test as a fact: (packages, topic)."""


def fact(*packages: str, topic: str) -> Callable[[_Test], _Test]:
    """Mark a test as a statement about *packages*, listed under *topic*.

    The test's docstring is the statement, one or two sentences. *packages*
    are distribution names; their installed versions are shown beside it.
    """

    def mark(test: _Test) -> _Test:
        setattr(test, FACT, (packages, topic))
        return test

    return mark
