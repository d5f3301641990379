"""A pytest plugin for runs that compare notebooks with what they show.

Kernels leave nothing in anybody's home, and what may differ from run to run is
in `sanitize.cfg`, beside the settings of the run.
"""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from workshop.notebooks.places import private_places

_lines_of = pytest.StashKey[ExitStack]()


def pytest_configure(config: pytest.Config) -> None:
    """Begin to keep Jupyter's files to ourselves."""
    assert config.inipath is not None, "-c notebooks/pytest.ini"
    config.option.nbval_sanitize_with = str(config.inipath.with_name("sanitize.cfg"))
    stack = config.stash[_lines_of] = ExitStack()
    stack.enter_context(private_places())


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, exitstatus: int
) -> None:
    """Say what to do where an output has become another one on purpose."""
    if exitstatus:
        terminalreporter.write_line(
            "If they are right as they are now: `python -m workshop notebooks-renew`."
        )


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove them."""
    config.stash[_lines_of].close()
