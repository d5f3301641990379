"""Only folders that the workshop has made are changed, and never through a link."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.checkouts import Checkout, Ended
from workshop.environment import ownership
from workshop.environment.model import Environment
from workshop.private_apis.interpreter import base_python

pytestmark = pytest.mark.slow  # each test sets a checkout up

links = pytest.mark.skipif(os.name == "nt", reason="links need a right on Windows")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout that was set up once, as a template for others."""
    checkout = Checkout.make(tmp_path_factory.mktemp("template"))
    assert checkout.run("list").code == 0
    return checkout


@pytest.fixture
def checkout(template: Checkout, tmp_path: Path) -> Checkout:
    """A fresh checkout that uses the template's packages."""
    root = tmp_path / "checkout"
    left_out = shutil.ignore_patterns(".venv", "__pycache__")
    shutil.copytree(template.root, root, ignore=left_out)
    return Checkout(root, template.wheels, dict(template.settings))


def content(folder: Path) -> dict[str, bytes | str]:
    """Return everything in *folder*: the content of files and the targets of links."""
    return {
        str(path.relative_to(folder)): (
            str(path.readlink()) if path.is_symlink() else path.read_bytes()
        )
        for path in folder.rglob("*")
        if path.is_symlink() or path.is_file()
        if path.parent.name != "__pycache__"
    }


def refused(ended: Ended) -> str:
    """Return the one-sentence error of a set-up that changed nothing."""
    assert ended.code == 3, ended.err + ended.out
    assert ended.out == ""
    (sentence,) = ended.err.splitlines()
    return sentence


@links
@pytest.mark.parametrize("damage", ["", "pyvenv.cfg", "workshop.stamp"])
def test_a_link_to_the_environment_of_another_checkout_changes_nothing_there(
    template: Checkout, checkout: Checkout, tmp_path: Path, damage: str
) -> None:
    other = tmp_path / "other"
    shutil.copytree(template.venv, other, symlinks=True)
    if damage:
        (other / damage).unlink()
    before = content(other)
    checkout.venv.symlink_to(other)

    sentence = refused(checkout.run("list"))

    assert sentence.startswith(f"{checkout.venv} is a link, ")
    assert content(other) == before


@links
def test_a_link_above_an_environment_in_the_checkout_is_found(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    root = tmp_path / "home" / "checkout"
    root.mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "home")
    (root / ".venvs").symlink_to(tmp_path / "elsewhere")

    place = root / ".venvs" / "notebooks"

    assert ownership.link_on_the_way(place, root) == root / ".venvs"
    # What is above the checkout is the user's own affair.
    root = tmp_path / "link" / "checkout"
    assert ownership.link_on_the_way(root / ".venv", root) is None


@links
def test_a_checkout_reached_through_a_link_is_set_up(
    checkout: Checkout, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(checkout.root)
    checkout.root, root = tmp_path / "link", checkout.root

    ended = checkout.run("list")

    assert ended.code == 0, ended.err
    assert (root / ".venv" / "workshop.stamp").exists()


def own_environment(place: Path) -> None:
    """Create a virtual environment as a user would."""
    command = [base_python(), "-m", "venv", "--without-pip", str(place)]
    subprocess.run(command, check=True)


def unusable_environment(place: Path) -> None:
    """Create one without a Python but with a valuable file."""
    own_environment(place)
    shutil.rmtree(place / ("Scripts" if os.name == "nt" else "bin"))
    (place / "thesis.txt").write_text("the only copy", encoding="utf-8")


def environment_with_our_lock(place: Path) -> None:
    """Create one with a lock file like ours, which proves nothing."""
    own_environment(place)
    (place / "workshop.lock").write_text("process 17", encoding="utf-8")


def conda_environment(place: Path) -> None:
    """Create one as conda does: without pyvenv.cfg, with conda's own folder."""
    (place / "conda-meta").mkdir(parents=True)
    (place / "conda-meta" / "history").touch()


def documents(place: Path) -> None:
    """Create a folder that has nothing to do with Python."""
    place.mkdir()
    (place / "thesis.txt").touch()


FOREIGN = [
    own_environment,
    unusable_environment,
    environment_with_our_lock,
    conda_environment,
    documents,
]


@pytest.mark.parametrize("make", FOREIGN)
@pytest.mark.parametrize("named", [True, False])
def test_a_folder_that_the_workshop_did_not_create_is_not_changed(
    checkout: Checkout, tmp_path: Path, make: Callable[[Path], None], named: bool
) -> None:
    place = tmp_path / "own" if named else checkout.venv
    make(place)
    before = content(place)
    if named:
        checkout.settings["WORKSHOP_VENV"] = str(place)

    sentence = refused(checkout.run("list"))

    assert str(place) in sentence
    assert "WORKSHOP_VENV" in sentence
    assert content(place) == before


@links
def test_a_path_unsuitable_for_an_environment_is_an_error(
    checkout: Checkout,
) -> None:
    root = checkout.root.rename(checkout.root.with_name("check:out"))

    sentence = refused(Checkout(root, checkout.wheels, checkout.settings).run("list"))

    assert "has a `:` in its path" in sentence
    assert not (root / ".venv").exists()


def test_a_set_up_killed_at_its_start_is_repeated(
    checkout: Checkout,
) -> None:
    checkout.venv.mkdir()
    (checkout.venv / "workshop.lock").touch()

    ended = checkout.run("list")

    assert ended.code == 0, ended.err


def test_a_set_up_killed_halfway_is_repeated(checkout: Checkout) -> None:
    checkout.venv.mkdir()
    ownership.claim(Environment(checkout.venv))
    (checkout.venv / "pyvenv.cfg").write_text("half", encoding="utf-8")

    ended = checkout.run("list")

    assert ended.code == 0, ended.err
    assert ended.err.startswith(".venv cannot be used as it is: creating it again")


def test_an_environment_of_an_earlier_version_is_recognised_by_its_stamp(
    template: Checkout, checkout: Checkout
) -> None:
    shutil.copytree(template.venv, checkout.venv, symlinks=True)
    (checkout.venv / "workshop.marker").unlink()

    ended = checkout.run("list")

    assert ended.code == 0, ended.err
    assert (checkout.venv / "workshop.marker").exists()


@links
def test_setting_up_a_hard_linked_copy_leaves_the_original_alone(
    template: Checkout, checkout: Checkout
) -> None:
    def share(source: str, target: str) -> None:
        Path(target).hardlink_to(source)

    shutil.copytree(template.venv, checkout.venv, symlinks=True, copy_function=share)
    before = content(template.venv)

    ended = checkout.run("list")

    assert ended.code == 0, ended.err
    assert f"prefix: {checkout.venv}" in ended.out
    after = content(template.venv)
    # Whoever waits for the lock is told who holds it: that file alone is shared.
    assert {it for it in after if after[it] != before[it]} <= {"workshop.lock"}
    assert set(after) == set(before)


@links
@pytest.mark.parametrize("folder", ["bin", "lib", "site-packages"])
def test_a_link_in_our_environment_is_not_followed(
    template: Checkout, checkout: Checkout, tmp_path: Path, folder: str
) -> None:
    shutil.copytree(template.venv, checkout.venv, symlinks=True)
    linked = next(it for it in checkout.venv.rglob(folder) if not it.is_symlink())
    linked.rename(tmp_path / "elsewhere")
    linked.symlink_to(tmp_path / "elsewhere")
    before = content(tmp_path / "elsewhere")

    ended = checkout.run("list")

    assert ended.code == 0, ended.err
    assert content(tmp_path / "elsewhere") == before
    assert not linked.is_symlink()


@links
def test_a_lock_file_that_is_a_link_empties_no_other_file(
    template: Checkout, checkout: Checkout, tmp_path: Path
) -> None:
    shutil.copytree(template.venv, checkout.venv, symlinks=True)
    (tmp_path / "dear.txt").write_text("the only copy", encoding="utf-8")
    for name in ("workshop.lock", "workshop.log"):
        (checkout.venv / name).unlink(missing_ok=True)
        (checkout.venv / name).symlink_to(tmp_path / "dear.txt")
    checkout.pin("site", "1.0")

    ended = checkout.run("site")

    assert ended.code == 0, ended.err
    assert (tmp_path / "dear.txt").read_text(encoding="utf-8") == "the only copy"
