"""The files for editors, code hosts and assistants are valid and tell the truth."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.commands import code_in, unknown_commands
from workshop.environment.model import pins_file
from workshop.paths import ROOT

# What these look at is the same on every Python.
pytestmark = pytest.mark.one_python

JSON = [
    *ROOT.glob("*.json"),
    *(ROOT / ".vscode").glob("*.json"),
    *(ROOT / ".devcontainer").glob("*.json"),
]
YAML = [*(ROOT / ".github").rglob("*.yml"), ROOT / ".pre-commit-config.yaml"]
FORMS = [
    path
    for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml")
    if path.name != "config.yml"
]
TEXTS = [
    *(path for path in ROOT.glob("*.md") if path.name != "CHANGELOG.md"),
    *(ROOT / ".github").rglob("*.md"),
]


def named(path: Path) -> str:
    """Return the test id for a file of the checkout."""
    return path.relative_to(ROOT).as_posix()


def loaded(name: str) -> Any:
    """Return the content of a JSON or YAML file of the checkout."""
    text = (ROOT / name).read_text(encoding="utf-8")
    return json.loads(text) if name.endswith(".json") else yaml.safe_load(text)


@pytest.mark.parametrize("path", [*JSON, *YAML], ids=named)
def test_a_settings_file_can_be_read(path: Path) -> None:
    assert isinstance(loaded(named(path)), dict)


def test_the_files_that_contributors_expect_exist() -> None:
    there = {named(path) for path in (*JSON, *YAML, *TEXTS)}

    assert there >= {
        ".devcontainer/devcontainer.json",
        ".github/ISSUE_TEMPLATE/bug.yml",
        ".github/ISSUE_TEMPLATE/new_lesson.yml",
        ".github/ISSUE_TEMPLATE/right_answer_refused.yml",
        ".github/ISSUE_TEMPLATE/wrong_answer_passed.yml",
        ".github/PULL_REQUEST_TEMPLATE.md",
        ".vscode/extensions.json",
        ".vscode/launch.json",
        ".vscode/settings.json",
        ".vscode/tasks.json",
        "AGENTS.md",
        "CODE_OF_CONDUCT.md",
        "CONTRIBUTING.md",
        "RELEASING.md",
        "SECURITY.md",
        "renovate.json",
    }


@pytest.mark.parametrize("path", TEXTS, ids=named)
def test_every_command_in_a_text_exists(path: Path) -> None:
    for code in code_in(path.read_text(encoding="utf-8")):
        assert unknown_commands(code) == []


@pytest.mark.parametrize("path", FORMS, ids=named)
def test_every_command_in_an_issue_form_exists(path: Path) -> None:
    for field in loaded(named(path))["body"]:
        for text in field["attributes"].values():
            for code in code_in(str(text)):
                assert unknown_commands(code) == []


@pytest.mark.parametrize("path", TEXTS, ids=named)
def test_every_file_that_a_text_links_exists(path: Path) -> None:
    prose = re.sub(
        r"(`+)(?!`).+?(?<!`)\1(?!`)", "", path.read_text("utf-8"), flags=re.S
    )
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", prose):
        assert (path.parent / target).exists(), target


@pytest.mark.parametrize("path", FORMS, ids=named)
def test_an_issue_form_asks_each_question_once(path: Path) -> None:
    form = loaded(named(path))
    asked = [field["id"] for field in form["body"] if field["type"] != "markdown"]

    assert form["name"]
    assert form["description"]
    assert len(asked) == len(set(asked))


def test_a_bug_report_contains_what_doctor_prints() -> None:
    fields = loaded(".github/ISSUE_TEMPLATE/bug.yml")["body"]
    (doctor,) = (field for field in fields if field.get("id") == "doctor")

    assert doctor["validations"]["required"] is True
    assert "`make doctor`" in doctor["attributes"]["description"]


@pytest.mark.parametrize("kind", ["right_answer_refused", "wrong_answer_passed"])
def test_a_report_about_an_answer_contains_the_answer(kind: str) -> None:
    fields = loaded(f".github/ISSUE_TEMPLATE/{kind}.yml")["body"]
    required = {
        field["id"]
        for field in fields
        if field.get("validations", {}).get("required", False)
    }

    assert required >= {"step", "answer"}


def test_pre_commit_uses_the_pinned_ruff_and_fetches_no_repository() -> None:
    pinned = re.findall(r"^ruff==.+$", pins_file("dev").read_text("utf-8"), re.M)
    config = loaded(".pre-commit-config.yaml")

    assert [repository["repo"] for repository in config["repos"]] == ["local"]
    for hook in config["repos"][0]["hooks"]:
        assert hook["additional_dependencies"] == pinned


def test_renovate_looks_at_every_file_of_pins() -> None:
    patterns = loaded("renovate.json")["pip_requirements"]["managerFilePatterns"]
    pins = [named(path) for path in (ROOT / "requirements").iterdir()]

    assert pins
    for pin in pins:
        assert any(re.search(it.strip("/"), pin) for it in patterns), pin


def test_the_dev_container_ends_in_a_verdict() -> None:
    command = loaded(".devcontainer/devcontainer.json")["postCreateCommand"]

    assert "-m workshop test 00 --solution" in command
    assert unknown_commands(command) == []


def test_editor_and_dev_container_recommend_the_same_extensions() -> None:
    container = loaded(".devcontainer/devcontainer.json")["customizations"]["vscode"]

    assert (
        container["extensions"] == loaded(".vscode/extensions.json")["recommendations"]
    )


def test_editors_discover_the_tests_of_lessons() -> None:
    settings = loaded(".vscode/settings.json")

    assert settings["python.testing.pytestEnabled"] is True
    for argument in settings["python.testing.pytestArgs"]:
        assert any((ROOT / argument).rglob("test_*.py"))


def test_every_task_and_launch_of_the_editor_is_a_command_that_exists() -> None:
    tasks = [task["args"] for task in loaded(".vscode/tasks.json")["tasks"]]
    launches = [
        ["-m", it["module"], *it["args"]]
        for it in loaded(".vscode/launch.json")["configurations"]
    ]

    assert tasks
    for arguments in (*tasks, *launches):
        assert arguments[:2] in (["-m", "workshop"], ["-m", "pytest"])
        assert unknown_commands(" ".join(arguments)) == []
