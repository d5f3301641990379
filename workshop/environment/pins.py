"""Update the pinned packages: requirements/*.txt from pyproject.toml.

There is one file per group, which has only the packages that the group adds, so the
files agree. They apply to all supported Pythons and systems, and name no index.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from workshop.environment.model import Environment, pins_file
from workshop.environment.python import OLDEST
from workshop.paths import ROOT
from workshop.processes.environment import environment_of_installers


def groups() -> list[str]:
    """Return the groups in pyproject.toml, `core` first."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    extras = tomllib.loads(text)["project"].get("optional-dependencies", {})
    return ["core", *extras]


def refresh(environment: Environment) -> int:
    """Write all pins again, with the newest versions that work together.

    Needs the network. Returns uv's exit code if it finds no solution; then the files
    are unchanged.
    """
    from workshop.environment import setup

    uv = setup.uv(environment)
    with tempfile.TemporaryDirectory() as folder:
        together = Path(folder) / "together.txt"
        parts = {name: Path(folder) / f"{name}.txt" for name in groups()}
        code = _compile(uv, together, ["--all-extras"])
        for name, part in parts.items():
            extra = [] if name == "core" else ["--extra", name]
            code = code or _compile(uv, part, [*extra, "-c", str(together)])
        if code:
            return code
        core = parts["core"].read_text(encoding="utf-8").splitlines()
        for name, part in parts.items():
            lines = part.read_text(encoding="utf-8").splitlines()
            if name != "core":
                lines = [line for line in lines if line not in core]
            with pins_file(name).open("w", encoding="utf-8", newline="\n") as file:
                file.write("\n".join(lines) + "\n")
            sys.stdout.write(f"requirements/{name}.txt: {len(lines)} packages\n")
    return 0


def _compile(uv: str, target: Path, options: list[str]) -> int:
    command = [uv, "pip", "compile", "pyproject.toml", "--output-file", str(target)]
    command += ["--universal", "--python-version", "{}.{}".format(*OLDEST)]
    command += ["--no-header", "--no-annotate", "--quiet", *options]
    settings = {"UV_SYSTEM_CERTS": "1", "UV_PYTHON_DOWNLOADS": "never"}
    environment = environment_of_installers(settings)
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
