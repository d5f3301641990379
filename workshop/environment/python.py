"""Which Pythons will do, and which of them this machine has.

Written for Python 3.6 and later: a too old one must be able to read it and
say what is wrong in one sentence.
"""

import os
import subprocess
import sys
from pathlib import Path

from workshop.paths import PACKAGE, ROOT

OLDEST = (3, 11)
NEWEST = (3, 14)

# Some launchers are found on the PATH and then refuse to start (a version
# manager's shims do). So each candidate has to say who it is.
_WHO = "import sys; print('%d %d %s' % (sys.version_info[:2] + (sys.executable,)))"


def supported(version: "tuple[int, int]") -> bool:
    """Tell whether the workshop runs on Python *version*."""
    return OLDEST <= version <= NEWEST


def refusal(version: "tuple[int, int]") -> str:
    """Say that Python *version* will not do, and what to do about it."""
    return (
        "The workshop needs Python {}.{} to {}.{}, but this is {}.{}. Install "
        "Python {}.{} (from python.org or with your package manager) and run "
        "the same command again.".format(*OLDEST + NEWEST + version + (3, 13))
    )


def names() -> "list[str]":
    """Return the command names of the supported Pythons, newest first."""
    return [f"python3.{minor}" for minor in range(NEWEST[1], OLDEST[1] - 1, -1)]


def identity(command: "list[str]") -> "tuple[tuple[int, int], str] | None":
    """Start *command* and return its version and path, or None if it won't run."""
    try:
        answer = subprocess.run(
            # Isolated: with its own modules, whatever the environment variables say.
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
    """Return the supported Pythons of this machine that run, newest first."""
    by_version = {}  # type: dict[tuple[int, int], str]
    for command in _candidates():
        who = identity(command)
        if who is not None and supported(who[0]):
            by_version.setdefault(who[0], who[1])
    return dict(sorted(by_version.items(), reverse=True))


def _candidates() -> "list[list[str]]":
    """List commands that may be a supported Python: PATH, py, pyenv."""
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
    """Run the workshop with a supported Python, or say that there is none.

    macOS's own `python3` is old, and a newer one is often beside it: being
    told its name would only be one more thing to type. Returns the other
    one's exit code, or 3 when there is no other one.
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
