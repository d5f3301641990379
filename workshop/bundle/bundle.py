"""Write a bundle, or complete one that an earlier run has begun."""

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
    """What a bundle is to contain.

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
        wheels: The wheels that it needs and that are there.
        missing: The pins that have no wheel for it: `lupa==2.8`.

    """

    target: Target
    wheels: tuple[Path, ...]
    missing: tuple[str, ...]

    @property
    def line(self) -> str:
        """The outcome for people."""
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
    """Return the groups of packages that the checkout *root* pins, `core` first."""
    found = sorted(path.stem for path in (root / "requirements").glob("*.txt"))
    return [CORE, *(name for name in found if name != CORE)]


def write(
    root: Path, folder: Path, order: Order, say: Callable[[str], None]
) -> list[Outcome]:
    """Write the bundle of the checkout *root* into *folder*; return what is in it.

    What an earlier run has written is kept if it is still valid, so a run that was
    interrupted is continued. The course is what is committed; the packages and the site
    are those of that commit, too.

    Raises:
        BundleError: It cannot be written. What is there can be used, and the next run
            continues.

    """
    refuse_others(folder)
    original = Original.of(root)
    _mention(original.uncommitted, say)
    try:
        return _write(original, folder, order, say)
    except OSError as problem:
        raise BundleError(
            f"{folder} could not be written: {problem.strerror or problem}. A bundle "
            "for all platforms needs 150 MB, with --with up to 1 GB. Free some space, "
            "or name another folder, and run the same command again to continue."
        ) from problem


def _write(
    original: Original, folder: Path, order: Order, say: Callable[[str], None]
) -> list[Outcome]:
    folder.mkdir(parents=True, exist_ok=True)
    before = Contents.of(folder) or Contents()
    # Until everything is written, the start scripts must not use any of it.
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
        # Also after an error: what was complete before can be used again.
        work.finish(site)


@dataclass(frozen=True)
class _Work:
    """The parts of a bundle that are made from its clone of the course."""

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
                "contain its packages. Commit it and run the same command again."
            )
        return pins(file)

    def build_site(self, built: str) -> str:
        """Build the site, unless that of the commit is there; return its commit."""
        target = self.folder / "site"
        if built == self.commit and (target / "index.html").is_file():
            return built
        self.say("Building the site …")
        with temporary_folder("site", self.folder) as folder:
            if not build_site(self.course, folder / "site"):
                raise BundleError(
                    "The site could not be built. The reason is above. `--no-site` "
                    "writes a bundle without the site."
                )
            put(folder / "site", target)
        for cache in list(self.course.rglob("__pycache__")):
            remove(cache)
        return self.commit

    def fetch(self, order: Order) -> list[Outcome]:
        """Download the wheels of *order* that are missing."""
        for name in self.store.remove_damaged():
            self.say(f"{name} was damaged, so it is downloaded again.")
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
        """Write what the bundle contains, and its scripts."""
        pinned = {group: self.pins_of(group) for group in group_names(self.course)}
        found = [_Found.of(self.store, target, pinned) for target in TARGETS]
        # Also the wheels of groups that a next run will complete.
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
        f"Uncommitted changes are not part of the bundle: {shown}{others}. To include "
        "them, commit them and run the same command again."
    )


def _needed(wanted: Sequence[Requirement], target: Target) -> list[Requirement]:
    """Return the pins of *wanted* that *target* needs, each once."""
    needed = {spelled(pin): pin for pin in wanted if target.needs(pin)}
    return list(needed.values())


@dataclass(frozen=True)
class _Found:
    """What is there for a target, and *all_wheels* that some group of it needs."""

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
