"""Notebooks are run by a kernel, and what they give is compared."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from nbformat.v4 import new_output

from workshop.environment.selftest import NOTEBOOKS
from workshop.notebooks.execution import ExecutionError, keep_real_times
from workshop.notebooks.pairing import made_of, notebook_of, read, write
from workshop.notebooks.renewal import renewed
from workshop.paths import ROOT

TEXT = """\
# %%
import os
print("seats:", 40 + 40)

# %%
from workshop.timeline import record
async with record(title="Nobody", here=None) as picture:
    pass

# %% tags=["nbval-ignore-output"]
picture

# %% tags=["nbval-ignore-output"]
os.getpid()

# %% tags=["raises-exception"]
raise LookupError("no such seat")
"""


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A text with its notebook, in a folder with our settings."""
    folder = tmp_path_factory.mktemp("notebooks")
    for name in ("pytest.ini", "sanitize.cfg"):
        shutil.copy(ROOT / "notebooks" / name, folder)
    path = folder / "00_seats.py"
    path.write_text(TEXT, encoding="utf-8")
    assert renewed(path)
    return path


def test_a_notebook_contains_its_outputs(text: Path) -> None:
    printed, quiet, drawn, _, failed = read(notebook_of(text)).cells

    assert printed.outputs[0].text == "seats: 80\n"
    assert quiet.outputs == []
    assert drawn.outputs[0].data["image/svg+xml"].startswith("<svg")
    # A traceback would name folders of this machine.
    assert failed.outputs[0].traceback == ["LookupError: no such seat"]


def test_different_real_times_do_not_change_a_notebook() -> None:
    before, after = taking("0.11 s", TEXT), taking("0.12 s", TEXT)

    keep_real_times(after, before)

    assert [it.outputs[0].text for it in after.cells] == [
        *("0.12 s", "0.12 s"),
        *("0.11 s", "0.11 s"),  # those that are tagged
        "0.12 s",
    ]


def test_real_times_of_changed_code_are_recorded_again() -> None:
    before = taking("0.11 s", TEXT)
    after = taking("0.42 s", TEXT.replace("    pass", "    await wait()"))

    keep_real_times(after, before)

    assert {it.outputs[0].text for it in after.cells} == {"0.42 s"}


def taking(seconds: str, text: str) -> Any:
    """Return the notebook of *text*, with a duration for each cell."""
    notebook = made_of(text)
    for cell in notebook.cells:
        cell.outputs = [new_output("stream", text=seconds)]
    return notebook


def test_a_failing_cell_leaves_the_notebook_unchanged(text: Path) -> None:
    before = notebook_of(text).read_bytes()
    text.write_text(TEXT.replace("40 + 40", "1 / 0"), encoding="utf-8")
    try:
        with pytest.raises(ExecutionError, match="ZeroDivisionError"):
            renewed(text)
    finally:
        text.write_text(TEXT, encoding="utf-8")

    assert notebook_of(text).read_bytes() == before


def test_only_a_changed_output_fails(text: Path, tmp_path: Path) -> None:
    shutil.copytree(text.parent, tmp_path / "notebooks")
    notebook = read(notebook_of(text))
    notebook.cells[0].outputs[0].text = "seats: 81\n"
    write(notebook, tmp_path / "notebooks" / "00_seats.ipynb")
    home = tmp_path / "home"
    home.mkdir()

    ended = subprocess.run(
        [sys.executable, *NOTEBOOKS, "-q"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(home)},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )

    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert "1 failed, 4 passed" in ended.stdout
    assert "seats: 81" in ended.stdout
    assert "`python -m workshop notebooks-renew`" in ended.stdout
    assert list(home.iterdir()) == []
