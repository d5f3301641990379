"""What exception groups hold: the errors that a person wants to read, by name."""

from __future__ import annotations

from collections.abc import Iterator


def leaves(error: BaseException) -> list[BaseException]:
    """Return the errors in the group *error*, however deep; else *error* alone."""
    return list(_leaves(error))


def full_name(error: BaseException) -> str:
    """Return the name of *error* that an `except` would need.

    Libraries have a `ConnectionError` or a `TimeoutError` of their own.
    """
    kind = type(error)
    builtin = kind.__module__ == "builtins"
    return kind.__qualname__ if builtin else f"{kind.__module__}.{kind.__qualname__}"


def in_its_group(leaf: BaseException, error: BaseException) -> str:
    """Return what to add to the words on *leaf*, which came as *error*.

    Who would catch it has to know: `except` and the leaf's name do not.
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
