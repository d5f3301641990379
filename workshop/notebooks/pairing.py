"""A notebook is written as text, `NN_name.py`, and handed out as `NN_name.ipynb`.

The text is what authors edit and reviewers read. The notebook has the same
cells, and what they gave when `notebooks-renew` ran them.
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
"""All that a notebook says of where it runs: nothing of anybody's machine."""

Cell = Any
Notebook = Any
"""nbformat's own classes, which have no types."""


def texts(root: Path) -> list[Path]:
    """Return the texts of the notebooks in the checkout *root*."""
    return sorted((root / "notebooks").glob("[0-9]*.py"))


def notebook_of(text: Path) -> Path:
    """Return where the notebook of *text* is, if it has been made."""
    return text.with_suffix(".ipynb")


def read(path: Path) -> Notebook:
    """Return the notebook in the file *path*."""
    return nbformat.read(path, as_version=4)


def write(notebook: Notebook, path: Path) -> None:
    """Write *notebook* to *path*, with the same line ends on every system."""
    path.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8", newline="\n")


def made_of(text: str, before: Notebook | None = None) -> Notebook:
    """Return the notebook that *text* describes, with nothing run.

    Cells keep the ids that they have in *before*, so that a changed word is a
    changed line. New cells get one that depends on nothing but their text.
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
    """Yield in words where *notebook* is not what *text* describes."""
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
        yield "its metadata says more than it should"


def _kept_ids(old: list[Cell], new: list[Cell]) -> Iterator[tuple[int, str]]:
    """Yield, for cells that were there before, their number and their id."""
    matcher = SequenceMatcher(None, [_key(it) for it in old], [_key(it) for it in new])
    for _, i1, i2, j1, j2 in matcher.get_opcodes():
        if i2 - i1 == j2 - j1:
            yield from zip(range(j1, j2), (it.id for it in old[i1:i2]), strict=True)


def _new_id(cell: Cell, used: set[str]) -> str:
    digest = hashlib.sha256(_key(cell).encode()).hexdigest()
    return next(it for n in range(56) if (it := digest[n : n + 8]) not in used)


def _key(cell: Cell) -> str:
    return f"{cell.cell_type}\n{cell.source}"
