"""Nothing that a user has set for another project changes a verdict."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tiers import sampled
from workshop.lesson import Catalogue, Lesson

ROOT = Path(__file__).resolve().parents[2]
LESSONS = Catalogue(ROOT).lessons()

DEAD = "http://127.0.0.1:9"
"""A proxy that refuses every connection: port 9 is "discard", and nothing listens."""

HOSTILE = {
    **{f"{name}_PROXY": DEAD for name in ("HTTP", "HTTPS", "ALL")},
    **{f"{name}_proxy": DEAD for name in ("http", "https", "all")},
    "NO_PROXY": "",
    "no_proxy": "",
    "PYTHONOPTIMIZE": "2",
    "PYTHONWARNINGS": "error",
    "PYTHONASYNCIODEBUG": "1",
    "PYTHONDEVMODE": "1",
    "PYTEST_ADDOPTS": "--collect-only",
    "PYTEST_PLUGINS": "not_there",
    "UVICORN_PORT": "1",
    "WEB_CONCURRENCY": "4",
    "FORWARDED_ALLOW_IPS": "*",
    "SSL_CERT_FILE": "/nowhere/cert.pem",
    "DATABASE_URL": "sqlite:///mine.db",
    "REDIS_URL": "redis://127.0.0.1:9",
    "PGHOST": "127.0.0.1",
    "PGPORT": "9",
}


@pytest.fixture
def surroundings(tmp_path: Path) -> dict[str, str]:
    """An environment with every variable that could interfere."""
    older = tmp_path / "older packages"
    for name in ("click", "fastapi", "pytest", "sqlalchemy", "redis", "anyio"):
        (older / name).mkdir(parents=True)
        (older / name / "__init__.py").write_text(
            "raise ImportError('a package of another project')\n", encoding="utf-8"
        )
    odd = tmp_path / "it's an odd % place"
    odd.mkdir()
    return {
        **os.environ,
        **HOSTILE,
        "PYTHONPATH": str(older),
        "TMPDIR": str(odd),
        "WORKSHOP_HOME": str(tmp_path / "home"),
    }


@pytest.mark.one_python
@pytest.mark.parametrize("lesson", sampled(LESSONS), ids=lambda it: it.slug)
def test_a_solution_passes_regardless_of_the_users_settings(
    lesson: Lesson, surroundings: dict[str, str]
) -> None:
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "workshop", "test", lesson.number),
            *("--solution", "--json"),
        ],
        cwd=ROOT,
        env=surroundings,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )

    assert ended.returncode == 0, ended.stderr + ended.stdout
    assert json.loads(ended.stdout)["verdict"] == "passed"
