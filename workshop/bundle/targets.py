"""The machines that a bundle is for: a system and a Python version each.

This module computes which packages a target needs and which wheels are compatible with
it. (`pip download --platform` evaluates markers such as `sys_platform == 'win32'` for
the machine that it runs on.)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from packaging.requirements import Requirement
from packaging.tags import Tag, compatible_tags, cpython_tags, mac_platforms

from workshop.environment.python import NEWEST, OLDEST

# Markers like `python_full_version < '3.11.3'` depend on the patch release, which is
# only known on the learner's machine. So a target needs what any patch release needs.
_PATCHES = range(30)

# glibc 2.28: Debian 10, Ubuntu 18.10, RHEL 8 and later. README.txt names both.
_GLIBC_MINORS = range(28, 4, -1)
_LEGACY = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
_MACOS = (11, 0)


@dataclass(frozen=True)
class System:
    """An operating system on a processor.

    Attributes:
        name: Its name on the command line: `linux-x86_64`.
        title: Its name to show.
        platforms: The platform tags of wheels that run on it, the best one first.
        markers: Its values in environment markers.

    """

    name: str
    title: str
    platforms: tuple[str, ...]
    markers: tuple[tuple[str, str], ...]


def _linux(machine: str) -> System:
    platforms = []
    for minor in _GLIBC_MINORS:
        platforms.append(f"manylinux_2_{minor}_{machine}")
        if minor in _LEGACY:
            platforms.append(f"{_LEGACY[minor]}_{machine}")
    return System(
        f"linux-{machine}",
        f"Linux {machine}",
        (*platforms, f"linux_{machine}"),
        _markers("linux", "Linux", "posix", machine),
    )


def _macos(machine: str) -> System:
    return System(
        f"macos-{machine}",
        f"macOS {machine}",
        tuple(mac_platforms(_MACOS, machine)),
        _markers("darwin", "Darwin", "posix", machine),
    )


def _markers(
    platform: str, system: str, name: str, machine: str
) -> tuple[tuple[str, str], ...]:
    return (
        ("sys_platform", platform),
        ("platform_system", system),
        ("os_name", name),
        ("platform_machine", machine),
        ("platform_release", ""),
        ("platform_version", ""),
        ("implementation_name", "cpython"),
        ("platform_python_implementation", "CPython"),
        ("extra", ""),
    )


SYSTEMS = (
    _linux("x86_64"),
    _linux("aarch64"),
    _macos("arm64"),
    _macos("x86_64"),
    System(
        "windows-amd64",
        "Windows amd64",
        ("win_amd64",),
        _markers("win32", "Windows", "nt", "AMD64"),
    ),
)

PYTHONS = tuple(
    (OLDEST[0], minor) for minor in range(OLDEST[1], NEWEST[1] + 1)
)  # the supported ones


@dataclass(frozen=True)
class Target:
    """A system with a Python version."""

    system: System
    python: tuple[int, int]

    @property
    def version(self) -> str:
        """The Python version as text: `3.11`."""
        return "{}.{}".format(*self.python)

    @property
    def newest(self) -> str:
        """A patch release that is newer than any existing one: `3.11.29`.

        Packages may require a patch release, such as `>=3.11.5`.
        """
        return f"{self.version}.{_PATCHES[-1]}"

    @property
    def title(self) -> str:
        """The name to show: `Linux x86_64, Python 3.11`."""
        return f"{self.system.title}, Python {self.version}"

    @cached_property
    def ranks(self) -> dict[Tag, int]:
        """The tags of wheels that run here, each with its rank; 0 is the best."""
        platforms = self.system.platforms
        interpreter = "cp{}{}".format(*self.python)
        tags = [
            *cpython_tags(self.python, [interpreter], platforms),
            *compatible_tags(self.python, interpreter, platforms),
        ]
        return {tag: rank for rank, tag in reversed([*enumerate(tags)])}

    def needs(self, pin: Requirement) -> bool:
        """Return whether *pin* applies here, on any patch release of the Python."""
        marker = pin.marker
        return marker is None or any(
            marker.evaluate(environment) for environment in self._environments()
        )

    def _environments(self) -> Iterable[dict[str, str]]:
        for patch in _PATCHES:
            full = f"{self.version}.{patch}"
            yield {
                **dict(self.system.markers),
                "python_version": self.version,
                "python_full_version": full,
                "implementation_version": full,
            }


TARGETS = tuple(Target(system, python) for system in SYSTEMS for python in PYTHONS)
"""All targets that the workshop supports."""


class UnknownTargetError(Exception):
    """A name is not a known system or Python version. The message lists the names."""


def chosen(systems: Iterable[str], pythons: Iterable[str]) -> list[Target]:
    """Return the targets named by *systems* and *pythons*, or all if both are empty.

    A name is either that of a system, or the part before the hyphen, which stands for
    all processors.

    Raises:
        UnknownTargetError: A name is unknown.

    """
    names = list(systems)
    versions = list(pythons)
    known = [system.name for system in SYSTEMS]
    families = list(dict.fromkeys(name.partition("-")[0] for name in known))
    for name in names:
        if name not in known and name not in families:
            raise UnknownTargetError(
                f"There is no platform `{name}`. Choose from {', '.join(known)}, or "
                f"{', '.join(families)} for all processors."
            )
    there = ["{}.{}".format(*python) for python in PYTHONS]
    for version in versions:
        if version not in there:
            raise UnknownTargetError(
                f"The workshop does not support Python `{version}`. Choose from "
                f"{', '.join(there)}."
            )
    return [
        target
        for target in TARGETS
        if (
            not names
            or target.system.name in names
            or target.system.name.partition("-")[0] in names
        )
        and (not versions or target.version in versions)
    ]
