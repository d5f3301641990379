"""Protect the workshop itself from settings that were made for other programs.

Python reads its variables before a program's first line runs, so the only way to
ignore them is to start Python again. That has to happen before importing any package
that `PYTHONPATH` could replace, so this module imports as little as possible. It is
written for Python 3.6 and later, because it also runs on versions that are too old.
"""

import os
import sys

IGNORED = "WORKSHOP_IGNORED_SETTINGS"
"""Lists the variables that were set and are ignored, so that `doctor` can report it."""

# These change the interpreter, but not what the tool does.
_HARMLESS_TO_THE_TOOL = frozenset(
    {"PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX", "PYTHONUNBUFFERED"}
    | {"PYTHONHASHSEED", "PYTHONNOUSERSITE", "PYTHONUTF8", "PYTHONBREAKPOINT"}
    | {"PYTHONIOENCODING", "PYTHONSTARTUP"}
    | {"PYTHON_COLORS", "PYTHON_HISTORY", "PYTHON_BASIC_REPL"}
)
_TEMPORARY_FOLDER = ("TMPDIR", "TEMP", "TMP")


def disturbing_python_settings(
    inherited: "dict[str, str] | None" = None,
) -> "list[str]":
    """Return the sorted names of the variables that would change the tool itself.

    `PYTHONPATH` may hold older packages, `PYTHONOPTIMIZE` removes assertions,
    `PYTHONWARNINGS=error` makes an import fail, and so on.
    """
    given = os.environ if inherited is None else inherited
    return sorted(
        name
        for name, value in given.items()
        if name.startswith("PYTHON") and value and name not in _HARMLESS_TO_THE_TOOL
    )


def missing_temporary_folders(
    inherited: "dict[str, str] | None" = None,
) -> "list[str]":
    """Return the names of the variables that name a missing temporary folder."""
    given = os.environ if inherited is None else inherited
    return [
        name
        for name in _TEMPORARY_FOLDER
        if given.get(name) and not os.path.isdir(given[name])
    ]


def ignored_settings() -> "list[str]":
    """Return the names of the variables that the workshop ignores in this run."""
    return os.environ.get(IGNORED, "").split()


def ignore_foreign_settings(program: str, arguments: "list[str]") -> None:
    """Make sure that this process runs without settings made for other programs.

    If Python has already read such a setting, restart the workshop, which means running
    *program*, the folder with its `__main__.py`, with *arguments*. In that case this
    call does not return.
    """
    python, folders = disturbing_python_settings(), missing_temporary_folders()
    if not python and not folders:
        return
    named = set(ignored_settings() + python + folders)
    path = os.environ.get("PYTHONPATH", "")
    for name in python + folders:
        del os.environ[name]
    os.environ[IGNORED] = " ".join(sorted(named))
    if not python or not sys.executable:
        return
    command = [sys.executable, program] + arguments  # noqa: RUF005 -- Python 3.6
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    if os.name != "nt":
        os.execv(sys.executable, command)  # noqa: S606 -- the interpreter that runs
    # On Windows, exec returns control of the terminal before the new process ends.
    # The other way needs imports; they come from Python itself, not from PYTHONPATH.
    foreign = {os.path.abspath(folder) for folder in path.split(os.pathsep) if folder}
    sys.path[:] = [it for it in sys.path if os.path.abspath(it) not in foreign]
    import subprocess

    process = subprocess.Popen(command)
    while True:
        try:
            code = process.wait()
            break
        except KeyboardInterrupt:
            continue  # the new process got the signal too and handles it
    # Not sys.exit: PYTHONINSPECT would make that open a prompt.
    os._exit(code)
