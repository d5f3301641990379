"""Too old a Python, too new a Python, and no Python that will do."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.checkouts import Checkout
from workshop.environment import python
from workshop.paths import ROOT


@pytest.mark.parametrize(
    ("version", "will_do"),
    [
        ((2, 7), False),
        ((3, 10), False),
        ((3, 11), True),
        ((3, 14), True),
        ((3, 15), False),
        ((4, 0), False),
    ],
)
def test_four_python_versions_are_supported(
    version: tuple[int, int], will_do: bool
) -> None:
    assert python.supported(version) is will_do


def test_the_message_for_an_old_python_says_what_to_do() -> None:
    assert python.refusal((3, 8)) == (
        "The workshop needs Python 3.11 to 3.14, but this is 3.8. Install Python "
        "3.13 (from python.org or with your package manager) and run the same command "
        "again."
    )


@pytest.mark.parametrize(
    "path",
    [
        *("__init__.py", "__main__.py", "paths.py", "bundle/start.py"),
        *("environment/__init__.py", "environment/python.py"),
        *("processes/__init__.py", "processes/isolation.py"),
    ],
)
def test_modules_that_run_first_have_python_3_6_syntax(path: str) -> None:
    text = (ROOT / "workshop" / path).read_text(encoding="utf-8")
    tree = ast.parse(text, feature_version=(3, 6))
    for node in ast.walk(tree):
        # Annotations are evaluated there: only names that were known then.
        if isinstance(node, ast.FunctionDef):
            for note in [node.returns, *(arg.annotation for arg in node.args.args)]:
                assert note is None or isinstance(note, (ast.Constant, ast.Name))


def old_pythons() -> list[str]:
    """Return this machine's unsupported old Pythons that start."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    return [
        str(path)
        for version in ("2.7", "3.6", "3.8", "3.10")
        for path in sorted(root.glob(f"versions/{version}.*/bin/python"))
    ]


@pytest.mark.parametrize("old", old_pythons())
def test_an_old_python_alone_gets_one_sentence(old: str, tmp_path: Path) -> None:
    settings = {"HOME": str(tmp_path), "PATH": str(tmp_path)}
    checkout = Checkout.make(tmp_path)

    ended = subprocess.run(
        [old, "-m", "workshop", "list"],
        cwd=checkout.root,
        env=settings,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )

    assert ended.returncode == 3
    assert ended.stdout == ""
    assert ended.stderr.startswith(
        "The workshop needs Python 3.11 to 3.14, but this is "
    )
    assert len(ended.stderr.splitlines()) == 1


@pytest.mark.skipif(os.name == "nt", reason="needs a link to an interpreter")
def test_a_newer_python_beside_an_old_one_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "python3").symlink_to("/bin/false")
    (tmp_path / "python").symlink_to(sys.executable)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))

    assert list(python.found()) == [sys.version_info[:2]]


def test_a_command_that_is_not_python_is_ignored() -> None:
    assert python.identity([shutil.which("true") or "true"]) is None
    assert python.identity(["/nowhere/python"]) is None
