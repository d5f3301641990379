"""Start JupyterLab: in its own environment, on this folder, without its news."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from workshop.notebooks.places import places
from workshop.processes.environment import environment_of_apps

GROUPS = ("core", "notebooks")
"""What its environment has. The kernel runs there, too, so it has the core."""

_NO_NEWS = (
    "--LabApp.news_url=None",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
)


def command(python: Path, root: Path, target: Path, *, browser: bool) -> list[str]:
    """Return how to open *target*, a notebook or a folder in the folder *root*."""
    where = target.relative_to(root).as_posix()
    return [
        *(str(python), "-m", "jupyterlab"),
        f"--ServerApp.root_dir={root}",
        f"--LabApp.default_url=/lab/tree/{where}",
        f"--LabApp.app_settings_dir={Path(__file__).with_name('settings')}",
        "--LabApp.extension_manager=readonly",
        "--ServerApp.answer_yes=True",  # Ctrl-C is meant
        *("--log-level", "WARN", "--allow-root"),  # containers have no other user
        *_NO_NEWS,
        *(() if browser else ("--no-browser",)),
    ]


def settings(environment: Mapping[str, str], place: Path, home: Path) -> dict[str, str]:
    """Return *environment* as JupyterLab shall have it.

    *place* is where it is installed. What it writes for itself goes to *home*.
    """
    own = {**places(home / "jupyter"), "WORKSHOP_VENV": str(place)}
    return environment_of_apps(own, environment)
