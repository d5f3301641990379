"""What other tools make of the checkout: pip, and an editor that looks for tests."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from workshop.paths import ROOT

# What these look at is the same on every Python.
pytestmark = pytest.mark.one_python

TEST = """\
import pytest


@pytest.mark.step(1)
def test_seat() -> None:
    pass
"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A checkout with one lesson, and project tests that need a missing package."""
    copy = tmp_path / "checkout"
    for name, text in (
        ("lessons/90_seats/test_seats.py", TEST),
        ("solutions/90_seats/test_ours.py", TEST),
        ("tests/conftest.py", ""),
        ("tests/test_tool.py", "import a_package_that_only_contributors_have\n"),
        ("workshop/__init__.py", ""),
        ("workshop/testing/__init__.py", ""),
        ("workshop/testing/plugin.py", ""),
        ("benchmarks/__init__.py", ""),
    ):
        path = copy / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for name in ("pyproject.toml", "conftest.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    return copy


@pytest.mark.parametrize("words", [[], ["."], ["lessons"]])
def test_an_editor_finds_the_tests_of_lessons(copy: Path, words: list[str]) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", *words],
        cwd=copy,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr
    found = [line for line in ended.stdout.splitlines() if "::" in line]
    assert found == ["lessons/90_seats/test_seats.py::test_seat"]


def test_the_projects_own_tests_are_run_by_name(copy: Path) -> None:
    there = ["site/test_tool.py", "notebooks/test_tool.py", "test_tool.py"]
    for name in there:
        path = copy / "tests" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("def test_tool() -> None: ...\n", encoding="utf-8")

    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "tests"],
        cwd=copy,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )

    found = [line for line in ended.stdout.splitlines() if "::" in line]
    assert sorted(found) == sorted(f"tests/{name}::test_tool" for name in there)


@pytest.mark.parametrize("hook", ["build_editable", "build_wheel"])
def test_pip_can_install_the_checkout(copy: Path, tmp_path: Path, hook: str) -> None:
    code = f"import hatchling.build as b; print(b.{hook}({str(tmp_path)!r}))"

    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=copy,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )

    assert ended.returncode == 0, ended.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.partition("/")[0] for name in archive.namelist()}
    brought = {it for it in tops if not it.endswith(".dist-info")}
    assert all(it == "workshop" or it.endswith(".pth") for it in brought)
    assert len(brought) == 1
