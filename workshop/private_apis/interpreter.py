"""What Python's other modules keep private."""

from __future__ import annotations

import sys
import typing
import warnings
from collections.abc import Callable


def base_python() -> str:
    """Return the interpreter that the current virtual environment was made from."""
    return str(getattr(sys, "_base_executable", None) or sys.executable)


def current_warning_output() -> Callable[[warnings.WarningMessage], None]:
    """Return the function that shows warnings now, or records them.

    `warnings.catch_warnings(record=True)`, which pytest uses, records without
    replacing `warnings.showwarning`.
    """
    shown = warnings.showwarning
    if shown is warnings._showwarning_orig:  # type: ignore[attr-defined]
        output: Callable[[warnings.WarningMessage], None]
        output = warnings._showwarnmsg_impl  # type: ignore[attr-defined]
        return output

    def show(warning: warnings.WarningMessage) -> None:
        shown(
            warning.message,
            warning.category,
            warning.filename,
            warning.lineno,
            warning.file,
            warning.line,
        )

    return show


def empty_typing_caches() -> None:
    """Make `typing` forget every generic type that it has been asked for."""
    for empty in getattr(typing, "_cleanups", ()):
        empty()
