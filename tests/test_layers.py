"""Import Linter reports what the contracts in pyproject.toml forbid."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from workshop.environment.model import Environment
from workshop.paths import ROOT

# A forbidden line, the file that it is added to, and what the report then names.
FORBIDDEN = {
    "an import of a room above": (
        "lesson/model.py",
        "from workshop.screen import console",
        "workshop.lesson.model -> workshop.screen.console",
    ),
    "an import inside a function": (
        "timeline/scale.py",
        "def draw():\n    import workshop.grading.engine",
        "workshop.timeline.scale -> workshop.grading.engine",
    ),
    "a package, before it is installed": (
        "environment/trouble.py",
        "import rich",
        "workshop.environment.trouble -> rich",
    ),
    "a circle of files in one room": (
        "processes/liveness.py",
        "from workshop.processes import terminal",
        "No cycles are allowed in workshop.processes.",
    ),
    "a room that has no place": ("novelties/__init__.py", "", "novelties"),
}


def report(folder: Path) -> tuple[int, str]:
    """Return the exit code and the report on the copy in *folder*."""
    done = subprocess.run(
        [
            Environment(Path(sys.prefix)).program("lint-imports"),
            *("--no-logo", "--no-cache"),
        ],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def copy(folder: Path) -> Path:
    """Copy the tool and its contracts into *folder*."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "workshop", folder / "workshop", ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


@pytest.fixture(scope="module")
def present(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The report on the tool as it is."""
    return report(copy(tmp_path_factory.mktemp("present")))[1]


@pytest.mark.one_python
@pytest.mark.parametrize("name", FORBIDDEN)
def test_a_forbidden_import_is_reported(
    name: str, present: str, tmp_path: Path
) -> None:
    file, line, named = FORBIDDEN[name]
    changed = copy(tmp_path) / "workshop" / file
    changed.parent.mkdir(exist_ok=True)
    with changed.open("a", encoding="utf-8") as stream:
        stream.write(f"\n{line}\n")

    code, told = report(tmp_path)

    assert code == 1
    assert named in told
    assert named not in present
