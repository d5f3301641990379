"""A pytest plugin for comparing notebooks with their recorded outputs.

Kernels leave no files in the home folder. `sanitize.cfg`, beside the settings of the
run, lists what may differ between runs.
"""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from workshop.notebooks.places import private_places

_folders = pytest.StashKey[ExitStack]()


def pytest_configure(config: pytest.Config) -> None:
    """Redirect Jupyter's files to a temporary folder."""
    assert config.inipath is not None, "-c notebooks/pytest.ini"
    config.option.nbval_sanitize_with = str(config.inipath.with_name("sanitize.cfg"))
    stack = config.stash[_folders] = ExitStack()
    stack.enter_context(private_places())


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, exitstatus: int
) -> None:
    """Print what to do if an output has changed on purpose."""
    if exitstatus:
        terminalreporter.write_line(
            "If the new outputs are right, run `python -m workshop notebooks-renew`."
        )


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the temporary folder."""
    config.stash[_folders].close()
