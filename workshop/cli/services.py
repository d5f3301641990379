"""Start what a lesson needs, and say what it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from workshop.lesson import Lesson


@contextmanager
def services_for(
    lesson: Lesson,
    database: str | None,
    folder: Path | None = None,
    *,
    say: Callable[[str], None],
) -> Iterator[dict[str, str]]:
    """Yield the environment that tells the lesson which services to use."""
    with ExitStack():
        yield {}
