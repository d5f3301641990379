"""The learner's own notebooks: copies without outputs.

Running or changing a notebook changes its file. So learners open a copy, and the
checkout stays unchanged.
"""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path


class NoNotebookError(ValueError):
    """The file is not a notebook. The message says which and why."""


def own_copy(original: Path, folder: Path, *, fresh: bool = False) -> Path:
    """Return the learner's copy of *original* in *folder*; create it if necessary.

    An existing copy is not changed. With *fresh* it is renamed with a number, and a new
    one is created.

    Raises:
        NoNotebookError: *original* is not a notebook. No file was changed.
    """
    copy = folder / original.name
    if copy.exists() and not fresh:
        return copy
    text = without_outputs(original)
    folder.mkdir(parents=True, exist_ok=True)
    if copy.exists():
        copy.rename(_free_name(copy))
    copy.write_text(text, encoding="utf-8", newline="\n")
    return copy


def without_outputs(notebook: Path) -> str:
    """Return the text of *notebook* without outputs.

    Raises:
        NoNotebookError: It is not a notebook.
    """
    try:
        content = json.loads(notebook.read_text(encoding="utf-8"))
        for cell in content["cells"]:
            if cell["cell_type"] == "code":
                cell["outputs"], cell["execution_count"] = [], None
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise NoNotebookError(
            f"{notebook} is not a notebook that can be read ({problem!r}). "
            f"`python -m workshop notebooks-renew {notebook.stem[:2]}` makes it again "
            "from the text beside it."
        ) from None
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def _free_name(copy: Path) -> Path:
    names = (copy.with_stem(f"{copy.stem}-{number}") for number in count(1))
    return next(it for it in names if not it.exists())
