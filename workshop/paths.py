"""The folders of this checkout.

Standard library only, and written for Python 3.6 and later, because the first steps of
the tool import this module, too.
"""

import os
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
"""The folder of the package `workshop`."""

ROOT = PACKAGE.parent
"""The checkout."""


def home() -> Path:
    """Return the folder for all that the tool stores outside of lessons.

    It is `.workshop` in the checkout, unless WORKSHOP_HOME names another one.
    """
    return folder_named_by("WORKSHOP_HOME") or ROOT / ".workshop"


def folder_named_by(variable: str) -> "Path | None":
    """Return the folder that an environment *variable* names, or None.

    `~` is the home folder. A relative path starts at the current folder.
    """
    value = os.environ.get(variable, "").strip()
    if not value:
        return None
    # Without a home folder, `~` is an ordinary name.
    return Path(os.path.abspath(os.path.expanduser(value)))  # noqa: PTH100, PTH111
