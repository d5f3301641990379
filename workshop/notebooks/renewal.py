"""Generate a notebook from its text."""

from __future__ import annotations

from pathlib import Path

from nbformat.reader import NotJSONError
from nbformat.validator import NotebookValidationError as NBFormatError

from workshop.notebooks.execution import executed, keep_real_times
from workshop.notebooks.pairing import Notebook, made_of, notebook_of, read, write


def renewed(text: Path) -> bool:
    """Write the notebook of *text* with the current outputs.

    Returns whether it changed.

    Raises:
        ExecutionError: A cell fails. The notebook is unchanged.
    """
    path = notebook_of(text)
    before = _readable(path)
    notebook = executed(made_of(text.read_text(encoding="utf-8"), before), text.parent)
    keep_real_times(notebook, before)
    if notebook == before:
        return False
    write(notebook, path)
    return True


def _readable(path: Path) -> Notebook | None:
    """Return the notebook at *path*; None if there is none that can be read."""
    try:
        return read(path) if path.is_file() else None
    except (NBFormatError, NotJSONError, OSError, UnicodeDecodeError):
        return None
