"""What the plugin adds to pytest."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.testing.nested import Told, run_lesson

APP = '''
from fastapi import FastAPI

app = FastAPI()


def mainframe():
    """The outside world."""


@app.get("/held")
async def held():
    return mainframe()


@app.get("/boom")
async def boom():
    prices = {}
    return prices["A1"]


@app.get("/wrong")
async def wrong():
    return 3
'''

TESTS = """
from workshop.testing import Gate

async def test_held(app, client):
    gate = Gate("the mainframe")
    app.replace("mainframe", gate.blocking)
    await client.get("/boom")
    await client.get("/held")
    assert gate.held is None, f"the loop was held at {gate.held}"

async def test_raised(app):
    await app.module.boom()

async def test_answered_500(client):
    assert (await client.get("/boom")).status_code == 200, "no prices"

async def test_wrong(client):
    assert (await client.get("/wrong")).json() == 4, "three"

async def test_right(client):
    assert (await client.get("/wrong")).json() == 3

def test_without_an_app():
    assert False, "no line at all"

async def test_another(app_file):
    assert app_file.name == "app.py"
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    """What is said of each of the tests above."""
    return run_lesson(tmp_path_factory.mktemp("plugin"), APP, TESTS)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("held", "app.py:13  return mainframe()"),
        ("raised", 'app.py:19  return prices["A1"]'),
        ("answered_500", 'app.py:19  return prices["A1"]'),
        ("wrong", "app.py:23  async def wrong():"),
        ("right", ""),
        ("without_an_app", ""),
    ],
)
def test_a_failure_names_the_most_relevant_line_of_the_learner(
    told: dict[str, Told], name: str, line: str
) -> None:
    assert told[f"test_{name}"].learner_line == line


def test_a_failure_has_the_tests_own_message(told: dict[str, Told]) -> None:
    assert "the loop was held at app.py:13 in held(): return mainframe()" in (
        told["test_held"].words
    )


def test_another_file_may_be_tested(tmp_path: Path) -> None:
    other = tmp_path / "other" / "answer.py"
    other.parent.mkdir()
    other.write_text(APP.replace("return 3", "return 4"), encoding="utf-8")
    told = run_lesson(tmp_path, APP, TESTS, f"--app={other}")

    assert told["test_wrong"].verdict == "passed", told["test_wrong"].words
    assert told["test_another"].verdict == "failed in call"


def test_the_environment_may_name_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "answer.py"
    other.write_text(APP.replace("return 3", "return 4"), encoding="utf-8")
    monkeypatch.setenv("WORKSHOP_APP", str(other))

    assert run_lesson(tmp_path, APP, TESTS)["test_wrong"].verdict == "passed"


def test_a_file_that_cannot_be_imported_is_an_error_with_a_message(
    tmp_path: Path,
) -> None:
    report = run_lesson(tmp_path, "app = FastAPI()", TESTS)["test_right"]

    assert report.verdict == "failed in setup"
    assert "app.py could not be loaded: NameError" in report.words
    assert report.learner_line == "app.py:1  app = FastAPI()"


def test_the_plugin_imports_nothing_slow() -> None:
    """Else every plain test of the project would pay for it."""
    costly = {"fastapi", "starlette", "httpx2", "sqlalchemy", "uvicorn", "redis"}
    program = f"import sys, workshop.testing.plugin; print({costly} & set(sys.modules))"
    printed = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        encoding="utf-8",
        check=True,
        cwd=Path(__file__).parents[2],
    )

    assert printed.stdout.strip() == "set()"


def test_plain_pytest_ends_with_its_summary_whatever_the_app_left_open() -> None:
    lesson = "01_database_session"
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", f"lessons/{lesson}"),
            *("--app", f"solutions/{lesson}/steps/0.py"),
        ],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        encoding="utf-8",
        check=False,
    )

    assert ended.returncode == 1
    assert ended.stdout.rstrip().splitlines()[-1].startswith("===")
    assert "Traceback" not in ended.stderr
