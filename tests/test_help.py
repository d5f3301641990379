"""The help of every verb."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from workshop.commands import BY_NAME, HELP_OPTIONS
from workshop.entry import dispatch
from workshop.environment import pins


def refuse(*_: object, **__: object) -> None:
    """Stand in for what a verb does."""
    raise AssertionError("a verb did more than to show its help")


@pytest.mark.parametrize("option", HELP_OPTIONS)
@pytest.mark.parametrize("verb", [it for it in BY_NAME if it != "help"])
def test_the_help_of_a_verb_is_shown_and_nothing_else_is_done(
    verb: str,
    option: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("WORKSHOP_VENV", sys.prefix)
    monkeypatch.setenv("WORKSHOP_HOME", str(tmp_path))
    monkeypatch.setattr(subprocess, "Popen", refuse)
    monkeypatch.setattr(os, "execv", refuse)
    monkeypatch.setattr(pins, "refresh", refuse)
    code = dispatch.run([verb, option])
    told = capsys.readouterr()

    assert (code, told.err) == (0, "")
    assert told.out.startswith(f"Usage: python -m workshop {verb}")
    assert list(tmp_path.iterdir()) == []
