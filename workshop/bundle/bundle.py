"""Write a bundle, or complete one that an earlier run has started."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from packaging.requirements import Requirement

from workshop.bundle import scripts
from workshop.bundle.clone import Original
from workshop.bundle.contents import (
    Contents,
    Machine,
    megabytes,
    refuse_others,
    size,
    write_sums,
)
from workshop.bundle.errors import BundleError
from workshop.bundle.folders import put, remove
from workshop.bundle.targets import TARGETS, Target
from workshop.bundle.wheels import Store, pins, spelled
from workshop.processes.temporary import sweep, temporary_folder
from workshop.site.build import build as build_site

CORE = "core"
_MISSING_SHOWN = 5


@dataclass(frozen=True)
class Order:
    """What a bundle should contain.

    Attributes:
        targets: The machines to download packages for.
        groups: The groups of packages, `core` first.
        site: Whether to build the site.

    """

    targets: Sequence[Target]
    groups: Sequence[str]
    site: bool


@dataclass(frozen=True)
class Outcome:
    """The packages of one target.

    Attributes:
        target: The target.
        wheels: The wheels that it needs and that the bundle contains.
        missing: The pins without a wheel for it, such as `lupa==2.8`.

    """

    target: Target
    wheels: tuple[Path, ...]
    missing: tuple[str, ...]

    @property
    def line(self) -> str:
        """The outcome as a line of text."""
        amount = f"{len(self.wheels):>4} packages {megabytes(size(self.wheels)):>9}"
        if not self.missing:
            return f"{self.target.title:<30} {amount}   complete"
        shown = ", ".join(self.missing[:_MISSING_SHOWN])
        more = len(self.missing) - _MISSING_SHOWN
        others = f" and {more} more" if more > 0 else ""
        return (
            f"{self.target.title:<30} {amount}   INCOMPLETE, no wheel: {shown}{others}"
        )


def group_names(root: Path) -> list[str]:
    """Return the package groups that the checkout *root* pins, `core` first."""
    found = sorted(path.stem for path in (root / "requirements").glob("*.txt"))
    return [CORE, *(name for name in found if name != CORE)]


def write(
    root: Path, folder: Path, order: Order, say: Callable[[str], None]
) -> list[Outcome]:
    """Write the bundle of the checkout *root* into *folder*; return its packages.

    Valid files of an earlier run are kept, so an interrupted run can be continued. The
    course, its packages and the site are those of the current commit.

    Raises:
        BundleError: The bundle cannot be written. Its complete parts can be used, and
            the next run continues.

    """
    refuse_others(folder)
    original = Original.of(root)
    _mention(original.uncommitted, say)
    try:
        return _write(original, folder, order, say)
    except OSError as problem:
        raise BundleError(
            f"Cannot write to {folder}: {problem.strerror or problem}. A bundle for "
            "all platforms needs 150 MB, or up to 1 GB with --with. Free some space or "
            "choose another folder, then run the command again to continue."
        ) from problem


def _write(
    original: Original, folder: Path, order: Order, say: Callable[[str], None]
) -> list[Outcome]:
    folder.mkdir(parents=True, exist_ok=True)
    before = Contents.of(folder) or Contents()
    # The start scripts must not use the bundle until it is complete.
    replace(before, machines=()).write(folder)
    wheels = folder / "wheels"
    wheels.mkdir(exist_ok=True)
    sweep([folder, wheels])
    say(f"Cloning the course at {original.commit[:12]} …")
    original.clone_to(folder / "course")
    work = _Work(folder, original.commit, Store(wheels), say)
    site = before.site if (folder / "site").is_dir() else ""
    try:
        if order.site:
            site = work.build_site(site)
        return work.fetch(order)
    finally:
        # Also after an error, so that the parts that were complete can be used again.
        work.finish(site)


@dataclass(frozen=True)
class _Work:
    """The parts of a bundle that are created from its clone of the course."""

    folder: Path
    commit: str
    store: Store
    say: Callable[[str], None]

    @property
    def course(self) -> Path:
        return self.folder / "course"

    def pins_of(self, group: str) -> list[Requirement]:
        file = self.course / "requirements" / f"{group}.txt"
        if not file.is_file():
            raise BundleError(
                f"requirements/{group}.txt is not committed, so the bundle cannot "
                "contain its packages. Commit the file, then run the command again."
            )
        return pins(file)

    def build_site(self, built: str) -> str:
        """Build the site, unless it is there already; return its commit."""
        target = self.folder / "site"
        if built == self.commit and (target / "index.html").is_file():
            return built
        self.say("Building the site …")
        with temporary_folder("site", self.folder) as folder:
            if not build_site(self.course, folder / "site"):
                raise BundleError(
                    "The site could not be built, for the reason above. To write a "
                    "bundle without the site, add --no-site."
                )
            put(folder / "site", target)
        for cache in list(self.course.rglob("__pycache__")):
            remove(cache)
        return self.commit

    def fetch(self, order: Order) -> list[Outcome]:
        """Download the wheels of *order* that are missing."""
        for name in self.store.remove_damaged():
            self.say(f"{name} is damaged. Downloading it again …")
        wanted = [pin for group in order.groups for pin in self.pins_of(group)]
        return [self._outcome(target, wanted) for target in order.targets]

    def _outcome(self, target: Target, wanted: Sequence[Requirement]) -> Outcome:
        needed = _needed(wanted, target)
        absent = [pin for pin in needed if self.store.fitting(pin, target) is None]
        if absent:
            self.say(f"Downloading {len(absent)} packages for {target.title} …")
            self.store.fetch(absent, target)
        found = [(pin, self.store.fitting(pin, target)) for pin in needed]
        return Outcome(
            target,
            tuple(dict.fromkeys(path for _, path in found if path is not None)),
            tuple(spelled(pin) for pin, path in found if path is None),
        )

    def finish(self, site: str) -> None:
        """Write the list of contents and the start scripts."""
        pinned = {group: self.pins_of(group) for group in group_names(self.course)}
        found = [_Found.of(self.store, target, pinned) for target in TARGETS]
        # Keep the wheels of incomplete groups, which the next run may complete.
        self.store.remove_others(name for it in found for name in it.all_wheels)
        machines = [it.machine for it in found if CORE in it.machine.groups]
        contents = Contents(self.commit, site, tuple(machines))
        scripts.write(self.folder, contents)
        contents.write(self.folder)
        write_sums(self.folder)


def _mention(uncommitted: Sequence[str], say: Callable[[str], None]) -> None:
    if not uncommitted:
        return
    shown = ", ".join(uncommitted[:3])
    more = len(uncommitted) - 3
    others = f" and {more} more" if more > 0 else ""
    say(
        f"The bundle does not contain uncommitted changes: {shown}{others}. To include "
        "them, commit them and run the command again."
    )


def _needed(wanted: Sequence[Requirement], target: Target) -> list[Requirement]:
    """Return the pins of *wanted* that *target* needs, each once."""
    needed = {spelled(pin): pin for pin in wanted if target.needs(pin)}
    return list(needed.values())


@dataclass(frozen=True)
class _Found:
    """What the bundle contains for a target; *all_wheels* includes partial groups."""

    machine: Machine
    all_wheels: tuple[str, ...]

    @classmethod
    def of(
        cls, store: Store, target: Target, pinned: Mapping[str, Sequence[Requirement]]
    ) -> _Found:
        complete: dict[str, list[str]] = {}
        all_wheels: list[str] = []
        for group, group_pins in pinned.items():
            needed = _needed(group_pins, target)
            fitting = [store.fitting(pin, target) for pin in needed]
            there = [path.name for path in fitting if path is not None]
            all_wheels += there
            if len(there) == len(needed):
                complete[group] = there
        wheels = dict.fromkeys(name for it in complete.values() for name in it)
        machine = Machine(
            target.system.name,
            target.version,
            target.title,
            tuple(complete),
            tuple(wheels),
        )
        return cls(machine, tuple(all_wheels))
