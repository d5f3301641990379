"""Start JupyterLab in its own environment, on one folder, without its news."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from workshop.notebooks.places import places
from workshop.processes.environment import environment_of_apps

GROUPS = ("core", "notebooks")
"""The groups of its environment. The kernel runs there too, so it has the core."""

_NO_NEWS = (
    "--LabApp.news_url=None",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
)


def command(python: Path, root: Path, target: Path, *, browser: bool) -> list[str]:
    """Return the command that opens *target*, a notebook or folder in *root*."""
    where = target.relative_to(root).as_posix()
    return [
        *(str(python), "-m", "jupyterlab"),
        f"--ServerApp.root_dir={root}",
        f"--LabApp.default_url=/lab/tree/{where}",
        f"--LabApp.app_settings_dir={Path(__file__).with_name('settings')}",
        "--LabApp.extension_manager=readonly",
        "--ServerApp.answer_yes=True",  # Ctrl-C needs no confirmation
        *("--log-level", "WARN", "--allow-root"),  # containers may have only root
        *_NO_NEWS,
        *(() if browser else ("--no-browser",)),
    ]


def settings(environment: Mapping[str, str], place: Path, home: Path) -> dict[str, str]:
    """Return *environment* for JupyterLab.

    *place* is where JupyterLab is installed. It writes its own files to *home*.
    """
    own = {**places(home / "jupyter"), "WORKSHOP_VENV": str(place)}
    return environment_of_apps(own, environment)
