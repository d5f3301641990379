"""Copies of the checkout that can be set up in a second, without a network.

The door and the set-up are the real ones. The packages are three tiny wheels,
and the command line says only where it runs.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from workshop.paths import ROOT
from workshop.private_apis.interpreter import base_python

CLI = """
import os
import sys

import tiny_core


def main(arguments):
    if arguments[0] == "selftest":
        from workshop.environment.selftest import Tier, selftest

        tiers = {"--all": Tier.ALL, "--everywhere": Tier.EVERYWHERE}
        return selftest(tiers.get(arguments[-1], Tier.QUICK))
    print("verb:", *arguments)
    print("python:", sys.orig_argv[0])
    print("prefix:", sys.prefix)
    print("core:", tiny_core.VERSION)
    return int(os.environ.get("ENDS_WITH", "0"))
"""

# Stands where uv would be, tells how it was called, and fails. Where somebody
# listens at its port, it says hello and goes on when they hang up: so a test
# knows that an installer is at work, and decides when it ends.
FAKE_UV = """\
#!{python}
import os, pathlib, socket, sys
told = pathlib.Path({told!r})
with (told / "calls").open("a") as calls:
    calls.write(" ".join(sys.argv[1:]) + "\\n")
with (told / "settings").open("w") as settings:
    settings.writelines(f"{{key}}={{value}}\\n" for key, value in os.environ.items())
try:
    socket.create_connection(("127.0.0.1", {port})).recv(1)
except OSError:
    pass
sys.stderr.write("error: uv has no heart for this\\n")
sys.exit(1)
"""


def wheel(folder: Path, name: str, version: str, tag: str = "py3-none-any") -> None:
    """Write a wheel with one module that contains its version."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": "Metadata-Version: 2.1\n"
        f"Name: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\n"
        f"Root-Is-Purelib: true\nTag: {tag}\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in files)
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / f"{name}-{version}-{tag}.whl", "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)


@dataclass
class Checkout:
    """A copy of the checkout and the settings its commands run with."""

    root: Path
    wheels: Path
    settings: dict[str, str] = field(default_factory=dict)

    @classmethod
    def make(cls, folder: Path) -> Checkout:
        """Copy the files that the set-up needs to *folder*."""
        root = folder / "checkout"
        for part in (
            *("entry", "environment", "private_apis", "processes"),
            *("doctor", "services", "terminal"),
        ):
            shutil.copytree(
                ROOT / "workshop" / part,
                root / "workshop" / part,
                ignore=shutil.ignore_patterns("__pycache__"),
            )
        for file in (ROOT / "workshop").glob("*.py"):
            shutil.copy(file, root / "workshop" / file.name)
        shutil.copy(ROOT / "Makefile", root / "Makefile")
        (root / "workshop" / "cli").mkdir()
        (root / "workshop" / "cli" / "__init__.py").write_text(CLI, encoding="utf-8")
        (root / "requirements").mkdir()
        checkout = cls(root, folder / "wheels")
        for group in (
            *("core", "postgres", "room", "site"),
            *("notebook-tests", "authors", "dev"),
        ):
            checkout.pin(group, "1.0")
        home = folder / "home"
        home.mkdir()
        checkout.settings = {
            "HOME": str(home),
            "PATH": os.pathsep.join(["/usr/bin", "/bin"]),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(checkout.wheels),
            "PIP_RETRIES": "1",
            "WORKSHOP_INSTALLER": "pip",
        }
        if os.name == "nt":
            checkout.settings |= {
                name: os.environ[name]
                for name in ("SYSTEMROOT", "PATH", "TEMP")
                if name in os.environ
            }
        return checkout

    @property
    def venv(self) -> Path:
        """The path of the environment, which may not exist yet."""
        return self.root / ".venv"

    @property
    def python(self) -> Path:
        """The environment's interpreter."""
        if os.name == "nt":
            return self.venv / "Scripts" / "python.exe"
        return self.venv / "bin" / "python"

    def pin(self, group: str, version: str, *, publish: bool = True) -> None:
        """Pin the tiny package of *group* at *version*."""
        file = self.root / "requirements" / f"{group}.txt"
        name = f"tiny_{group.replace('-', '_')}"
        file.write_text(f"{name}=={version}\n", encoding="utf-8")
        if publish:
            wheel(self.wheels, name, version)

    def go_offline(self) -> None:
        """Use a closed port as the package index."""
        del self.settings["PIP_NO_INDEX"], self.settings["PIP_FIND_LINKS"]
        self.settings["PIP_INDEX_URL"] = "http://127.0.0.1:9/simple"

    def use_fake_uv(self, port: int = 9) -> Path:
        """Put a uv that always fails on the PATH; return the folder it writes to."""
        told = self.root.parent / "told"
        told.mkdir()
        uv = self.root.parent / "bin" / "uv"
        uv.parent.mkdir()
        text = FAKE_UV.format(python=base_python(), told=str(told), port=port)
        uv.write_text(text, encoding="utf-8")
        uv.chmod(0o755)
        self.settings["PATH"] = f"{uv.parent}{os.pathsep}{self.settings['PATH']}"
        del self.settings["WORKSHOP_INSTALLER"]
        return told

    @contextlib.contextmanager
    def installing(self) -> Iterator[subprocess.Popen[str]]:
        """Start a verb, and keep its installer running during the block."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.settimeout(60)
            self.use_fake_uv(server.getsockname()[1])
            process = self.start("list")
            uv, _ = server.accept()
        with uv:
            yield process

    def start(self, *arguments: str, python: str = "") -> subprocess.Popen[str]:
        """Start `python -m workshop` and return the running process."""
        return subprocess.Popen(
            [python or base_python(), "-m", "workshop", *arguments],
            cwd=self.root,
            env=self.settings,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            # Its own group, as a terminal gives it: Ctrl-C reaches all of it.
            start_new_session=True,
        )

    def run(self, *arguments: str, python: str = "") -> Ended:
        """Run `python -m workshop` until it ends."""
        process = self.start(*arguments, python=python)
        return Ended.of(process)


@dataclass(frozen=True)
class Ended:
    """The output and exit code of a command."""

    code: int
    out: str
    err: str

    @classmethod
    def of(cls, process: subprocess.Popen[str]) -> Ended:
        """Wait for *process*."""
        out, err = process.communicate(timeout=120)
        return cls(process.returncode, out, err)


def interrupt(process: subprocess.Popen[str]) -> None:
    """Press Ctrl-C."""
    if sys.platform != "win32":
        os.killpg(process.pid, signal.SIGINT)


def kill(process: subprocess.Popen[str]) -> None:
    """Kill a process and everything that it started."""
    if sys.platform != "win32":
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
