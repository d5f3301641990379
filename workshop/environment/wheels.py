"""The folder of packages that came with the checkout, for set-ups without a network.

`make bundle` writes a memory stick. Its start scripts copy the packages for the
learner's machine to `.workshop/wheels`, where each later set-up looks first: the one
for JupyterLab, for example, when the stick has long gone to someone else.
"""

from __future__ import annotations

import re
from pathlib import Path

from workshop.paths import ROOT, folder_named_by

_NOT_THERE = re.compile(r"No matching distribution found for ([^\s;]+)")


def folder() -> Path | None:
    """Return the folder of packages, or None if there is none.

    It is `.workshop/wheels` in the checkout, unless WORKSHOP_WHEELS names another one.
    """
    place = folder_named_by("WORKSHOP_WHEELS") or ROOT / ".workshop" / "wheels"
    return place if place.is_dir() else None


def shortage(wheels: Path, output: str) -> str:
    """Return the message that *wheels* were not enough, and no network is there.

    *output* is what pip printed when it had only the folder *wheels*.
    """
    found = _NOT_THERE.search(output)
    lacking = found[1] if found else "a package that is needed"
    return (
        f"{wheels} does not have {lacking}, and the package index cannot be reached. "
        "These packages came from a memory stick that was written without it, or for "
        "another Python or system. Connect to the network and run the same command "
        "again."
    )
