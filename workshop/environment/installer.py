"""Install pinned packages into an environment, with uv or else with pip.

Measured on two idle cores, for 33 packages from nothing: uv 0.5 s; uv downloaded with
an existing pip 2.5 s; pip 7 s; pip with compilation 13 s; ensurepip alone 4.5 s. So uv
is used or downloaded first, and ensurepip is the last resort.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from workshop.environment import wheels
from workshop.environment.model import Environment, SetupError
from workshop.environment.progress_line import ProgressLine
from workshop.environment.trouble import explain, is_offline
from workshop.processes.environment import environment_of_installers


class _UnreachableError(SetupError):
    """The package index cannot be reached."""


@dataclass(frozen=True)
class Answer:
    """The result of an installer's run."""

    ok: bool
    output: str


@dataclass(frozen=True)
class Installer:
    """Installs into *environment*, started from the interpreter *base*."""

    environment: Environment
    base: str
    progress_line: ProgressLine

    def install(self, files: Sequence[Path], *, again: bool) -> None:
        """Install the packages pinned in *files*; with *again*, reinstall them.

        The pins are complete, so nothing is resolved. If packages came with the
        checkout, they are used first, without a network. Ctrl-C ends the installer
        first.

        Raises:
            SetupError: Neither uv nor pip succeeds.

        """
        wanted = [part for file in files for part in ("-r", str(file))]
        came_along = wheels.folder()
        if came_along is None:
            self._install_from_index(wanted, again=again)
            return
        answer = self._install_from(came_along, wanted, again=again)
        if answer.ok:
            return
        try:
            self._install_from_index(wanted, again=again)
        except _UnreachableError:
            words = wheels.shortage(came_along, answer.output)
            raise SetupError(words) from None

    def _install_from(self, folder: Path, wanted: list[str], *, again: bool) -> Answer:
        """Install the packages *wanted* from *folder* alone; return pip's answer."""
        source = ["--no-index", "--find-links", str(folder), *wanted]
        uv = self._present_uv()
        if uv is not None:
            command = [uv, "pip", "install", "--python", str(self.environment.python)]
            command += ["--no-deps", *(["--reinstall"] if again else [])]
            answer = self._run([*command, *source])
            if answer.ok:
                return answer
        command = [*self._pip(), "install", "--no-deps", "--no-compile"]
        command += ["--progress-bar=off", *(["--force-reinstall"] if again else [])]
        return self._run([*command, *source])

    def _install_from_index(self, wanted: list[str], *, again: bool) -> None:
        """Install the packages *wanted* from uv's cache or the package index.

        Raises:
            SetupError: Neither uv nor pip succeeds.

        """
        uv, fetched = self._uv()
        patience: list[str] = []
        if uv is not None:
            command = [uv, "pip", "install", "--python", str(self.environment.python)]
            command += ["--no-deps", *(["--reinstall"] if again else []), *wanted]
            # Try the cache first, which takes 0.1 s. If it has all the exact pins,
            # no network is needed.
            if self._run([*command, "--offline"]).ok:
                return
            answer = self._run(command)
            if answer.ok:
                return
            if is_offline(answer.output):
                patience = ["--retries=1"]  # uv has already retried
        elif fetched is not None and is_offline(fetched.output):
            raise self._failed(fetched)
        # uv failed or is not available. Try pip as well, because people may have
        # configured an index, a proxy or a certificate for pip alone.
        command = [*self._pip(), "install", "--no-deps", "--no-compile"]
        command += ["--progress-bar=off", *patience]
        answer = self._run(
            [*command, *(["--force-reinstall"] if again else []), *wanted]
        )
        if not answer.ok:
            raise self._failed(answer)

    def _uv(self) -> tuple[str | None, Answer | None]:
        """Return uv's path, after a download if necessary, or the failed download."""
        there = self._present_uv()
        if there is not None or _only_pip():
            return there, None
        own = self.environment.program("uv")
        answer = self._run([*self._pip(), "install", "--no-deps", "--no-compile", "uv"])
        return (str(own) if answer.ok and own.exists() else None), answer

    def _present_uv(self) -> str | None:
        """Return the path of a uv that is installed, unless only pip may be used."""
        if _only_pip():
            return None
        own = self.environment.program("uv")
        return shutil.which("uv") or (str(own) if own.exists() else None)

    def uv(self) -> str:
        """Return uv's path.

        Raises:
            SetupError: It is neither installed nor can be downloaded.

        """
        path, answer = self._uv()
        if path is None:
            raise self._failed(answer or Answer(ok=False, output="uv is not installed"))
        return path

    def _pip(self) -> list[str]:
        """Return the command for pip in the environment.

        Since 22.3, the base Python's pip can install into another environment. If it
        is missing or older, the environment gets a pip of its own.
        """
        asked = subprocess.run(
            [self.base, "-P", "-c", "import pip; print(pip.__version__)"],
            env=environment_of_installers({}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )
        numbers = asked.stdout.strip().split(".")[:2]
        known = asked.returncode == 0 and all(part.isdigit() for part in numbers)
        if known and tuple(map(int, numbers)) >= (22, 3):
            python = str(self.environment.python)
            return [self.base, "-P", "-m", "pip", "--python", python]
        own = [str(self.environment.python), "-P", "-m", "pip"]
        if not self._run([*own, "--version"]).ok:
            answer = self._run([own[0], "-I", "-m", "ensurepip"])
            if not answer.ok:
                name = "python{}.{}-venv".format(*sys.version_info)
                raise SetupError(
                    "This Python has no pip, so nothing can be installed. On Debian "
                    f"and Ubuntu, run `sudo apt install {name}`, then the same "
                    "command again."
                )
        return own

    def _failed(self, answer: Answer) -> SetupError:
        place, log = self.environment.place, self.environment.log_file
        kind = _UnreachableError if is_offline(answer.output) else SetupError
        return kind(explain(answer.output, place, log))

    def _run(self, command: list[str]) -> Answer:
        """Run an installer until it ends. Its output only goes to the log."""
        settings = {
            # The operating system's certificates, as pip and browsers use.
            "UV_SYSTEM_CERTS": "1",
            "UV_PYTHON_DOWNLOADS": "never",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_NO_INPUT": "1",
            "PIP_USER": "0",
        }
        with tempfile.TemporaryFile() as sink:
            try:
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=sink,
                    stderr=subprocess.STDOUT,
                    env=environment_of_installers(settings),
                )
            except OSError as error:
                return Answer(ok=False, output=f"{command[0]}: {error.strerror}")
            try:
                while True:
                    try:
                        code = process.wait(timeout=1)
                        break
                    except subprocess.TimeoutExpired:
                        self.progress_line.tick(_last_line(sink.fileno()))
            finally:
                if process.poll() is None:
                    process.terminate()
                    process.wait()
            sink.seek(0)
            output = sink.read().decode("utf-8", "replace")
        with self.environment.log_file.open("a", encoding="utf-8") as log:
            log.write(f"$ {' '.join(command)}\n{output}[ended with {code}]\n\n")
        return Answer(ok=code == 0, output=output)


def _only_pip() -> bool:
    return os.environ.get("WORKSHOP_INSTALLER") == "pip"


def _last_line(descriptor: int) -> str:
    """Return the last complete line of a file that another process is writing."""
    # The child shares the file's position, which must not move. So use pread, and
    # return nothing on systems without it.
    if not hasattr(os, "pread"):
        return ""
    size = os.fstat(descriptor).st_size
    start = max(0, size - 400)
    lines = os.pread(descriptor, 400, start).decode("utf-8", "replace").splitlines()
    full = [line.strip() for line in lines if line.strip()]
    return full[-1] if full else ""
