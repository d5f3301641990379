"""What exception groups hold: the errors that a person wants to read."""

from __future__ import annotations

from collections.abc import Iterator


def leaves(error: BaseException) -> list[BaseException]:
    """Return the errors in the group *error*, however deep; else *error* alone."""
    return list(_leaves(error))


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield from _leaves(part)
    else:
        yield error
