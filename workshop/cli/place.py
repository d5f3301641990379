"""Where the lessons and the learner's own state are."""

from __future__ import annotations

import os
from pathlib import Path

from workshop.lesson import Catalogue
from workshop.progress import Snapshots, Store

ROOT = Path(__file__).resolve().parents[2]
"""The checkout."""


def home() -> Path:
    """Return the folder for all that is written outside lessons.

    `.workshop` in the checkout, or what WORKSHOP_HOME says.
    """
    return Path(os.environ.get("WORKSHOP_HOME") or ROOT / ".workshop")


def catalogue() -> Catalogue:
    """Return the lessons of the checkout."""
    return Catalogue(ROOT)


def store() -> Store:
    """Return where the learner's progress is kept."""
    return Store(home() / "progress.json")


def snapshots() -> Snapshots:
    """Return where the learner's files are kept before we replace one."""
    return Snapshots(home() / "kept")
