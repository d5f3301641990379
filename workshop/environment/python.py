"""Which Python versions the workshop supports, and where this machine has them.

Written for Python 3.6 and later, so that a Python that is too old can run this module
and report the problem in one sentence.
"""

import os
import subprocess
import sys
from pathlib import Path

from workshop.paths import PACKAGE, ROOT

OLDEST = (3, 11)
NEWEST = (3, 14)

# Some commands are on the PATH but do not start, for example the shims of a version
# manager. So each candidate has to report its version and path.
_WHO = "import sys; print('%d %d %s' % (sys.version_info[:2] + (sys.executable,)))"


def supported(version: "tuple[int, int]") -> bool:
    """Return whether the workshop runs on Python *version*."""
    return OLDEST <= version <= NEWEST


def refusal(version: "tuple[int, int]") -> str:
    """Return the message that Python *version* is not supported, and what to do."""
    return (
        "The workshop needs Python {}.{} to {}.{}, but this is {}.{}. Install "
        "Python {}.{} (from python.org or with your package manager) and run "
        "the same command again.".format(*OLDEST + NEWEST + version + (3, 13))
    )


def names() -> "list[str]":
    """Return the command names of the supported Pythons, newest first."""
    return [f"python3.{minor}" for minor in range(NEWEST[1], OLDEST[1] - 1, -1)]


def identity(command: "list[str]") -> "tuple[tuple[int, int], str] | None":
    """Start *command* and return its version and path, or None if it does not run."""
    try:
        answer = subprocess.run(
            # Isolated: it uses its own modules, regardless of environment variables.
            [*command, "-I", "-c", _WHO],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=20,
            check=True,
        )
        major, minor, path = answer.stdout.decode().strip().split(" ", 2)
        return (int(major), int(minor)), path
    except (OSError, ValueError, subprocess.SubprocessError):
        return None


def found() -> "dict[tuple[int, int], str]":
    """Return the supported Pythons that run on this machine, newest first."""
    by_version = {}  # type: dict[tuple[int, int], str]
    for command in _candidates():
        who = identity(command)
        if who is not None and supported(who[0]):
            by_version.setdefault(who[0], who[1])
    return dict(sorted(by_version.items(), reverse=True))


def _candidates() -> "list[list[str]]":
    """Return commands that may be a supported Python: PATH, py, pyenv."""
    numbers = [name[len("python") :] for name in names()]
    candidates = [[name] for name in [*names(), "python3", "python"]]
    if os.name == "nt":
        candidates += [["py", "-" + number] for number in numbers]
    root = os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv")  # noqa: PTH111
    versions = Path(root) / "versions"
    if versions.is_dir():
        candidates += [
            [str(folder / "bin" / "python")]
            for folder in sorted(versions.iterdir(), reverse=True)
            if folder.name.startswith(tuple(numbers))
        ]
    return candidates


def go_on_with_another(arguments: "list[str]") -> int:
    """Run the workshop with a supported Python, or report that there is none.

    macOS's own `python3` is old, but a newer one is often installed, too. Starting that
    one saves the user from typing its name.

    Returns:
        The other Python's exit code, or 3 if there is none.

    """
    version = sys.version_info[0], sys.version_info[1]
    own = str(ROOT / ".venv" / "bin" / "python")
    who = identity([own])
    if who is not None and supported(who[0]):
        return _call(own, arguments)
    others = found()
    if not others:
        sys.stderr.write(refusal(version) + "\n")
        return 3
    (major, minor), path = next(iter(others.items()))
    sys.stderr.write(
        "This is Python {}.{}, so the workshop continues with {}.{} ({}).\n".format(
            *version, major, minor, path
        )
    )
    sys.stderr.flush()
    return _call(path, arguments)


def _call(path: str, arguments: "list[str]") -> int:
    try:
        return subprocess.call([path, str(PACKAGE), *arguments])
    except KeyboardInterrupt:
        return 130
