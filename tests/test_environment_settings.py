"""Variables that were set for other programs change neither set-up nor verbs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.checkouts import Checkout, Ended
from workshop.processes import isolation

pytestmark = pytest.mark.slow  # each verb is started in a checkout of its own

BROKEN = 'raise RuntimeError("this is not the module you wanted")\n'
# Modules that the entry imports, and one that the command line does.
MODULES = ("typing", "subprocess", "pathlib", "dataclasses", "tiny_core")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout that was set up once."""
    checkout = Checkout.make(tmp_path_factory.mktemp("template"))
    assert checkout.run("list").code == 0
    return checkout


@pytest.fixture
def ready(template: Checkout) -> Checkout:
    """The same, with its own settings."""
    return Checkout(template.root, template.wheels, dict(template.settings))


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A folder of modules that raise when imported."""
    folder = tmp_path / "foreign"
    folder.mkdir()
    for name in MODULES:
        (folder / f"{name}.py").write_text(BROKEN, encoding="utf-8")
    return folder


def lines(ended: Ended) -> list[str]:
    """Return the output of a verb that succeeded without warnings."""
    assert ended.code == 0, ended.err
    assert ended.err == ""
    return ended.out.splitlines()


@pytest.mark.parametrize("inside", [True, False])
def test_older_packages_on_the_path_change_nothing(
    ready: Checkout, foreign: Path, inside: bool
) -> None:
    ready.settings["PYTHONPATH"] = str(foreign)
    python = str(ready.python) if inside else ""

    assert "core: 1.0" in lines(ready.run("list", python=python))


def test_the_first_set_up_imports_no_foreign_module(
    tmp_path: Path, foreign: Path
) -> None:
    checkout = Checkout.make(tmp_path)
    (foreign / "venv.py").write_text(BROKEN, encoding="utf-8")
    (foreign / "pip.py").write_text(BROKEN, encoding="utf-8")
    checkout.settings["PYTHONPATH"] = str(foreign)

    ended = checkout.run("list")

    assert ended.code == 0, ended.err
    assert "core: 1.0" in ended.out


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PYTHONOPTIMIZE", "2"),
        ("PYTHONWARNINGS", "error"),
        ("PYTHONINSPECT", "1"),
        ("PYTHONDEVMODE", "1"),
        ("PYTHONSTARTUP", "/nowhere.py"),
        ("PYTHONNOUSERSITE", "1"),
        ("TMPDIR", "/nowhere"),
    ],
)
def test_a_setting_for_another_program_changes_nothing(
    ready: Checkout, name: str, value: str
) -> None:
    ready.settings[name] = value

    found = lines(ready.run("list"))

    assert found[0] == "verb: list"
    assert "core: 1.0" in found


def test_a_sitecustomize_module_is_not_loaded_for_the_verb(
    ready: Checkout, foreign: Path
) -> None:
    # What it imports here would stay in `sys.modules`, whatever the path is later.
    customized = "import sys, types\nsys.modules['tiny_core'] = types.ModuleType('x')\n"
    for name in ("sitecustomize", "usercustomize"):
        (foreign / f"{name}.py").write_text(customized, encoding="utf-8")
    ready.settings["PYTHONPATH"] = str(foreign)

    for python in ("", str(ready.python)):
        assert "core: 1.0" in lines(ready.run("list", python=python))


def test_without_a_home_folder_a_verb_runs(ready: Checkout) -> None:
    del ready.settings["HOME"]

    assert "core: 1.0" in lines(ready.run("list"))


@pytest.mark.skipif(os.name == "nt", reason="pip and make as on POSIX")
def test_make_starts_even_if_python_alone_would_not(
    ready: Checkout, foreign: Path
) -> None:
    # Python itself imports these before any line of ours.
    for name in ("collections", "functools", "contextlib"):
        (foreign / f"{name}.py").write_text(BROKEN, encoding="utf-8")
    settings = {
        "PYTHONHOME": "/nowhere",
        "PYTHONPATH": str(foreign),
        "PYTHONSAFEPATH": "1",
    }
    process = subprocess.Popen(
        ["make", "list"],
        cwd=ready.root,
        env={**ready.settings, **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )

    assert "core: 1.0" in lines(Ended.of(process))


def test_the_tool_can_be_started_by_its_path_from_any_folder(
    ready: Checkout, tmp_path: Path
) -> None:
    ended = subprocess.run(
        [sys.executable, str(ready.root / "workshop"), "list"],
        cwd=tmp_path,
        env={**ready.settings, "PYTHONSAFEPATH": "1"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )

    assert ended.stdout.splitlines()[0] == "verb: list", ended.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PIP_TARGET", "{elsewhere}"),
        ("PIP_PREFIX", "{elsewhere}"),
        ("PIP_ROOT", "{elsewhere}"),
        ("PIP_USER", "1"),
        ("PIP_REQUIRE_VIRTUALENV", "1"),
        ("PIP_CONSTRAINT", "{elsewhere}/missing.txt"),
        ("PIP_REQUIREMENT", "{elsewhere}/missing.txt"),
        ("PIP_NO_BINARY", ":all:"),
        ("PIP_DRY_RUN", "1"),
        ("VIRTUAL_ENV", "{elsewhere}"),
    ],
)
def test_no_pip_setting_redirects_packages(
    template: Checkout, tmp_path: Path, name: str, value: str
) -> None:
    checkout = Checkout(template.root, template.wheels, dict(template.settings))
    place, elsewhere = tmp_path / "venv", tmp_path / "elsewhere"
    elsewhere.mkdir()
    checkout.settings["WORKSHOP_VENV"] = str(place)
    checkout.settings[name] = value.format(elsewhere=elsewhere)

    ended = checkout.run("list")

    assert ended.code == 0, ended.err
    assert f"prefix: {place}" in ended.out
    assert list(elsewhere.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for uv is a script")
def test_uv_gets_index_settings_but_no_redirecting_ones(
    template: Checkout, tmp_path: Path
) -> None:
    fresh = Checkout.make(tmp_path)
    told = fresh.use_fake_uv()
    fresh.settings |= {
        "UV_DEFAULT_INDEX": "https://index.example/simple",
        "UV_TARGET": str(tmp_path / "elsewhere"),
        "UV_SYSTEM_PYTHON": "1",
        "VIRTUAL_ENV": str(tmp_path / "elsewhere"),
    }

    fresh.run("list")

    settings = (told / "settings").read_text(encoding="utf-8").splitlines()
    assert "UV_DEFAULT_INDEX=https://index.example/simple" in settings
    names = {line.partition("=")[0] for line in settings}
    assert not names & {"UV_TARGET", "UV_SYSTEM_PYTHON", "VIRTUAL_ENV"}


def test_packages_installed_elsewhere_are_noticed_at_once(tmp_path: Path) -> None:
    fresh = Checkout.make(tmp_path)
    config = tmp_path / "pip.conf"
    elsewhere = tmp_path / "elsewhere"
    config.write_text(f"[install]\ntarget = {elsewhere}\n", encoding="utf-8")
    fresh.settings["PIP_CONFIG_FILE"] = str(config)

    ended = fresh.run("list")

    assert ended.code == 3
    assert "tiny_core" in ended.err.splitlines()[-1]
    assert "pip config list" in ended.err.splitlines()[-1]


def test_ignored_settings_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in isolation.disturbing_python_settings():
        monkeypatch.delenv(name)
    monkeypatch.setenv("TMPDIR", "/nowhere")
    monkeypatch.setenv(isolation.IGNORED, "PYTHONHOME")

    isolation.ignore_foreign_settings("workshop", [])

    assert isolation.ignored_settings() == ["PYTHONHOME", "TMPDIR"]
    assert "TMPDIR" not in os.environ
