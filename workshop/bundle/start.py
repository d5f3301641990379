"""Copy the course from the memory stick to this computer, and set it up.

`start.sh`, `start.command` and `start.bat` run this file. It needs neither internet nor
packages, and changes nothing on the stick. Each copied file is compared with
SHA256SUMS, because memory sticks fail.

It runs on Python 3.6 and later, so that a Python that is too old can say so. The
bundle contains a copy, so it imports nothing from the workshop.
"""

import hashlib
import json
import os
import platform
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

STICK = Path(__file__).resolve().parent
FOLDER = "async-fastapi-workshop"
AGAIN = "start.bat" if os.name == "nt" else "sh start.sh"

_UNFINISHED = ".unfinished"
_MARK = "unfinished-copy-of-the-workshop"
_JUNK = (".DS_Store", "Thumbs.db", "desktop.ini", "__pycache__")
_MACHINES = {"amd64": "x86_64", "x64": "x86_64", "aarch64": "arm64"}


class StartError(Exception):
    """The course cannot be copied. The message says why and what to do next."""


def main(words: "list[str]") -> int:
    """Copy the course to the folder in *words*, and set it up; return the exit code.

    With `--suits`, only return whether the stick has packages for this Python: 0 or 1.
    """
    try:
        contents = _contents()
        machine = _machine(contents["machines"])
        if words == ["--suits"]:
            return 0 if machine else 1
        if machine is None:
            raise StartError(_no_packages(contents["machines"]))
        folder = _wanted(words)
        _say(f"Copying the course to {folder} …")
        _copy(folder, machine["wheels"])
    except StartError as problem:
        _say(str(problem))
        return 3
    except OSError as problem:
        _say(
            f"The course could not be copied: {problem}. Check that the disk has "
            "500 MB free and that the stick is still plugged in, then run this again: "
            f"{AGAIN}"
        )
        return 3
    except KeyboardInterrupt:
        _say(f"Stopped before the course was set up. To start over: {AGAIN}")
        return 130
    return _set_up(folder)


def _contents() -> "dict[str, Any]":
    try:
        with (STICK / "contents.json").open(encoding="utf-8") as file:
            found = json.load(file)  # type: dict[str, Any]
    except (OSError, ValueError):
        raise StartError(_damaged("contents.json")) from None
    if not found["machines"] or not (STICK / "SHA256SUMS").is_file():
        raise StartError(
            "This memory stick is incomplete, because writing it was interrupted. Ask "
            "for another stick, or run `make bundle` again where it was written."
        )
    return found


def _damaged(name: str) -> str:
    return (
        f"{STICK / name} is damaged or cannot be read. The memory stick may be broken, "
        "or it was unplugged while it was written. Use another stick, or copy the "
        "bundle to this one again."
    )


def _system() -> str:
    """Return this computer's system as contents.json names it."""
    machine = platform.machine().lower()
    machine = _MACHINES.get(machine, machine)
    if sys.platform == "win32":
        # An emulated Python on an ARM processor needs the packages for amd64.
        return "windows-amd64" if "amd64" in sys.version.lower() else "windows-arm64"
    if sys.platform == "darwin":
        return "macos-" + machine
    name = "linux-" + {"arm64": "aarch64"}.get(machine, machine)
    # The packages need glibc. Alpine Linux, for example, has another C library.
    return name if platform.libc_ver()[0] == "glibc" else name + "-without-glibc"


def _machine(machines: "list[dict[str, Any]]") -> "dict[str, Any] | None":
    here = [_system(), "{}.{}".format(*sys.version_info)]
    is_cpython = platform.python_implementation() == "CPython"
    # Free-threaded Python (3.13 and later, without the GIL) needs other packages.
    is_usual = is_cpython and "t" not in getattr(sys, "abiflags", "")
    fitting = [it for it in machines if [it["system"], it["python"]] == here]
    return fitting[0] if fitting and is_usual else None


def _no_packages(machines: "list[dict[str, Any]]") -> str:
    here = _system()
    known = sorted({str(it["system"]) for it in machines})
    pythons = [str(it["python"]) for it in machines if it["system"] == here]
    if not pythons:
        return (
            "This memory stick has packages for {}, but this computer is {}. Share a "
            "computer with another participant, or connect to the internet and follow "
            "course/README.md.".format(", ".join(known), here)
        )
    return (
        "This memory stick has packages for Python {}, but this is Python {}.{} ({}). "
        "Install one of these versions from python.org, then run this again: {}".format(
            ", ".join(pythons), *(*sys.version_info[:2], sys.executable, AGAIN)
        )
    )


def _wanted(words: "list[str]") -> Path:
    """Return the folder that *words* name, by default one in the home folder."""
    given = " ".join(words)
    path = Path(given).expanduser() if given else Path.home() / FOLDER
    folder = Path(os.path.abspath(str(path)))  # noqa: PTH100 -- keeps links as typed
    if folder == STICK or STICK in folder.resolve().parents:
        raise StartError(
            f"{folder} is on the memory stick, where the workshop would be slow. Name "
            f"a folder on this computer instead: {AGAIN} FOLDER"
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise StartError(
            f"{folder} already exists, so nothing was changed. If it contains the "
            f"workshop, continue there: {_next(folder)}\n"
            f"To make another copy, name a new folder: {AGAIN} FOLDER"
        )
    return folder


def _copy(folder: Path, wheels: "list[str]") -> None:
    """Copy the course, its site and *wheels* to *folder*, which appears at the end."""
    begun = folder.with_name(folder.name + _UNFINISHED)
    if begun.exists():
        if not (begun / _MARK).is_file():
            raise StartError(
                f"The folder {begun} is needed for copying, but it contains something "
                f"else. Move or rename it, then run this again: {AGAIN}"
            )
        shutil.rmtree(str(begun))
    begun.mkdir(parents=True)
    (begun / _MARK).touch()
    sums = _sums()
    for name in list(sums):
        if name.startswith(("course/", "site/")) and not (STICK / name).is_file():
            raise StartError(_damaged(name))
    for part, target in (("course", begun), ("site", begun / "site")):
        for path in _files(STICK / part):
            inside = path.relative_to(STICK)
            _copy_file(path, target / path.relative_to(STICK / part), sums, inside)
    for wheel in wheels:
        path = STICK / "wheels" / wheel
        target = begun / ".workshop" / "wheels" / wheel
        _copy_file(path, target, sums, path.relative_to(STICK))
    (begun / _MARK).unlink()
    if folder.exists():
        folder.rmdir()  # it is empty
    begun.rename(folder)


def _files(folder: Path) -> "list[Path]":
    found = []
    for place, folders, names in os.walk(str(folder)):
        folders[:] = [name for name in folders if name not in _JUNK]
        found += [
            Path(place) / name
            for name in names
            if name not in _JUNK and not name.startswith("._")
        ]
    return sorted(found)


def _sums() -> "dict[str, str]":
    with (STICK / "SHA256SUMS").open(encoding="utf-8") as file:
        pairs = [line.rstrip("\n").split("  ", 1) for line in file]
    return {name: digest for digest, name in pairs}


def _copy_file(path: Path, target: Path, sums: "dict[str, str]", name: Path) -> None:
    """Copy the content of a file, without its permissions.

    Raises:
        StartError: The file is missing, or its checksum is not that in SHA256SUMS.

    """
    try:
        content = path.read_bytes()
    except OSError:
        raise StartError(_damaged(str(name))) from None
    expected = sums.get(name.as_posix())
    if expected and hashlib.sha256(content).hexdigest() != expected:
        raise StartError(_damaged(str(name)))
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)


def _set_up(folder: Path) -> int:
    _say("Installing the packages from the memory stick …")
    # Every command sets up the course first. The output of this one is not needed.
    command = [sys.executable, "-m", "workshop", "list"]
    # These variables may belong to another copy of the course.
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("WORKSHOP_VENV", "WORKSHOP_WHEELS")
        and not name.startswith("PYTHON")
    }
    try:
        code = subprocess.call(
            command, cwd=str(folder), env=kept, stdout=subprocess.DEVNULL
        )
    except KeyboardInterrupt:
        code = 130
    if code:
        _say(
            f"The course is in {folder}, but it could not be set up. Solve the problem "
            f"above, then continue there: {_next(folder)}"
        )
        return code
    _say(f"\nThe course is in {folder}. To start: {_next(folder)}")
    if (folder / "site" / "index.html").is_file():
        site = (folder / "site" / "index.html").as_uri()
        _say(f"To read it in your browser: {site}")
    return 0


def _next(folder: Path) -> str:
    if os.name == "nt":
        python = "py -{}.{}".format(*sys.version_info)
        return f'cd /d "{folder}" && {python} -m workshop learn'
    has_make = shutil.which("make") is not None
    python = shlex.quote(sys.executable)
    learn = "make learn" if has_make else f"{python} -m workshop learn"
    return f"cd {shlex.quote(str(folder))} && {learn}"


def _say(sentence: str) -> None:
    encoding = sys.stdout.encoding or "ascii"
    sys.stdout.write(sentence.encode(encoding, "replace").decode(encoding) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
