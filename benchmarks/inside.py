"""Let a benchmark run from a fresh clone, with any Python."""

from __future__ import annotations

import os
import subprocess
import sys

from workshop.environment import setup
from workshop.environment.model import Environment
from workshop.private_apis.interpreter import base_python

HERE = "--here"
"""Option: use the interpreter that runs, with whatever is installed there."""


def enter(module: str, groups: tuple[str, ...]) -> None:
    """Go on in the workshop's environment, set up first if need be.

    Returns only there; elsewhere this process ends with the exit code of one
    that runs *module* there.
    """
    if HERE in sys.argv:
        return
    environment = Environment.here()
    if environment.is_running() and not environment.missing(groups):
        return
    setup.ensure(environment, groups, base=base_python())
    command = [str(environment.python), "-m", module, *sys.argv[1:]]
    # Where it is set, each start of Python compiles all that it imports.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.exit(subprocess.call(command))
