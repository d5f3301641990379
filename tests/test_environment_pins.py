"""The pins, and the Pythons that they are for, are what pyproject.toml says."""

from __future__ import annotations

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from workshop.environment import pins
from workshop.environment.model import pins_file
from workshop.environment.python import NEWEST, OLDEST
from workshop.paths import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))[
    "project"
]


def pinned(group: str) -> dict[str, Requirement]:
    """Return the pins of *group* by name."""
    lines = pins_file(group).read_text(encoding="utf-8").splitlines()
    return {
        canonicalize_name(it.name): it for it in (Requirement(line) for line in lines)
    }


def declared(group: str) -> list[Requirement]:
    """Return the dependencies in pyproject.toml."""
    extras = PROJECT["optional-dependencies"]
    lines = PROJECT["dependencies"] if group == "core" else extras[group]
    return [Requirement(line) for line in lines]


@pytest.mark.parametrize("group", pins.groups())
def test_every_dependency_is_pinned_within_its_limits(group: str) -> None:
    there = pinned("core") | pinned(group)
    for wanted in declared(group):
        pin = there.get(canonicalize_name(wanted.name))
        assert pin is not None, f"{wanted.name} has no pin: run `make pins`"
        version = str(pin.specifier).removeprefix("==")
        assert wanted.specifier.contains(version), (
            f"{pin} does not fit {wanted}: run `make pins`"
        )


def test_groups_agree_on_what_they_share() -> None:
    seen: dict[str, str] = {}
    for group in pins.groups():
        for name, pin in pinned(group).items():
            assert seen.setdefault(name, str(pin.specifier)) == str(pin.specifier)


@pytest.mark.parametrize("group", pins.groups())
def test_pins_name_no_index(group: str) -> None:
    for line in pins_file(group).read_text(encoding="utf-8").splitlines():
        assert re.fullmatch(r"[\w.-]+==[\w.]+( ; [^#@]+)?", line), line


def test_the_supported_pythons_are_those_in_pyproject() -> None:
    allowed = SpecifierSet(PROJECT["requires-python"])
    minors = [f"3.{minor}" for minor in range(5, 20) if f"3.{minor}.1" in allowed]

    assert minors[0] == "{}.{}".format(*OLDEST)
    assert minors[-1] == "{}.{}".format(*NEWEST)
