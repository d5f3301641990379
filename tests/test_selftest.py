"""`make test` runs all its checks to the end, and prints which of them failed."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.checkouts import Checkout
from workshop.environment import python
from workshop.environment.selftest import LAYERS

# Stands where each tool would be: says how it was called, fails when told to.
TOOL = """\
import os, sys
name = os.path.basename(__file__)[:-3]
print(name, *sys.argv[1:], flush=True)
print("where:", os.environ["WORKSHOP_VENV"], flush=True)
print(f"== {name} closes ==", flush=True)
sys.exit(name in os.environ.get("FAILING", "").split())
"""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A set-up checkout whose tools only print their arguments."""
    checkout = Checkout.make(tmp_path_factory.mktemp("selftest"))
    for name in ("ruff", "mypy", "pytest"):
        (checkout.root / f"{name}.py").write_text(TOOL, encoding="utf-8")
    linter = checkout.root / "importlinter"
    linter.mkdir()
    text = TOOL.replace("__file__", "'lint-imports.py'")
    (linter / "cli.py").write_text(text, encoding="utf-8")
    assert checkout.run("selftest").code == 0
    return checkout


@pytest.fixture
def checkout(template: Checkout) -> Checkout:
    """The same, with its own settings."""
    return Checkout(template.root, template.wheels, dict(template.settings))


def commands(text: str) -> list[str]:
    """Return the commands that were printed before they ran."""
    return [line for line in text.splitlines() if line.startswith("$ ")]


QUICK = [
    "$ python -m ruff check --extend-exclude lessons,.venvs .",
    "$ python -m ruff format --check --extend-exclude lessons,.venvs .",
    "$ python -m mypy",
    f"$ python -c '{LAYERS}' --no-logo --no-cache",
    "$ python -m pytest tests -n auto --durations 20 -m 'not slow'",
]


def test_a_contributor_waits_for_linters_types_and_quick_tests(
    checkout: Checkout,
) -> None:
    ended = checkout.run("selftest")

    assert ended.code == 0
    assert commands(ended.out) == QUICK
    assert ended.out.splitlines()[-1] == "== pytest closes =="


def test_all_means_every_test_and_the_notebooks_too(checkout: Checkout) -> None:
    assert commands(checkout.run("selftest", "--all").out) == [
        *QUICK[:-1],
        "$ python -m pytest -c notebooks/pytest.ini notebooks",
        "$ python -m pytest tests -n auto --durations 20",
    ]


@pytest.mark.parametrize(
    "failing", ["ruff", "mypy", "lint-imports", "pytest", "ruff mypy pytest"]
)
def test_one_failure_stops_nothing_but_fails_the_run(
    checkout: Checkout, failing: str
) -> None:
    checkout.settings["FAILING"] = failing

    ended = checkout.run("selftest")

    assert ended.code == 1
    assert commands(ended.out) == QUICK
    assert ended.out.splitlines()[-1] == "== pytest closes =="


def test_failures_before_the_tests_are_repeated_at_the_end(checkout: Checkout) -> None:
    checkout.settings["FAILING"] = "mypy"

    assert "Not passed so far: python -m mypy\n" in checkout.run("selftest").out


def test_authors_have_their_lessons_linted(checkout: Checkout) -> None:
    checkout.settings["WORKSHOP_AUTHOR"] = "1"

    ended = checkout.run("selftest")

    assert "--extend-exclude 'lessons/*/app.py,.venvs'" in commands(ended.out)[0]


def test_everywhere_checks_the_types_of_other_systems_too(checkout: Checkout) -> None:
    told = commands(checkout.run("selftest", "--everywhere").out)

    for system in ("win32", "darwin"):
        assert any(f"mypy --platform {system} " in it for it in told)


def test_everywhere_tests_the_oldest_and_newest_python_too(
    checkout: Checkout, tmp_path: Path
) -> None:
    there = python.found()
    ends = {min(there), max(there)} - {sys.version_info[:2]}
    if not ends:
        pytest.skip("this machine has no other Python")
    for version in ends:
        (tmp_path / "python{}.{}".format(*version)).symlink_to(there[version])
    checkout.settings["PATH"] += os.pathsep + str(tmp_path)

    ended = checkout.run("selftest", "--everywhere")

    assert ended.code == 0, ended.err
    places = [line for line in ended.out.splitlines() if line.startswith("where:")]
    for version in ends:
        place = checkout.root / ".venvs" / "{}.{}".format(*version)
        assert f"where: {place}" in places
    assert places[-1] == f"where: {checkout.venv}"
    assert commands(ended.out)[-1] == "$ python -m pytest tests -n auto --durations 20"
    others = [it for it in commands(ended.out) if "not one_python" in it]
    assert [it.rpartition(" on ")[2] for it in others] == [
        "{}.{}".format(*version) for version in sorted(ends)
    ]
