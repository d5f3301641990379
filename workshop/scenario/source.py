"""Run the current text of a file as a module."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType


def loaded(file: Path, name: str) -> ModuleType:
    """Return a module called *name* with the definitions in *file*.

    It is compiled from the text each time. An import might use the byte code of an
    older text that has the same size and was written in the same second.
    """
    module = ModuleType(name)
    module.__file__ = str(file)
    code = compile(
        file.read_text(encoding="utf-8"), str(file), "exec", dont_inherit=True
    )
    exec(code, module.__dict__)  # noqa: S102 -- a file of the project's own
    return module
