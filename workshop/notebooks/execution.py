"""Run a notebook, and keep its outputs in a form that can be compared."""

from __future__ import annotations

from pathlib import Path

from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import from_dict

from workshop.notebooks.pairing import METADATA, Cell, Notebook
from workshop.notebooks.places import private_places

CELL_SECONDS = 60
REAL_TIME = "nbval-ignore-output"
"""The tag of cells that measure real time, so their outputs differ in each run."""


class ExecutionError(Exception):
    """A notebook did not run to its end. The message says where and why."""


def executed(notebook: Notebook, folder: Path) -> Notebook:
    """Run *notebook* as if it were in *folder*, and return it with its outputs.

    Raises:
        ExecutionError: A cell fails that is not tagged as failing.
    """
    client = NotebookClient(
        notebook,
        timeout=CELL_SECONDS,
        resources={"metadata": {"path": str(folder)}},
        coalesce_streams=True,
        record_timing=False,
    )
    with private_places():
        try:
            client.execute()
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as problem:
            raise ExecutionError(str(problem)) from None
    # The kernel has added its Python version, which depends on this machine.
    notebook.metadata = from_dict(METADATA)
    for cell in _code(notebook):
        cell.outputs = [_plain(it) for it in cell.outputs]
    return notebook


def keep_real_times(notebook: Notebook, before: Notebook | None) -> None:
    """Give cells of *notebook* that measure real time their outputs from *before*.

    They differ in each run, which is irrelevant as long as the code up to there is the
    same.
    """
    for cell, old in zip(_code(notebook), _code(before), strict=False):
        if cell.source != old.source:
            return
        if REAL_TIME in cell.metadata.get("tags", []) and old.outputs:
            cell.outputs = old.outputs


def _code(notebook: Notebook | None) -> list[Cell]:
    return [it for it in notebook.cells if it.cell_type == "code"] if notebook else []


def _plain(output: Cell) -> Cell:
    if output.output_type == "error":
        # Tracebacks contain paths on this machine, and colours.
        output.traceback = [f"{output.ename}: {output.evalue}"]
    output.pop("transient", None)
    return output
