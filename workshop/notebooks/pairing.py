"""Pair each notebook's text, `NN_name.py`, with the notebook, `NN_name.ipynb`.

Authors edit and reviewers read the text. The notebook has the same cells, with the
outputs of the last run of `notebooks-renew`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import jupytext
import nbformat

METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
"""The metadata of every notebook, which says nothing about a machine."""

Cell = Any
Notebook = Any
"""nbformat's own classes, which are not typed."""


def texts(root: Path) -> list[Path]:
    """Return the texts of the notebooks in the checkout *root*."""
    return sorted((root / "notebooks").glob("[0-9]*.py"))


def notebook_of(text: Path) -> Path:
    """Return the path of the notebook of *text*, which may not exist yet."""
    return text.with_suffix(".ipynb")


def read(path: Path) -> Notebook:
    """Return the notebook in the file *path*."""
    return nbformat.read(path, as_version=4)


def write(notebook: Notebook, path: Path) -> None:
    """Write *notebook* to *path*, with the same line endings on every system."""
    path.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8", newline="\n")


def made_of(text: str, before: Notebook | None = None) -> Notebook:
    """Return the notebook that *text* describes, without outputs.

    Cells keep their ids from *before*, so a changed word changes one line. The ids of
    new cells depend only on their text.
    """
    cells = jupytext.reads(text, fmt="py:percent").cells
    old = [] if before is None else before.cells
    ids = dict(_kept_ids(old, cells))
    used = set(ids.values())
    for number, cell in enumerate(cells):
        cell.id = ids.get(number) or _new_id(cell, used)
        used.add(cell.id)
        tags = cell.metadata.get("tags")
        cell.metadata = {"tags": tags} if tags else {}
    made = nbformat.v4.new_notebook(cells=cells, metadata=METADATA)
    made.nbformat_minor = 5
    return made


def differences(text: str, notebook: Notebook) -> Iterator[str]:
    """Yield the differences between *notebook* and *text*, in words."""
    wanted = made_of(text, notebook)
    if len(wanted.cells) != len(notebook.cells):
        yield f"{len(wanted.cells)} cells in the text, {len(notebook.cells)} beside it"
        return
    pairs = zip(wanted.cells, notebook.cells, strict=True)
    for number, (mine, theirs) in enumerate(pairs, 1):
        for part in ("cell_type", "id", "source", "metadata"):
            if mine[part] != theirs[part]:
                yield f"cell {number} has another {part} than in the text"
    if wanted.metadata != notebook.metadata:
        yield "its metadata contains more than it should"


def _kept_ids(old: list[Cell], new: list[Cell]) -> Iterator[tuple[int, str]]:
    """Yield number and id of each cell that existed before."""
    matcher = SequenceMatcher(None, [_key(it) for it in old], [_key(it) for it in new])
    for _, i1, i2, j1, j2 in matcher.get_opcodes():
        if i2 - i1 == j2 - j1:
            yield from zip(range(j1, j2), (it.id for it in old[i1:i2]), strict=True)


def _new_id(cell: Cell, used: set[str]) -> str:
    digest = hashlib.sha256(_key(cell).encode()).hexdigest()
    return next(it for n in range(56) if (it := digest[n : n + 8]) not in used)


def _key(cell: Cell) -> str:
    return f"{cell.cell_type}\n{cell.source}"
