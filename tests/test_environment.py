"""From a fresh clone to a running verb, and back to health."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.checkouts import Checkout, Ended, interrupt, kill
from workshop.commands import BY_NAME

posix = pytest.mark.skipif(os.name == "nt", reason="needs a POSIX process group")


@pytest.fixture
def fresh(tmp_path: Path) -> Checkout:
    """A fresh checkout."""
    return Checkout.make(tmp_path)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout that was set up once, as a template for others."""
    checkout = Checkout.make(tmp_path_factory.mktemp("template"))
    assert checkout.run("list").code == 0
    return checkout


@pytest.fixture
def ready(template: Checkout) -> Iterator[Checkout]:
    """The set-up checkout, restored after the test."""
    kept = template.root.with_name("kept")
    shutil.copytree(template.root, kept, symlinks=True)
    settings = dict(template.settings)
    yield template
    template.settings = settings
    shutil.rmtree(template.root)
    kept.rename(template.root)
    shutil.rmtree(template.root.parent / "told", ignore_errors=True)
    shutil.rmtree(template.root.parent / "bin", ignore_errors=True)


def failed_in_words(ended: Ended) -> str:
    """Return the one-sentence error of a failed set-up."""
    assert ended.code == 3, ended.err
    assert "Traceback" not in ended.err
    assert ended.out == ""
    return ended.err.strip().splitlines()[-1]


def test_the_first_verb_sets_up_and_then_runs(fresh: Checkout) -> None:
    ended = fresh.run("list", "--all")

    assert ended.code == 0, ended.err
    assert ended.out.splitlines() == [
        "verb: list --all",
        f"python: {fresh.python}",
        f"prefix: {fresh.venv}",
        "core: 1.0",
    ]
    # Between them, on a slow machine, how long it has taken so far.
    first, *_, last = ended.err.splitlines()
    assert first == "Setting up the workshop in .venv (once) …"
    assert last.startswith("The workshop is set up. (")


def test_the_second_start_prints_nothing(ready: Checkout) -> None:
    ended = ready.run("list")

    assert ended.err == ""
    assert ended.out.startswith("verb: list\n")


def test_the_exit_code_is_the_verbs(ready: Checkout) -> None:
    ready.settings["ENDS_WITH"] = "1"

    assert ready.run("test", "01").code == 1


@posix
def test_the_environments_own_python_goes_straight_in(ready: Checkout) -> None:
    # Started by a relative name: a second start would show the full one.
    ended = ready.run("list", python=".venv/bin/python")

    assert "python: .venv/bin/python" in ended.out.splitlines()


def test_the_environment_finds_the_workshop_from_any_folder(
    ready: Checkout, tmp_path: Path
) -> None:
    ready.root, root = tmp_path, ready.root
    try:
        ended = ready.run("list", python=str(root / ".venv" / "bin" / "python"))
    finally:
        ready.root = root

    assert ended.code == 0, ended.err


@pytest.mark.parametrize("words", [[], ["help"], ["--help"], ["-h"]])
def test_help_needs_no_set_up(fresh: Checkout, words: list[str]) -> None:
    ended = fresh.run(*words)

    assert ended.code == 0
    assert "  lesson-01 test      test 01  " in ended.out
    assert not fresh.venv.exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("tets 01", "There is no verb `tets`. Did you mean `test`?"),
        ("lesson-01 test", "The verb comes first: `python -m workshop test 01`."),
        ("01", "The verb comes first: `python -m workshop show 01`."),
    ],
)
def test_an_unknown_verb_is_refused_before_anything_is_installed(
    fresh: Checkout, words: str, told: str
) -> None:
    ended = fresh.run(*words.split())

    assert ended.code == 2
    assert ended.err.startswith(told)
    assert not fresh.venv.exists()


def test_more_packages_are_installed_for_the_verb_that_needs_them(
    ready: Checkout,
) -> None:
    ended = ready.run("test", "01", "--database", "postgres")

    assert ended.err.splitlines()[0] == "Adding the packages for postgres …"
    assert "group postgres" in stamp(ready)
    assert ready.run("list").err == ""


@pytest.mark.parametrize("words", ["test --help", "site -h", "pins --help"])
def test_help_sets_nothing_up(fresh: Checkout, words: str) -> None:
    ended = fresh.run(*words.split())

    assert ended.code == 0
    assert BY_NAME[words.split()[0]].purpose in ended.out
    assert ended.err == ""
    assert not fresh.venv.exists()


def test_help_adds_no_packages(ready: Checkout) -> None:
    ended = ready.run("site", "--help")

    assert "Adding the packages" not in ended.err
    assert "group site" not in stamp(ready)


def test_pins_refuses_words_that_it_does_not_know(fresh: Checkout) -> None:
    ended = fresh.run("pins", "--hlep")

    assert ended.code == 2
    assert not fresh.venv.exists()


def test_a_verb_without_packages_has_an_environment_too(fresh: Checkout) -> None:
    ended = fresh.run("pins")

    assert ended.err.startswith("Setting up the workshop in .venv (once) …")
    assert "uv is not installed" in failed_in_words(ended)
    assert fresh.python.exists()


def stamp(checkout: Checkout) -> str:
    """Return the environment's stamp."""
    return (checkout.venv / "workshop.stamp").read_text(encoding="utf-8")


def test_changed_pins_are_installed(ready: Checkout) -> None:
    ready.pin("core", "2.0")

    ended = ready.run("list")

    assert "core: 2.0" in ended.out
    assert ended.err.startswith("The pinned packages changed: ")
    ready.pin("core", "1.0")


def test_line_ends_of_the_pins_do_not_matter(ready: Checkout) -> None:
    pins = ready.root / "requirements" / "core.txt"
    pins.write_bytes(pins.read_bytes().replace(b"\n", b"\r\n"))

    assert ready.run("list").err == ""


def test_an_interrupted_installation_is_repeated(ready: Checkout) -> None:
    text = stamp(ready)
    broken = text[: text.index("group core")] + "group core begun\n"
    (ready.venv / "workshop.stamp").write_text(broken, encoding="utf-8")
    for module in ready.venv.rglob("tiny_core.py"):
        module.unlink()

    ended = ready.run("list")

    assert ended.code == 0, ended.err
    assert ended.err.startswith("The last set-up was interrupted: repairing it")


def test_deleted_packages_are_installed_again(ready: Checkout) -> None:
    for module in ready.venv.rglob("tiny_core.py"):
        module.unlink()

    ended = ready.run("list")

    assert ended.code == 0, ended.err
    assert "repairing it" in ended.err


def test_an_environment_without_a_stamp_is_created_again(ready: Checkout) -> None:
    (ready.venv / "workshop.stamp").unlink()
    (ready.venv / "pyvenv.cfg").write_text("half", encoding="utf-8")

    ended = ready.run("list")

    assert ended.code == 0, ended.err
    assert ended.err.startswith(".venv cannot be used as it is: creating it again")


def test_a_moved_checkout_is_adapted_without_a_network(ready: Checkout) -> None:
    elsewhere = ready.root.with_name("moved")
    shutil.copytree(ready.root, elsewhere, symlinks=True)
    ready.root, root = elsewhere, ready.root
    ready.go_offline()
    try:
        ended = ready.run("list", python=str(ready.python))
    finally:
        ready.root = root

    assert ended.code == 0, ended.err
    assert f"prefix: {elsewhere / '.venv'}" in ended.out
    assert ended.err.startswith(".venv was moved: adapting it")
    shutil.rmtree(elsewhere)


@posix
def test_an_environment_without_its_python_is_created_again(ready: Checkout) -> None:
    ready.python.unlink()
    ready.python.symlink_to("/nowhere/python3")

    ended = ready.run("list")

    assert ended.code == 0, ended.err
    assert ended.err.startswith(".venv cannot be used as it is: creating it again")


@posix
def test_an_environment_with_another_python_version_is_created_again(
    ready: Checkout,
) -> None:
    text = stamp(ready).replace("python 3.", "python 3.0", 1)
    (ready.venv / "workshop.stamp").write_text(text, encoding="utf-8")
    settings = ready.venv / "pyvenv.cfg"
    lines = settings.read_text(encoding="utf-8").replace("version = 3.", "version = 2.")
    settings.write_text(lines, encoding="utf-8")

    ended = ready.run("list")

    assert ended.code == 0, ended.err
    assert ended.err.startswith(".venv cannot be used as it is: creating it again")


def test_a_missing_network_is_reported_in_one_sentence(fresh: Checkout) -> None:
    settings = dict(fresh.settings)
    fresh.go_offline()

    sentence = failed_in_words(fresh.run("list"))

    assert "the package index cannot be reached" in sentence
    fresh.settings = settings
    assert fresh.run("list").code == 0


def test_a_failed_addition_leaves_the_environment_complete(ready: Checkout) -> None:
    ready.go_offline()

    failed_in_words(ready.run("run", "01", "--database=postgres"))

    assert ready.run("list").err == ""


def test_a_missing_package_is_distinguished_from_a_missing_network(
    fresh: Checkout,
) -> None:
    fresh.pin("core", "9.9", publish=False)

    assert "could not be found for this Python" in failed_in_words(fresh.run("list"))


def test_missing_pins_are_reported_with_the_command_to_restore_them(
    fresh: Checkout,
) -> None:
    (fresh.root / "requirements" / "core.txt").unlink()

    assert "`git checkout requirements`" in failed_in_words(fresh.run("list"))


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ("workshop/cli", "list"),
        ("workshop/environment/setup.py", "list"),
        ("workshop/processes", "list"),
        ("workshop/doctor", "doctor"),
    ],
)
def test_a_missing_part_of_the_workshop_is_named(
    template: Checkout, tmp_path: Path, part: str, words: str
) -> None:
    root = tmp_path / "checkout"
    left_out = shutil.ignore_patterns(".venv", "__pycache__")
    shutil.copytree(template.root, root, ignore=left_out)
    checkout = Checkout(root, template.wheels, dict(template.settings))
    if part == "workshop/cli":
        assert checkout.run("list").code == 0
    path = root / part
    path.rename(tmp_path / "away")

    sentence = failed_in_words(checkout.run(words))

    assert sentence.startswith("A part of the workshop is missing or damaged (")
    assert "`git checkout workshop`" in sentence


@posix
def test_if_uv_fails_pip_is_tried(fresh: Checkout) -> None:
    told = fresh.use_fake_uv()

    ended = fresh.run("list")

    assert ended.code == 0, ended.err
    assert "core: 1.0" in ended.out
    offline, online = (told / "calls").read_text(encoding="utf-8").splitlines()
    assert offline == f"{online} --offline"


@posix
def test_uv_uses_the_systems_certificates_and_downloads_no_python(
    fresh: Checkout,
) -> None:
    told = fresh.use_fake_uv()

    fresh.run("list")

    settings = (told / "settings").read_text(encoding="utf-8").splitlines()
    assert "UV_SYSTEM_CERTS=1" in settings
    assert "UV_PYTHON_DOWNLOADS=never" in settings


def test_a_file_in_the_way_is_named(fresh: Checkout) -> None:
    fresh.venv.write_text("not a folder", encoding="utf-8")

    sentence = failed_in_words(fresh.run("list"))

    assert sentence.startswith(f"The folder {fresh.venv} cannot be created, because ")


def test_the_environment_can_be_elsewhere(fresh: Checkout, tmp_path: Path) -> None:
    elsewhere = tmp_path / "deep" / "elsewhere"
    fresh.settings["WORKSHOP_VENV"] = str(elsewhere)

    ended = fresh.run("list")

    assert f"prefix: {elsewhere}" in ended.out
    assert not fresh.venv.exists()


@posix
def test_ctrl_c_ends_the_set_up_and_the_next_start_repairs(fresh: Checkout) -> None:
    with fresh.installing() as process:
        interrupt(process)
        ended = Ended.of(process)

    assert ended.code == 130
    assert "Traceback" not in ended.err
    assert (
        ended.err.splitlines()[-1] == "Stopped. The next command continues from here."
    )
    assert fresh.run("list").code == 0


@posix
def test_a_killed_set_up_does_not_block_the_next(fresh: Checkout) -> None:
    with fresh.installing() as process:
        kill(process)

    ended = fresh.run("list")

    assert ended.code == 0, ended.err
    assert "Another set-up" not in ended.err


@posix
def test_two_simultaneous_starts_set_up_once(fresh: Checkout) -> None:
    with fresh.installing() as first:
        second = fresh.start("list")
        assert second.stderr is not None
        heard = second.stderr.readline()

    assert Ended.of(first).code == 0
    assert heard == (
        f"Another set-up is running (process {first.pid}). Waiting for it to finish.\n"
    )
    ended = Ended.of(second)
    assert ended.code == 0
    assert ended.err == ""
