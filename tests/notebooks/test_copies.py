"""What learners open is theirs: a copy to predict with, never overwritten."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from workshop import paths
from workshop.cli.exit_codes import TOOL_FAILED
from workshop.cli.notebooks import notebooks
from workshop.environment import setup
from workshop.environment.model import SetupError
from workshop.notebooks.copies import NoNotebookError, own_copy
from workshop.notebooks.jupyter import command, settings
from workshop.paths import ROOT

ORIGINAL = ROOT / "notebooks" / "00_event_loop.ipynb"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "my_notebooks"


def test_a_copy_has_all_cells_without_outputs(folder: Path) -> None:
    copy = own_copy(ORIGINAL, folder)

    ours, theirs = (json.loads(it.read_text("utf-8")) for it in (ORIGINAL, copy))
    assert [it["source"] for it in theirs["cells"]] == [
        it["source"] for it in ours["cells"]
    ]
    code = [it for it in theirs["cells"] if it["cell_type"] == "code"]
    assert code
    assert all(it["outputs"] == [] for it in code)
    assert all(it["execution_count"] is None for it in code)


def test_a_copy_stays_as_its_owner_left_it(folder: Path) -> None:
    own_copy(ORIGINAL, folder).write_text("mine", encoding="utf-8")

    assert own_copy(ORIGINAL, folder).read_text("utf-8") == "mine"


def test_a_fresh_copy_keeps_every_older_one(folder: Path) -> None:
    for words in ("first", "second"):
        own_copy(ORIGINAL, folder, fresh=True).write_text(words, encoding="utf-8")

    copy = own_copy(ORIGINAL, folder, fresh=True)

    assert json.loads(copy.read_text("utf-8"))["cells"]
    kept = sorted(set(folder.iterdir()) - {copy})
    assert [it.read_text("utf-8") for it in kept] == ["first", "second"]


def test_a_damaged_original_does_not_harm_copies(folder: Path, tmp_path: Path) -> None:
    own_copy(ORIGINAL, folder).write_text("mine", encoding="utf-8")
    damaged = tmp_path / ORIGINAL.name
    damaged.write_text('{"cells": 1}', encoding="utf-8")

    with pytest.raises(NoNotebookError, match="notebooks-renew 00"):
        own_copy(damaged, folder, fresh=True)

    assert [it.read_text("utf-8") for it in folder.iterdir()] == ["mine"]


def test_the_message_of_the_set_up_is_passed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ensure(*_: object) -> None:
        raise SetupError("No package index answers. Connect, and try again.")

    (tmp_path / "notebooks").mkdir()
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    monkeypatch.setattr(setup, "ensure", ensure)

    result = CliRunner().invoke(notebooks, standalone_mode=False)

    assert result.return_value == TOOL_FAILED
    assert result.stderr == "No package index answers. Connect, and try again.\n"


def test_jupyter_opens_the_copy_and_writes_nothing_to_home(
    tmp_path: Path,
) -> None:
    target = tmp_path / "my_notebooks" / "00_event_loop.ipynb"
    place, home = tmp_path / "venv", tmp_path / "home"

    words = command(tmp_path / "python", tmp_path, target, browser=False)
    kept = settings({"PATH": "bin", "IPYTHONDIR": "elsewhere"}, place, home)

    assert "--LabApp.default_url=/lab/tree/my_notebooks/00_event_loop.ipynb" in words
    assert "--LabApp.news_url=None" in words
    assert "--no-browser" in words
    (told,) = (it for it in words if it.startswith("--LabApp.app_settings_dir="))
    overrides = Path(told.partition("=")[2], "overrides.json").read_text("utf-8")
    (notes,) = json.loads(overrides).values()
    assert notes["fetchNews"] == "false"
    assert kept.pop("PATH") == "bin"
    assert kept.pop("WORKSHOP_VENV") == str(place)
    written = ("IPYTHONDIR", *(name for name in kept if name.startswith("JUPYTER_")))
    assert len(written) == 4
    assert all(Path(kept[name]).is_relative_to(home) for name in written)
    assert "127.0.0.1" in kept["NO_PROXY"]
