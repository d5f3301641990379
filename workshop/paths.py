"""The folders of this checkout."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
"""The checkout."""


def home() -> Path:
    """Return the folder for all that is written outside lessons.

    `.workshop` in the checkout, or what WORKSHOP_HOME says.
    """
    return Path(os.environ.get("WORKSHOP_HOME") or ROOT / ".workshop")
