"""Create the environment, repair it, and install the packages that a command needs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from workshop import files
from workshop.environment import ownership, python
from workshop.environment.installer import Installer
from workshop.environment.model import (
    Environment,
    SetupError,
    Stamp,
    digest,
    pins_file,
    version_text,
)
from workshop.environment.progress_line import ProgressLine
from workshop.environment.trouble import explain_disk, explain_os_error
from workshop.paths import ROOT
from workshop.private_apis.interpreter import base_python
from workshop.processes.environment import environment_of_installers


def ensure(
    environment: Environment, groups: tuple[str, ...], base: str | None = None
) -> None:
    """Install the pinned packages of *groups* into *environment*.

    Creates the environment with the interpreter *base* (by default the running one) if
    there is none, and again if it is broken. A folder that the workshop did not create
    is not changed. Prints its progress to standard error, and nothing if there is
    nothing to do. Only one process at a time changes an environment; others wait. After
    Ctrl-C or a crash, the next call repairs the environment.

    Raises:
        SetupError: It failed. The message says what to do.

    """
    if _is_ready(environment, groups):
        return
    progress_line = ProgressLine()
    try:
        _refuse_what_is_not_ours(environment)
        environment.place.mkdir(parents=True, exist_ok=True)
        with files.lock(
            environment.lock_file, lambda who: _waiting(who, progress_line)
        ):
            if not _is_ready(environment, groups):
                _refuse_what_is_not_ours(environment)
                ownership.claim(environment)
                _Work(environment, progress_line, base or base_python()).do(groups)
    except TimeoutError:
        raise SetupError(
            f"Another set-up has locked {environment.lock_file} and does not finish. "
            "End that process and run the same command again."
        ) from None
    except OSError as error:
        raise SetupError(explain_os_error(error, environment.place)) from error
    finally:
        progress_line.clear()


def _is_ready(environment: Environment, groups: tuple[str, ...]) -> bool:
    # Even a command without packages needs the environment.
    return environment.is_whole() and not environment.missing(groups)


def uv(environment: Environment) -> str:
    """Return the path of uv, installed into *environment* if the PATH has none."""
    return Installer(environment, base_python(), ProgressLine()).uv()


def _waiting(who: str, progress_line: ProgressLine) -> None:
    progress_line.say(f"Another set-up is running ({who}). Waiting for it to finish.")


def _refuse_what_is_not_ours(environment: Environment) -> None:
    refused = ownership.refusal(environment)
    if refused is not None:
        raise SetupError(refused)


@dataclass(frozen=True)
class _Work:
    """One set-up, with the lock held, in a folder that the workshop created."""

    environment: Environment
    progress_line: ProgressLine
    base: str

    def do(self, groups: tuple[str, ...]) -> None:
        environment = self.environment
        environment.log_file.unlink(missing_ok=True)
        stamp = environment.stamp()
        version = self._healthy_version(stamp)
        if stamp is None or version is None:
            stamp = None
            version = self._build()
        elif stamp.place != str(environment.place):
            self._begin(f"{_short(environment.place)} was moved: adapting it")
            if not self._move_in(stamp, version):
                stamp = None
                version = self._build()
        elif not stamp.installed or not environment.missing(groups):
            self._begin(f"Setting up the workshop in {_short(environment.place)}")
        elif "begun" in stamp.installed.values():
            self._begin("The last set-up was interrupted: repairing it")
        elif set(environment.missing(groups)) & set(stamp.installed):
            self._begin("The pinned packages changed: updating them")
        else:
            missing = ", ".join(environment.missing(groups))
            self._begin(f"Adding the packages for {missing}")
        if stamp is None:
            stamp = Stamp(version, str(environment.place), str(ROOT))
        self._install(groups, stamp)
        self.progress_line.end("The workshop is set up.")

    def _install(self, groups: tuple[str, ...], stamp: Stamp) -> None:
        environment = self.environment
        before = dict(stamp.installed)
        missing = [name for name in groups if before.get(name) != digest(name)]
        again = any(before.get(name) == "begun" for name in missing)
        pins = {name: digest(name) for name in missing}
        stamp.checkout = str(ROOT)
        stamp.installed = before | dict.fromkeys(missing, "begun")
        environment.write(stamp)
        if missing:
            installer = Installer(environment, self.base, self.progress_line)
            try:
                installer.install([pins_file(name) for name in missing], again=again)
            except SetupError:
                # Both installers download everything before they change anything, so a
                # complete environment is still complete.
                stamp.installed = before
                environment.write(stamp)
                raise
            absent = self._absent(missing)
            if absent:
                raise SetupError(
                    f"{absent[0]} was installed, but not into {environment.place}. "
                    "`pip config list` or uv's configuration file names another "
                    "target. Remove that setting and run the same command again."
                )
        self._point_at_checkout()
        stamp.installed = before | pins
        environment.write(stamp)
        if missing:
            self._compile()

    def _absent(self, groups: list[str]) -> list[str]:
        """Return the packages of *groups* that are not in the environment."""
        there = {
            _normalized(info.name.removesuffix(".dist-info").rpartition("-")[0])
            for library in self._libraries()
            for info in library.glob("*.dist-info")
        }
        lines = [
            line
            for group in groups
            for line in pins_file(group).read_text(encoding="utf-8").splitlines()
        ]
        # Packages that are pinned only for some systems or Pythons may be missing.
        names = [line.partition("==")[0] for line in lines if ";" not in line]
        return [it for it in names if it and _normalized(it) not in there]

    def _healthy_version(self, stamp: Stamp | None) -> str | None:
        """Return the version of the environment's Python if it can be kept."""
        environment = self.environment
        # Without a stamp, an earlier set-up was interrupted. With a link inside, a
        # change would affect another folder.
        if stamp is None or any(ownership.is_link(it) for it in self._folders()):
            return None
        who = python.identity([str(environment.python)])
        if who is None or not python.supported(who[0]):
            return None
        version = version_text(who[0])
        return version if self._made_for() == version else None

    def _move_in(self, stamp: Stamp, version: str) -> bool:
        """Adapt the environment, its settings and programs to its new place.

        Its packages need not be downloaded again, which matters without a network.
        Returns whether that was possible.
        """
        environment = self.environment
        programs = environment.python.parent
        below = python.identity([self.base])
        if below is None or version_text(below[0]) != version:
            return False
        # `venv` writes into existing files, which may be hard links to those of the
        # environment that this one was copied from.
        for file in (environment.place / "pyvenv.cfg", *programs.glob("[Aa]ctivate*")):
            file.unlink()
        if _venv(self.base, environment.place).returncode:
            return False
        old, new = (os.fsencode(it) for it in (stamp.place, str(environment.place)))
        for program in list(programs.iterdir()):
            if program.is_symlink() or not program.is_file():
                continue
            first, end, rest = program.read_bytes().partition(b"\n")
            if first.startswith(b"#!") and old in first:
                mode = program.stat().st_mode
                program.unlink()
                program.write_bytes(first.replace(old, new) + end + rest)
                program.chmod(mode)
        stamp.place = str(environment.place)
        return python.identity([str(environment.python)]) is not None

    def _made_for(self) -> str:
        """Return the Python version that the environment was made with."""
        settings = self.environment.place / "pyvenv.cfg"
        if not settings.is_file():
            return ""
        for line in settings.read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition("=")
            if key.strip() in {"version", "version_info"}:
                return ".".join(value.strip().split(".")[:2])
        return ""

    def _build(self) -> str:
        """Create the environment from nothing and return its Python's version."""
        environment = self.environment
        others = [path for path in environment.place.iterdir() if not self._keeps(path)]
        who = python.identity([self.base])
        if who is None:
            raise SetupError(f"{self.base} does not start. Is it a Python?")
        version = version_text(who[0])
        shown = _short(environment.place)
        if others:
            self._begin(f"{shown} cannot be used as it is: creating it again")
        else:
            self._begin(f"Setting up the workshop in {shown} (once)")
        environment.stamp_file.unlink(missing_ok=True)
        for path in others:
            _remove(path)
        made = _venv(self.base, environment.place)
        if made.returncode or python.identity([str(environment.python)]) is None:
            output = made.stdout + made.stderr
            last = output.strip().splitlines()[-1:] or ["nothing"]
            raise SetupError(
                explain_disk(output, environment.place)
                or f"This Python could not create an environment: {last[0]}. On "
                "Debian and Ubuntu `sudo apt install python3-venv` helps. Then run "
                "the same command again."
            )
        return version

    def _keeps(self, path: Path) -> bool:
        environment = self.environment
        own = (environment.marker_file, environment.lock_file, environment.log_file)
        return path in own and not ownership.is_link(path)

    def _folders(self) -> list[Path]:
        """Return the folders that installers write to."""
        return [
            self.environment.python.parent,
            *self._libraries(),
            *(folder.parent for folder in self._libraries()),
            self.environment.place / ("Lib" if os.name == "nt" else "lib"),
        ]

    def _libraries(self) -> list[Path]:
        place = self.environment.place
        pattern = (
            "Lib/site-packages" if os.name == "nt" else "lib/python3*/site-packages"
        )
        return list(place.glob(pattern))

    def _begin(self, doing: str) -> None:
        self.progress_line.begin(doing)

    def _point_at_checkout(self) -> None:
        """Make the environment's Python find `workshop` from any folder."""
        for folder in self._libraries():
            file = folder / "async_fastapi_workshop.pth"
            files.replace(file, f"{ROOT}\n".encode(), 0o644)

    def _compile(self) -> None:
        """Compile the packages in the background if Python itself does not.

        Many containers set PYTHONDONTWRITEBYTECODE. Then every start compiles all that
        it imports: 2.7 s instead of 1.3 s for a small test, each time. Compiling while
        the first command runs does not delay the first verdict and makes the second one
        fast; compiling before it delays the first by 1 s. Without that variable, Python
        itself caches what it compiles.
        """
        if not os.environ.get("PYTHONDONTWRITEBYTECODE"):
            return
        subprocess.Popen(
            [
                str(self.environment.python),
                *("-m", "compileall", "-q", str(self.environment.place)),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self.environment.place,
            start_new_session=True,
        )


def _venv(base: str, place: Path) -> subprocess.CompletedProcess[str]:
    # Without pip this takes 0.1 s instead of 4.5 s.
    return subprocess.run(
        # Isolated: ignore modules in the current folder.
        [base, "-I", "-m", "venv", "--without-pip", str(place)],
        env=environment_of_installers({}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )


def _normalized(package: str) -> str:
    return re.sub(r"[-_.]+", "-", package).lower()


def _short(place: Path) -> str:
    return place.name if place.parent == ROOT else str(place)


def _remove(path: Path) -> None:
    """Remove a file or folder; retry while it is in use."""
    for patience in (0.2, 1, 0):
        try:
            if ownership.is_link(path) or not path.is_dir():
                path.unlink(missing_ok=True)
            else:
                shutil.rmtree(path)
        except OSError:
            if not patience:
                raise
            time.sleep(patience)
        else:
            return
