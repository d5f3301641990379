"""The errors inside exception groups, by name."""

from __future__ import annotations

from collections.abc import Iterator


def leaves(error: BaseException) -> list[BaseException]:
    """Return the errors in the group *error*, however deep; else *error* alone."""
    return list(_leaves(error))


def full_name(error: BaseException) -> str:
    """Return the name of *error* that an `except` clause would need.

    Some libraries have a `ConnectionError` or a `TimeoutError` of their own.
    """
    kind = type(error)
    builtin = kind.__module__ == "builtins"
    return kind.__qualname__ if builtin else f"{kind.__module__}.{kind.__qualname__}"


def in_its_group(leaf: BaseException, error: BaseException) -> str:
    """Return what to add to the words about *leaf*, which was raised as *error*.

    The name of the leaf alone would not show that a plain `except` does not catch it.
    """
    if leaf is error:
        return ""
    name = type(error).__name__
    return f", in a{'n' if name.startswith('E') else ''} {name}"


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield from _leaves(part)
    else:
        yield error
