"""Why an action was not carried out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from workshop.lesson import LessonError
from workshop.progress import ReplacementError
from workshop.services import ServiceError


class ActionError(Exception):
    """The action was not carried out. The message says why and what to do next."""


class RequestError(ActionError):
    """The learner has to ask for something else: this is not there, or not now."""


@contextmanager
def as_action_errors() -> Iterator[None]:
    """Raise `ActionError` for what fails in services, lessons and files."""
    try:
        yield
    except (ServiceError, LessonError, ReplacementError) as problem:
        raise ActionError(str(problem)) from None
