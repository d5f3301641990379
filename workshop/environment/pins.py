"""Refresh the pinned packages: requirements/*.txt from pyproject.toml.

One file a group, each with only what it adds, so that they agree. For all
supported Pythons and systems at once; no file names an index.
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
    """Return the groups that pyproject.toml declares, `core` first."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    extras = tomllib.loads(text)["project"].get("optional-dependencies", {})
    return ["core", *extras]


def refresh(environment: Environment) -> int:
    """Write all pins anew, with the newest versions that fit together.

    Needs the network. Returns uv's exit code when it finds no solution; the
    files are then as before.
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
