"""The environment variables of the processes that the workshop starts.

Many programs read the environment: Python itself, pytest, uvicorn, HTTP clients,
database drivers. A variable that a user has set for another project must never
change a verdict, so no process gets the user's environment unfiltered.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

LOOPBACK = ("localhost", "127.0.0.1", "::1")
"""Hosts on this machine, which are never reached through a proxy."""

# The variables that a Python program needs on any system.
_ESSENTIAL = frozenset(
    {
        *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ"),
        *("TERM", "TMPDIR", "TEMP", "TMP", "XDG_RUNTIME_DIR"),
        # Nix, conda and some HPC modules use these to find shared libraries.
        *("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH"),
        *("SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT"),
        *("USERPROFILE", "USERNAME", "USERDOMAIN", "HOMEDRIVE", "HOMEPATH"),
        *("APPDATA", "LOCALAPPDATA", "PROGRAMDATA", "PROGRAMFILES", "ALLUSERSPROFILE"),
        *("NUMBER_OF_PROCESSORS", "PROCESSOR_ARCHITECTURE", "OS"),
    }
)
_ESSENTIAL_PREFIXES = ("LC_", "WORKSHOP_")

# The active virtual environment, of this project or another one.
_ACTIVE_ENVIRONMENT = frozenset({"__PYVENV_LAUNCHER__", "VIRTUAL_ENV", "CONDA_PREFIX"})

# Variables that change how Python, pytest, uvicorn or a lesson's libraries behave.
_DISTURBING_PREFIXES = ("PYTHON", "PYTEST_", "UVICORN_", "SQLALCHEMY_", "PYDANTIC_")
_DISTURBING = frozenset(
    {
        *_ACTIVE_ENVIRONMENT,
        # uvicorn reads these two without its prefix.
        *("WEB_CONCURRENCY", "FORWARDED_ALLOW_IPS"),
        # Lessons read these. Only the workshop may set them.
        *("DATABASE_URL", "REDIS_URL"),
    }
)

# asyncpg reads these for every part that a URL leaves out.
_POSTGRES_PREFIX = "PG"

# Settings of pip (PIP_…) and uv (UV_…) that say how to reach an index or a cache.
_HOW_TO_REACH_AN_INDEX = frozenset(
    {
        *("INDEX", "INDEX_URL", "EXTRA_INDEX_URL", "DEFAULT_INDEX", "INDEX_STRATEGY"),
        *("FIND_LINKS", "NO_INDEX", "KEYRING_PROVIDER", "CONFIG_FILE", "NO_CONFIG"),
        *("PROXY", "CERT", "CLIENT_CERT", "TRUSTED_HOST", "INSECURE_HOST"),
        *("NATIVE_TLS", "SYSTEM_CERTS", "USE_FEATURE", "USE_DEPRECATED"),
        *("TIMEOUT", "DEFAULT_TIMEOUT", "RETRIES", "RESUME_RETRIES"),
        *("REQUEST_TIMEOUT", "OFFLINE", "LINK_MODE"),
        *("CACHE_DIR", "NO_CACHE_DIR", "NO_CACHE"),
        # These only affect the output; many containers set them.
        *("DISABLE_PIP_VERSION_CHECK", "NO_INPUT", "ROOT_USER_ACTION", "NO_COLOR"),
    }
)
# UV_INDEX_NAME_PASSWORD, UV_HTTP_TIMEOUT, UV_CONCURRENT_DOWNLOADS and the like.
_HOW_TO_REACH_AN_INDEX_PREFIXES = ("INDEX_", "HTTP_", "CONCURRENT_")

_PYTHON_SETTINGS = {
    # On Windows and in the C locale the default encoding would not be UTF-8.
    "PYTHONUTF8": "1",
    "PYTHONIOENCODING": "utf-8",
    "PYTHONUNBUFFERED": "1",
}


def inherited_environment() -> dict[str, str]:
    """Return a copy of this process's environment.

    `os.environ.items()` raises `KeyError` if another thread removes a variable during
    the iteration, as pytest does after each test.
    """
    return {
        name: value
        for name in list(os.environ)
        if (value := os.environ.get(name)) is not None
    }


def environment_of_tests(
    own: Mapping[str, str], inherited: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the environment for a process that runs lesson tests.

    It starts empty: of the *inherited* variables (by default those of this process)
    only the essential ones are kept, including `WORKSHOP_…`. libpq's `PG…` variables
    are kept if `WORKSHOP_DATABASE_URL` names a server, because they may supply what
    the URL leaves out. *own* is added last.
    """
    given = inherited_environment() if inherited is None else inherited
    own_server = bool(given.get("WORKSHOP_DATABASE_URL"))
    taken = {
        name: value
        for name, value in given.items()
        if name.upper() in _ESSENTIAL
        or name.upper().startswith(_ESSENTIAL_PREFIXES)
        or (own_server and name.startswith(_POSTGRES_PREFIX))
    }
    return {**taken, **_PYTHON_SETTINGS, **own}


def environment_of_apps(
    own: Mapping[str, str], inherited: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the environment for a server that learners use: an app, a notebook.

    These are the *inherited* variables (by default those of this process) without the
    ones that would change how Python, pytest, uvicorn or a lesson's libraries behave.
    Proxy settings are kept, because a notebook may need the network, but this machine
    itself is never reached through a proxy. *own* is added last.
    """
    given = inherited_environment() if inherited is None else inherited
    kept = {name: value for name, value in given.items() if not _disturbs(name)}
    for name in ("NO_PROXY", "no_proxy"):
        hosts = [host.strip() for host in given.get(name, "").split(",")]
        listed = [host for host in hosts if host]
        missing = [host for host in LOOPBACK if host not in listed]
        # "*" disables the proxy for all hosts; appending to it would undo that.
        kept[name] = "*" if "*" in listed else ",".join([*listed, *missing])
    return {**kept, **_PYTHON_SETTINGS, **own}


def environment_of_installers(
    own: Mapping[str, str], inherited: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the environment for pip, uv, and `venv`.

    From the *inherited* variables (by default those of this process) it removes
    settings that change Python, another project's active environment, and settings of
    pip and uv that would choose other packages or install them elsewhere. Settings
    needed to reach a package index are kept. *own* is added last.
    """
    given = inherited_environment() if inherited is None else inherited
    kept = {
        name: value for name, value in given.items() if not _changes_installers(name)
    }
    return {**kept, "PYTHONUTF8": "1", **own}


def diverts_packages(name: str) -> bool:
    """Return whether the variable *name* is a setting of pip or uv to leave out."""
    upper = name.upper()
    if upper.startswith("PIP_"):
        return upper.removeprefix("PIP_") not in _HOW_TO_REACH_AN_INDEX
    if upper.startswith("UV_"):
        setting = upper.removeprefix("UV_")
        return setting not in _HOW_TO_REACH_AN_INDEX and not setting.startswith(
            _HOW_TO_REACH_AN_INDEX_PREFIXES
        )
    return False


def _changes_installers(name: str) -> bool:
    upper = name.upper()
    return (
        upper.startswith("PYTHON")
        or upper in _ACTIVE_ENVIRONMENT
        or diverts_packages(name)
    )


def _disturbs(name: str) -> bool:
    upper = name.upper()
    return upper in _DISTURBING or upper.startswith(_DISTURBING_PREFIXES)
