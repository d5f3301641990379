"""Keep settings that were made for other programs away from the workshop itself.

Python reads its variables before the first line of a program, so the only way to be
rid of them is to start it again. That has to happen before anything is imported of
which `PYTHONPATH` could hold another version: this module imports as little as it
can. It is written for Python 3.6 and later, because it runs on too old a Python, too.
"""

import os
import sys

IGNORED = "WORKSHOP_IGNORED_SETTINGS"
"""Names the variables that were set and are ignored, so that `doctor` can tell."""

# These change how the interpreter itself works, but not what the tool does.
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
    """Return the names of the variables that would change the tool itself, sorted.

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
    """Return the names of the variables that name no folder for temporary files."""
    given = os.environ if inherited is None else inherited
    return [
        name
        for name in _TEMPORARY_FOLDER
        if given.get(name) and not os.path.isdir(given[name])
    ]


def ignored_settings() -> "list[str]":
    """Return the names of the variables that this start of the workshop ignores."""
    return os.environ.get(IGNORED, "").split()


def ignore_foreign_settings(program: str, arguments: "list[str]") -> None:
    """See to it that this process runs without settings made for other programs.

    Where Python has already read one of them, the workshop starts again: *program*,
    the folder with its `__main__.py`, with *arguments*. Then this call does not
    return.
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
    command = [sys.executable, program] + arguments  # noqa: RUF005 -- as on 3.6
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    if os.name != "nt":
        os.execv(sys.executable, command)  # noqa: S606 -- the interpreter that runs
    # Windows' exec gives the terminal back before the new process ends. What has
    # to be imported for the other way is Python's own, not that of PYTHONPATH.
    foreign = {os.path.abspath(folder) for folder in path.split(os.pathsep) if folder}
    sys.path[:] = [it for it in sys.path if os.path.abspath(it) not in foreign]
    import subprocess

    process = subprocess.Popen(command)
    while True:
        try:
            code = process.wait()
            break
        except KeyboardInterrupt:
            continue  # the other one got it, too, and decides what it means
    # Not sys.exit: with PYTHONINSPECT that would open a prompt.
    os._exit(code)
