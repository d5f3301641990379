"""The workflows call commands that exist, with no more rights than they need."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.commands import goals_in, unknown_commands, verbs_in
from workshop.environment.python import NEWEST, OLDEST
from workshop.paths import ROOT

# What these look at is the same on every Python.
pytestmark = pytest.mark.one_python

FOLDER = ROOT / ".github" / "workflows"
WORKFLOWS: dict[str, dict[Any, Any]] = {
    path.name: yaml.safe_load(path.read_text(encoding="utf-8"))
    for path in sorted(FOLDER.glob("*.yml"))
}
every_workflow = pytest.mark.parametrize("name", WORKFLOWS)


def jobs(name: str) -> dict[str, dict[str, Any]]:
    """Return the jobs of a workflow."""
    found: dict[str, dict[str, Any]] = WORKFLOWS[name]["jobs"]
    return found


def steps(name: str) -> Iterator[dict[str, Any]]:
    """Yield the steps of all jobs of a workflow."""
    for job in jobs(name).values():
        yield from job.get("steps", ())


def scripts(name: str) -> Iterator[str]:
    """Yield what a workflow runs in a shell."""
    return (step["run"] for step in steps(name) if "run" in step)


def used(name: str) -> Iterator[str]:
    """Yield the actions and workflows that a workflow uses."""
    for it in (*jobs(name).values(), *steps(name)):
        if "uses" in it:
            yield it["uses"]


def test_there_are_workflows_for_tests_site_and_release() -> None:
    assert {"test.yml", "site.yml", "release.yml"} <= WORKFLOWS.keys()


@every_workflow
def test_every_command_of_a_workflow_exists(name: str) -> None:
    for script in scripts(name):
        assert unknown_commands(script) == []


@pytest.mark.parametrize(
    "script",
    [
        "make tset",
        "make lesson-01 site",
        "python -m workshop tset 01",
        "make test && make tset",
        "py -m workshop serve",
    ],
)
def test_a_command_that_does_not_exist_is_found(script: str) -> None:
    assert len(unknown_commands(script)) == 1


def test_the_test_workflow_runs_nothing_but_our_commands() -> None:
    for script in scripts("test.yml"):
        assert len(goals_in(script) + verbs_in(script)) == 1
        assert re.match(r"(make|python -m workshop) [\w -]+$", script), script


@every_workflow
def test_a_workflow_may_only_read_unless_a_job_needs_more(name: str) -> None:
    assert WORKFLOWS[name]["permissions"] == {"contents": "read"}
    assert WORKFLOWS[name]["concurrency"]["group"]


def test_only_two_jobs_may_write() -> None:
    rights = {
        f"{name}: {job}": it["permissions"]
        for name in WORKFLOWS
        for job, it in jobs(name).items()
        if "write" in it.get("permissions", {}).values()
    }

    assert rights == {
        "release.yml: release": {"contents": "write"},
        "site.yml: deploy": {"pages": "write", "id-token": "write"},
    }


@every_workflow
def test_actions_are_pinned_by_commit(name: str) -> None:
    for action in used(name):
        path = re.fullmatch(r"\./(.+)", action)
        if path is not None:
            assert (ROOT / path[1]).is_file()
        else:
            assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action), action


@every_workflow
def test_checkouts_keep_no_credentials(name: str) -> None:
    for step in steps(name):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@every_workflow
def test_every_job_has_a_time_limit(name: str) -> None:
    for job, it in jobs(name).items():
        assert "uses" in it or it["timeout-minutes"] <= 90, job


def test_tests_run_on_all_systems_and_on_the_oldest_and_newest_python() -> None:
    matrix = jobs("test.yml")["test"]["strategy"]["matrix"]

    systems = {system.partition("-")[0] for system in matrix["os"]}
    assert systems == {"ubuntu", "macos", "windows"}
    assert matrix["python"] == ["{}.{}".format(*it) for it in (OLDEST, NEWEST)]


def test_windows_runs_the_suite_without_make() -> None:
    conditions = {
        step["run"]: step.get("if", "") for step in steps("test.yml") if "run" in step
    }

    for script, condition in conditions.items():
        if goals_in(script):
            assert condition == "runner.os != 'Windows'"
    assert conditions["make test-all"]
    whole = "python -m workshop selftest --all"
    assert conditions[whole] == "runner.os == 'Windows'"


def test_a_release_is_made_only_after_the_tests_passed() -> None:
    release = jobs("release.yml")["release"]

    assert jobs("release.yml")[release["needs"]]["uses"].endswith("/test.yml")
    assert "workflow_call" in WORKFLOWS["test.yml"][True]  # YAML reads `on` as true


@pytest.mark.skipif(os.name == "nt", reason="the workflow runs on Linux")
@pytest.mark.parametrize(
    ("tag", "heading", "code"),
    [
        ("v0.1.0", "## 0.1.0 - 2030-01-31", 0),
        ("v0.1.1", "## 0.1.1 - 2030-01-31", 1),
        ("v0.1.0", "## Unreleased", 1),
        ("v0.1.0", "## 0.1.0", 1),
        ("v0.1.0", "## 0x1.0 - 2030-01-31", 1),
    ],
)
def test_a_tag_without_matching_version_and_changelog_is_refused(
    tmp_path: Path, tag: str, heading: str, code: int
) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nversion = "0.1.0"\n', encoding="utf-8"
    )
    (tmp_path / "CHANGELOG.md").write_text(f"# Changelog\n\n{heading}\n", "utf-8")
    (script,) = (it for it in scripts("release.yml") if "grep" in it)
    bash = shutil.which("bash")
    assert bash is not None

    ended = subprocess.run(
        [bash, "-e", "-c", script],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "GITHUB_REF_NAME": tag},
        capture_output=True,
        check=False,
        timeout=30,
    )

    assert ended.returncode == code
