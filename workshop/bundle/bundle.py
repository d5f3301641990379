"""Write a bundle, or complete one that an earlier run has begun."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
        BundleError: It cannot be written. The next run continues.

    """
    refuse_others(folder)
    original = Original.of(root)
    _mention(original.uncommitted, say)
    folder.mkdir(parents=True, exist_ok=True)
    before = Contents.of(folder) or Contents()
    # Until everything is written, the start scripts must not use any of it.
    replace(before, machines=()).write(folder)
    store_folder = folder / "wheels"
    store_folder.mkdir(exist_ok=True)
    sweep([folder, store_folder])
    say(f"Cloning the course at {original.commit[:12]} …")
    course = folder / "course"
    original.clone_to(course)
    site = before.site
    if order.site:
        site = _site(course, folder / "site", original.commit, site, say)
    elif not (folder / "site").is_dir():
        site = ""
    pinned = {
        name: pins(course / "requirements" / f"{name}.txt")
        for name in group_names(course)
    }
    store = Store(store_folder)
    for name in store.remove_damaged():
        say(f"{name} was damaged, so it is downloaded again.")
    wanted = [pin for name in order.groups for pin in pinned.get(name, [])]
    outcomes = [_fetched(store, target, wanted, say) for target in order.targets]
    machines = [_machine(store, target, pinned) for target in TARGETS]
    there = tuple(machine for machine in machines if CORE in machine.groups)
    store.remove_others(name for machine in there for name in machine.wheels)
    contents = Contents(original.commit, site, there)
    scripts.write(folder, contents)
    contents.write(folder)
    write_sums(folder)
    (folder / "pip.log").unlink(missing_ok=True)
    return outcomes


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


def _site(
    course: Path, target: Path, commit: str, built: str, say: Callable[[str], None]
) -> str:
    """Build the site of the clone *course*, unless it is there; return its commit."""
    if built == commit and (target / "index.html").is_file():
        return commit
    say("Building the site …")
    with temporary_folder("site", target.parent) as folder:
        if not build_site(course, folder / "site"):
            raise BundleError(
                "The site could not be built. The reason is above. `--no-site` writes "
                "a bundle without the site."
            )
        put(folder / "site", target)
    for cache in list(course.rglob("__pycache__")):
        remove(cache)
    return commit


def _fetched(
    store: Store,
    target: Target,
    wanted: Sequence[Requirement],
    say: Callable[[str], None],
) -> Outcome:
    needed = _needed(wanted, target)
    absent = [pin for pin in needed if store.fitting(pin, target) is None]
    if absent:
        say(f"Downloading {len(absent)} packages for {target.title} …")
        store.fetch(absent, target)
    found = [(pin, store.fitting(pin, target)) for pin in needed]
    return Outcome(
        target,
        tuple(dict.fromkeys(path for _, path in found if path is not None)),
        tuple(spelled(pin) for pin, path in found if path is None),
    )


def _needed(wanted: Sequence[Requirement], target: Target) -> list[Requirement]:
    """Return the pins of *wanted* that *target* needs, each once."""
    needed = {spelled(pin): pin for pin in wanted if target.needs(pin)}
    return list(needed.values())


def _machine(
    store: Store, target: Target, pinned: dict[str, list[Requirement]]
) -> Machine:
    """Return what *target* gets: the groups whose wheels are all in *store*."""
    groups = []
    wheels: dict[str, None] = {}
    for name, all_pins in pinned.items():
        found = [store.fitting(pin, target) for pin in _needed(all_pins, target)]
        there = [path.name for path in found if path is not None]
        if len(there) == len(found):
            groups.append(name)
            wheels |= dict.fromkeys(there)
    return Machine(
        target.system.name, target.version, target.title, tuple(groups), tuple(wheels)
    )
