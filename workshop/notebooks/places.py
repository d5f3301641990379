"""Private folders for Jupyter and its kernels."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

from workshop.paths import ROOT
from workshop.processes.environment import environment_of_apps


@contextmanager
def private_places() -> Iterator[None]:
    """Make kernels started in the block leave no files in the home folder.

    They find the `workshop` package of this checkout in any folder.
    """
    with TemporaryDirectory(prefix="workshop-", ignore_cleanup_errors=True) as folder:
        own = {**places(Path(folder)), "PYTHONPATH": str(ROOT)}
        with mock.patch.dict(os.environ, environment_of_apps(own), clear=True):
            yield


def places(folder: Path) -> dict[str, str]:
    """Return the settings that make Jupyter keep all its files below *folder*."""
    names = {
        "IPYTHONDIR": "ipython",
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
    }
    return {name: str(folder / part) for name, part in names.items()}
