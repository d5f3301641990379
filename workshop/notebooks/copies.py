"""The learner's own notebooks: copies without outputs, to predict and to run.

Whoever runs or changes a notebook changes its file. So what learners open is a
copy, and the checkout stays as it is.
"""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path


class NoNotebookError(ValueError):
    """A file is not a notebook. The message says which and why."""


def own_copy(original: Path, folder: Path, *, fresh: bool = False) -> Path:
    """Return the learner's copy of *original* in *folder*, made if need be.

    A copy that is there stays as it is. With *fresh* it is kept beside the new
    one, under a name with a number. Raises `NoNotebookError` when *original* is
    not a notebook, and then no file has changed.
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
    """Return the text of *notebook* as if nobody had run it yet.

    Raises `NoNotebookError`.
    """
    try:
        content = json.loads(notebook.read_text(encoding="utf-8"))
        for cell in content["cells"]:
            if cell["cell_type"] == "code":
                cell["outputs"], cell["execution_count"] = [], None
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise NoNotebookError(
            f"{notebook} is not a notebook that can be read ({problem!r}). "
            f"`python -m workshop notebooks-renew {notebook.stem[:2]}` makes it anew "
            "from the text beside it."
        ) from None
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def _free_name(copy: Path) -> Path:
    names = (copy.with_stem(f"{copy.stem}-{number}") for number in count(1))
    return next(it for it in names if not it.exists())
