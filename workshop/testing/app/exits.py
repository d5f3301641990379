"""An app's attempts to end the process or the test from inside."""

from __future__ import annotations

import sys

from workshop.testing.reporting.failures import ENDED_IT, AppExit
from workshop.testing.reporting.source import line_of_error


def as_app_exit(error: BaseException, where: str) -> AppExit | None:
    """Return the `AppExit` that *error* amounts to, or None if it is an ordinary error.

    `KeyboardInterrupt` counts only if a line of the app raises it, because Ctrl-C from
    the keyboard has to work.
    """
    found = _find(error)
    if found is None:
        return None
    place = line_of_error(found)
    if isinstance(found, KeyboardInterrupt) and not (
        place and "KeyboardInterrupt" in place.source
    ):
        return None
    file = place.file if place else "app.py"
    line = f"\n{place.labelled}" if place else ""
    exit_ = AppExit(
        f"{_short(file)} {_action(found)} {where}. An app must not end the process or "
        f"the test that it runs in.{line}"
    )
    exit_.__cause__ = found
    return exit_


def _find(error: BaseException) -> BaseException | None:
    if isinstance(error, BaseExceptionGroup):
        return next((f for f in map(_find, error.exceptions) if f), None)
    ends = isinstance(error, SystemExit | KeyboardInterrupt)
    return error if ends or _pytest_call(error) else None


def _action(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return ENDED_IT
    return _pytest_call(error) or f"raised {type(error).__name__}"


def _pytest_call(error: BaseException) -> str | None:
    pytest = sys.modules.get("pytest")
    if pytest is None:
        return None
    for name in ("skip", "xfail", "exit", "fail"):
        if isinstance(error, getattr(pytest, name).Exception):
            return f"called pytest.{name}()"
    return None


def _short(file: str) -> str:
    return file.replace("\\", "/").rpartition("/")[2]
