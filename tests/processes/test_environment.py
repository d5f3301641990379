"""What the processes that we start get of the user's environment."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from workshop.processes.environment import (
    environment_of_apps,
    environment_of_installers,
    environment_of_tests,
    inherited_environment,
)
from workshop.processes.isolation import disturbing_python_settings

HOSTILE = {
    "HTTP_PROXY": "http://127.0.0.1:9",
    "all_proxy": "http://127.0.0.1:9",
    "PYTHONPATH": "/opt/ros/lib",
    "PYTHONHOME": "/nowhere",
    "PYTHONOPTIMIZE": "2",
    "PYTHONWARNINGS": "error",
    "PYTEST_ADDOPTS": "--collect-only",
    "UVICORN_PORT": "1",
    "WEB_CONCURRENCY": "4",
    "SSL_CERT_FILE": "/nowhere.pem",
    "DATABASE_URL": "sqlite:///mine.db",
    "REDIS_URL": "redis://mine",
    "SQLALCHEMY_WARN_20": "1",
    "PGHOST": "db.example",
}


def test_tests_get_only_essential_variables() -> None:
    found = environment_of_tests(
        {"OWN": "1"}, {**HOSTILE, "PATH": "/bin", "Path": "x", "LC_ALL": "C"}
    )

    assert not set(found) & set(HOSTILE)
    assert found["PATH"] == "/bin"
    assert found["Path"] == "x"  # Windows spells it so
    assert found["OWN"] == "1"
    assert found["PYTHONUTF8"] == "1"


def test_libpq_settings_reach_tests_only_with_the_learners_server() -> None:
    without = environment_of_tests({}, {"PGPASSWORD": "secret"})
    with_one = environment_of_tests(
        {}, {"PGPASSWORD": "secret", "WORKSHOP_DATABASE_URL": "postgresql://db"}
    )

    assert "PGPASSWORD" not in without
    assert with_one["PGPASSWORD"] == "secret"


def test_apps_keep_the_users_variables() -> None:
    found = environment_of_apps({}, {**HOSTILE, "FEATURE": "on"})

    assert found["FEATURE"] == "on"
    assert found["HTTP_PROXY"] == HOSTILE["HTTP_PROXY"]
    gone = {"PYTHONPATH", "PYTEST_ADDOPTS", "UVICORN_PORT", "WEB_CONCURRENCY"}
    assert not set(found) & {*gone, "DATABASE_URL", "REDIS_URL"}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("", "localhost,127.0.0.1,::1"),
        ("intra.example, 127.0.0.1", "intra.example,127.0.0.1,localhost,::1"),
        ("*", "*"),
    ],
)
def test_no_proxy_is_used_for_this_machine(given: str, expected: str) -> None:
    found = environment_of_apps({}, {"NO_PROXY": given})

    assert found["NO_PROXY"] == expected
    assert found["no_proxy"] in (expected, "localhost,127.0.0.1,::1")


def test_own_variables_are_never_removed() -> None:
    own = {"PYTHONPATH": "/ours", "NO_PROXY": "ours"}

    assert own.items() <= environment_of_tests(own, HOSTILE).items()
    assert own.items() <= environment_of_apps(own, HOSTILE).items()


def test_settings_that_would_change_the_tool_are_named() -> None:
    found = disturbing_python_settings(
        {**HOSTILE, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONINSPECT": ""}
    )

    assert found == ["PYTHONHOME", "PYTHONOPTIMIZE", "PYTHONPATH", "PYTHONWARNINGS"]


def test_installers_get_no_setting_that_redirects_packages() -> None:
    diverting = {
        *("PIP_TARGET", "PIP_PREFIX", "PIP_USER", "PIP_REQUIRE_VIRTUALENV"),
        *("PIP_CONSTRAINT", "PIP_REQUIREMENT", "PIP_NO_DEPS", "PIP_ONLY_BINARY"),
        *("PIP_PYTHON", "PIP_ROOT", "PIP_DRY_RUN", "PIP_NO_BINARY"),
        *("UV_CONSTRAINT", "UV_OVERRIDE", "UV_PROJECT_ENVIRONMENT", "UV_TARGET"),
        *("UV_SYSTEM_PYTHON", "UV_PYTHON", "UV_PREFIX", "UV_EXCLUDE_NEWER"),
        *("UV_BREAK_SYSTEM_PACKAGES", "UV_NO_BINARY", "UV_REQUIRE_HASHES"),
        *("VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONPATH", "PYTHONHOME"),
    }

    found = environment_of_installers({}, dict.fromkeys(diverting, "elsewhere"))

    assert not set(found) & diverting


def test_installers_keep_settings_for_reaching_an_index() -> None:
    wanted = {
        *("HTTPS_PROXY", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "HOME", "PATH"),
        *("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX"),
        *("PIP_CERT", "PIP_PROXY", "PIP_CACHE_DIR", "PIP_CONFIG_FILE", "PIP_TIMEOUT"),
        *("UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_OFFICE_PASSWORD", "UV_OFFLINE"),
        *("UV_FIND_LINKS", "UV_CACHE_DIR", "UV_CONFIG_FILE", "UV_HTTP_TIMEOUT"),
        *("UV_NATIVE_TLS", "UV_INSECURE_HOST", "UV_NO_CACHE"),
    }

    found = environment_of_installers({"OWN": "1"}, dict.fromkeys(wanted, "x"))

    assert wanted <= set(found)
    assert found["OWN"] == "1"


class _OneVariableGoes(dict[str, str]):
    """An environment from which another thread removes GONE during the iteration."""

    def __iter__(self) -> Iterator[str]:
        return iter([*super().__iter__(), "GONE"])


def test_a_variable_removed_while_reading_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "environ", _OneVariableGoes(PATH="/bin"))

    assert inherited_environment() == {"PATH": "/bin"}
    assert environment_of_tests({})["PATH"] == "/bin"
