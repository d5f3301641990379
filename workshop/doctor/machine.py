"""Checks of a machine that need no installed packages."""

from __future__ import annotations

import os
import platform
import re
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from workshop.doctor.finding import Finding, ok, problem, warning
from workshop.environment import python
from workshop.environment.model import (
    Environment,
    digest,
    version_text,
)
from workshop.environment.ownership import refusal
from workshop.environment.trouble import explain_os_error
from workshop.paths import ROOT, folder_named_by, home
from workshop.processes.environment import diverts_packages
from workshop.processes.isolation import ignored_settings
from workshop.processes.loopback import LoopbackError, family_of
from workshop.processes.loopback import loopback as loopback_address

# Network and shared file systems: changes by other machines are not always reported,
# and locks do not always work.
_FAR = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "vboxsf", "fuse.sshfs", "drvfs"}
_SYNCED = re.compile(r"OneDrive|Dropbox|Google ?Drive|Mobile Documents", re.IGNORECASE)
_NEEDED_MB = 300
_PROXIES = {"HTTP_PROXY", "ALL_PROXY"}


def look(environment: Environment) -> Iterator[Finding]:
    """Yield a finding for each check that needs no packages."""
    yield python_version()
    yield set_up(environment)
    has_own_home = folder_named_by("WORKSHOP_HOME") is not None
    yield writing(ROOT, elsewhere=environment.place.parent != ROOT and has_own_home)
    yield from keeping(home())
    yield from bytecode(os.environ)
    yield from settings(ignored_settings(), os.environ)
    yield from file_system(ROOT, _read("/proc/mounts"), _read("/proc/version"))
    yield loopback()


def python_version() -> Finding:
    """Report which Python runs."""
    version = sys.version_info[:2]
    if not python.supported(version):
        return problem(python.refusal(version))
    return ok(f"Python {platform.python_version()}, {sys.executable}")


def set_up(environment: Environment) -> Finding:
    """Check that the environment is complete, without repairing it."""
    place, stamp = environment.place, environment.stamp()
    try:
        refused = None if environment.is_whole() else refusal(environment)
    except OSError as error:
        refused = explain_os_error(error, place)
    if refused is not None:
        return problem(refused)
    repair = "The next command repairs it and may need the network."
    if not place.exists():
        return warning(
            f"{place} does not exist yet. The first command creates it and needs the "
            "network: `python -m workshop list`."
        )
    if not os.access(environment.python, os.X_OK):
        return problem(f"The Python of {place} is missing. {repair}")
    who = python.identity([str(environment.python)])
    if who is None:
        return problem(f"The Python of {place} does not start. {repair}")
    if stamp is None:
        return problem(f"The set-up of {place} was interrupted. {repair}")
    if stamp.place != str(place):
        return problem(f"{place} was moved here from {stamp.place}. {repair}")
    if stamp.python != version_text(who[0]):
        return problem(f"{place} was made for Python {stamp.python}. {repair}")
    for group, pins in stamp.installed.items():
        if pins == "begun":
            return problem(f"Installing the {group} packages ended early. {repair}")
        if pins != digest(group):
            return problem(f"The pins of the {group} packages changed. {repair}")
    if "core" not in stamp.installed:
        return problem(f"{place} has no packages yet. {repair}")
    return ok(f"{place} with the packages for {', '.join(stamp.installed)}")


def writing(folder: Path, *, elsewhere: bool = False) -> Finding:
    """Check that the checkout is writable and that there is enough space.

    *elsewhere* means that the environment and the progress are in other folders, so
    commands work even if the checkout is read-only.
    """
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".doctor-") as file:
            file.write(b"?" * 4096)
            file.flush()
    except OSError as error:
        if elsewhere and folder.is_dir():
            return warning(
                f"{folder} cannot be written ({error.strerror}), so you cannot edit "
                "lessons there. Verbs still work: grade a copy with `test 01 --file`."
            )
        return problem(
            f"{folder} cannot be written ({error.strerror}). Copy the checkout to a "
            "folder of your own with enough space."
        )
    free = shutil.disk_usage(folder).free // 1_000_000
    if free < _NEEDED_MB:
        return warning(
            f"Only {free} MB are free in {folder}. The workshop needs 300 MB."
        )
    return ok(f"{folder} can be written")


def keeping(folder: Path) -> Iterator[Finding]:
    """Warn if progress and the copies of a learner's files cannot be saved."""
    folders = [folder, *folder.glob("*")] if folder.exists() else []
    for it in folders:
        if it.is_dir() and not os.access(it, os.W_OK | os.X_OK):
            yield problem(
                f"{it} cannot be written, so your progress and copies of your files "
                "cannot be saved. Was it created with sudo? Remove it, or make "
                "yourself its owner."
            )
            return


def bytecode(settings: Mapping[str, str]) -> Iterator[Finding]:
    """Warn about a setting that makes every start compile all modules again."""
    if settings.get("PYTHONDONTWRITEBYTECODE"):
        yield warning(
            "PYTHONDONTWRITEBYTECODE is set, so every start may compile modules again, "
            "which can take seconds. Unset it in this shell."
        )


def settings(ignored: Sequence[str], given: Mapping[str, str]) -> Iterator[Finding]:
    """Report variables that the workshop ignores but other programs use.

    *ignored* are the names of the variables that the workshop removed at its start.
    """
    for name in ignored:
        if name.startswith("PYTHON"):
            yield warning(
                f"{name} is set. The workshop ignores it, but `pytest`, your editor "
                f"and other Python programs do not. Run `unset {name}` in this "
                "shell, and remove it from the shell's start-up file."
            )
        else:
            yield warning(
                f"{name} names a folder that does not exist. The workshop ignores it, "
                f"but other programs do not. Run `unset {name}`, or create the folder."
            )
    diverting = ", ".join(sorted(name for name in given if diverts_packages(name)))
    if diverting:
        yield ok(f"the set-up ignores {diverting}")
    hosts = given.get("NO_PROXY", given.get("no_proxy", ""))
    proxies = sorted(name for name in given if name.upper() in _PROXIES and given[name])
    if proxies and not {"*", "127.0.0.1"} & {it.strip() for it in hosts.split(",")}:
        yield warning(
            f"{', '.join(proxies)} is set. The workshop uses no proxy for 127.0.0.1, "
            "but other programs such as curl do. Add 127.0.0.1 and localhost to "
            "NO_PROXY."
        )


def file_system(folder: Path, mounts: str, kernel: str) -> Iterator[Finding]:
    """Warn about file systems on which saving a file may not be noticed."""
    here = str(folder)
    if "microsoft" in kernel.lower() and re.match(r"/mnt/[a-z]/", here):
        yield warning(
            f"{here} is on a Windows disk, used from WSL: slow, and saving is not "
            "always noticed. Clone into your Linux home folder instead."
        )
        return
    kind, longest = "", ""
    for line in mounts.splitlines():
        parts = line.split(" ")
        if len(parts) > 2 and len(parts[1]) >= len(longest):
            point = parts[1].replace("\\040", " ")
            if here == point or here.startswith(point.rstrip("/") + "/"):
                kind, longest = parts[2], parts[1]
    if kind in _FAR:
        yield warning(
            f"{here} is on a network file system ({kind}): saving is not always "
            "noticed, and locks may fail. Use a checkout on a disk of this machine."
        )
    elif _SYNCED.search(here):
        yield warning(
            f"{here} is synchronised with other machines, which can lock files at any "
            "time. Use a checkout in a folder that is not synchronised."
        )


def loopback() -> Finding:
    """Send a few bytes over the loopback interface."""
    try:
        host = loopback_address()
        family = family_of(host)
        with socket.create_server((host, 0), family=family) as server:
            server.settimeout(2)
            port = server.getsockname()[1]
            with socket.create_connection((host, port), timeout=2) as client:
                served, _ = server.accept()
                with served:
                    served.settimeout(2)
                    client.sendall(b"ping")
                    served.sendall(served.recv(4))
                    echo = client.recv(4)
    except LoopbackError as error:
        return problem(str(error))
    except OSError as error:
        return problem(
            f"This machine cannot connect to itself on {host} ({error}). Let the "
            "firewall or VPN allow local connections."
        )
    if echo != b"ping":
        return problem(
            f"{host} returned {echo!r} instead of what was sent. Let the firewall "
            "or VPN leave local connections alone."
        )
    return ok(f"a free port ({port}) and a round trip on {host}")


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
