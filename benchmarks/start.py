"""Measure the time from a fresh clone to the first verdict, and of `list`.

    python -m benchmarks.start [--json]

Clones the commit of this checkout into a temporary folder and runs the real commands
there. For comparison, measures their lower limits: installing the same pins with uv or
pip alone, and starting an interpreter that does nothing. Needs the package registry and
a few minutes. Times with uv on the PATH are measured only if it is there.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LESSON = "01"
LISTS = 9


def main(arguments: list[str]) -> None:
    """Measure, and print a table or one JSON object, in seconds."""
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "clone"
        _run(["git", "clone", "--quiet", str(ROOT), str(clone)], Path(folder))
        figures = {**measure_set_up(clone), **measure_list(clone)}
    if "--json" in arguments:
        print(json.dumps(figures))
        return
    for name, seconds in figures.items():
        print(f"{name:<42} {seconds:8.2f} s")
    for above, below in (
        ("first verdict, uv on the PATH", "uv alone"),
        ("first verdict, pip", "pip alone"),
        ("list", "bare interpreter"),
    ):
        if above in figures:
            print(f"{above} / {below}: {figures[above] / figures[below]:.1f}")
    if "uv alone" not in figures:
        print("There is no uv on the PATH, so times with uv were not measured.")


def measure_set_up(clone: Path) -> dict[str, float]:
    """Return the seconds from the command to the verdict, and of installing alone."""
    uv = shutil.which("uv")
    without_uv = os.pathsep.join(
        part
        for part in os.environ["PATH"].split(os.pathsep)
        if not (Path(part) / "uv").exists()
    )
    test = [sys.executable, "-m", "workshop", "test", LESSON, "--solution"]
    venv = clone / ".venv"
    scripts = "Scripts" if sys.platform == "win32" else "bin"
    python = venv / scripts / "python"
    pins = ["-r", "requirements/core.txt"]
    figures = {}
    if uv:
        figures["uv alone"] = _timed(clone, [uv, "venv", "--quiet", ".venv"]) + _timed(
            clone, [uv, "pip", "install", "--quiet", "--python", str(python), *pins]
        )
        shutil.rmtree(venv)
        figures["first verdict, uv on the PATH"] = _timed(clone, test)
        figures["second verdict"] = _timed(clone, test)
        shutil.rmtree(venv)
    figures["first verdict, uv fetched"] = _timed(clone, test, PATH=without_uv)
    shutil.rmtree(venv)
    figures["first verdict, pip"] = _timed(clone, test, WORKSHOP_INSTALLER="pip")
    shutil.rmtree(venv)
    figures["pip alone"] = _timed(
        clone, [sys.executable, "-m", "venv", ".venv"]
    ) + _timed(clone, [str(python), "-m", "pip", "install", "--quiet", *pins])
    shutil.rmtree(venv)
    return figures


def measure_list(clone: Path) -> dict[str, float]:
    """Return the median seconds of `list` and of an interpreter that does nothing."""
    _timed(clone, [sys.executable, "-m", "workshop", "list"])
    lists, bare = [], []
    for _ in range(LISTS):
        lists.append(_timed(clone, [sys.executable, "-m", "workshop", "list"]))
        bare.append(_timed(clone, [sys.executable, "-c", ""]))
    return {
        "list": statistics.median(lists),
        "bare interpreter": statistics.median(bare),
    }


def _timed(folder: Path, command: list[str], **environment: str) -> float:
    began = time.perf_counter()
    _run(command, folder, **environment)
    return time.perf_counter() - began


def _run(command: list[str], folder: Path, **environment: str) -> None:
    subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "UV_SYSTEM_CERTS": "1", **environment},
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


if __name__ == "__main__":
    main(sys.argv[1:])
