"""Find and download the packages of a bundle.

All wheels are in one folder, so a pure Python wheel is stored once. A wheel is moved
there when it is complete, so an interrupted download leaves no partial file.
"""

from __future__ import annotations

import re
import subprocess
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.tags import Tag
from packaging.utils import (
    InvalidWheelFilename,
    canonicalize_name,
    parse_wheel_filename,
)

from workshop.bundle.errors import BundleError
from workshop.bundle.targets import Target
from workshop.environment.trouble import explain, is_offline
from workshop.private_apis.interpreter import base_python
from workshop.processes.environment import environment_of_installers
from workshop.processes.supervised import SupervisedProcess
from workshop.processes.temporary import temporary_folder

_NO_WHEEL = re.compile(r"No matching distribution found for ([^\s=;]+)")


def pins(file: Path) -> list[Requirement]:
    """Return the pins in the requirements *file*."""
    lines = file.read_text(encoding="utf-8").splitlines()
    return [
        Requirement(line)
        for line in (line.partition("#")[0].strip() for line in lines)
        if line
    ]


def spelled(pin: Requirement) -> str:
    """Return *pin* without its marker: `lupa==2.8`."""
    return f"{pin.name}{pin.specifier}"


@dataclass(frozen=True)
class _Wheel:
    path: Path
    name: str
    version: str
    tags: frozenset[Tag]


class Store:
    """The wheels in *folder*."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._wheels: dict[str, list[_Wheel]] = defaultdict(list)
        for path in sorted(folder.glob("*.whl")):
            self._add(path)

    def _add(self, path: Path) -> None:
        try:
            name, version, _, tags = parse_wheel_filename(path.name)
        except InvalidWheelFilename:
            return
        self._wheels[name].append(_Wheel(path, name, str(version), tags))

    def fitting(self, pin: Requirement, target: Target) -> Path | None:
        """Return the best wheel of *pin* for *target*, or None."""
        ranks = target.ranks
        found = [
            (min(ranks[tag] for tag in wheel.tags & ranks.keys()), wheel.path)
            for wheel in self._wheels[canonicalize_name(pin.name)]
            if pin.specifier.contains(wheel.version, prereleases=True)
            and wheel.tags & ranks.keys()
        ]
        return min(found)[1] if found else None

    def remove_damaged(self) -> list[str]:
        """Delete damaged wheels, and return their names."""
        damaged = [
            wheel
            for wheels in self._wheels.values()
            for wheel in wheels
            if not _is_whole(wheel.path)
        ]
        for wheel in damaged:
            self._wheels[wheel.name].remove(wheel)
            wheel.path.unlink()
        return [wheel.path.name for wheel in damaged]

    def remove_others(self, kept: Iterable[str]) -> None:
        """Delete all wheels except those named in *kept*."""
        names = set(kept)
        for path in self.folder.glob("*.whl"):
            if path.name not in names:
                path.unlink()

    def fetch(self, wanted: Sequence[Requirement], target: Target) -> None:
        """Download those wheels of *wanted* that exist for *target*.

        Raises:
            BundleError: The index cannot be reached, or pip fails for another reason.

        """
        for pins_of_round in _rounds(wanted):
            self._fetch(pins_of_round, target)

    def _fetch(self, left: dict[str, Requirement], target: Target) -> None:
        while left:
            with temporary_folder("wheels", self.folder) as folder:
                output = _download([*map(spelled, left.values())], target, folder)
                if output is None:
                    for path in sorted(folder.glob("*.whl")):
                        self._add(path.replace(self.folder / path.name))
                    return
            # If one package has no wheel for the target, pip downloads none of them.
            refused = _NO_WHEEL.search(output)
            name = canonicalize_name(refused[1]) if refused else None
            if is_offline(output) or name not in left:
                raise BundleError(_words(output, self.folder))
            del left[name]


def _rounds(wanted: Sequence[Requirement]) -> list[dict[str, Requirement]]:
    """Return *wanted* by name, in groups that pip can download in one run.

    pip rejects two versions of one package, but two patch releases of Python may need
    different versions.
    """
    rounds: list[dict[str, Requirement]] = []
    for pin in wanted:
        name = canonicalize_name(pin.name)
        free = [it for it in rounds if name not in it]
        if not free:
            rounds.append({})
        (free or rounds)[-1][name] = pin
    return rounds


def _is_whole(wheel: Path) -> bool:
    try:
        with zipfile.ZipFile(wheel) as archive:
            return archive.testzip() is None
    except (OSError, zipfile.BadZipFile, EOFError):
        return False


def _download(wanted: list[str], target: Target, folder: Path) -> str | None:
    """Download *wanted* into *folder*; return pip's output if that fails."""
    interpreter = "cp{}{}".format(*target.python)
    command = [base_python(), "-P", "-m", "pip", "download", "--dest", str(folder)]
    command += ["--no-deps", "--only-binary=:all:", "--progress-bar=off"]
    command += ["--implementation", "cp", "--python-version", target.newest]
    for abi in (interpreter, "abi3", "none"):
        command += ["--abi", abi]
    for platform in target.system.platforms:
        command += ["--platform", platform]
    settings = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}
    with SupervisedProcess(
        [*command, *wanted],
        environment=environment_of_installers(settings),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        assert process.process.stdout is not None
        output = process.process.stdout.read().decode("utf-8", "replace")
        code = process.wait()
    return output if code else None


def _words(output: str, folder: Path) -> str:
    if "No module named pip" in output:
        return (
            f"The packages are downloaded with pip, which {base_python()} does not "
            "have. On Debian and Ubuntu, run `sudo apt install python3-pip`; elsewhere "
            f"run `{base_python()} -m ensurepip`. Then run the command again."
        )
    log = folder.parent / "pip.log"
    log.write_text(output, encoding="utf-8")
    return explain(output, folder, log)
