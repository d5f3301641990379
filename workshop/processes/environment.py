"""The environment variables of the processes that the workshop starts.

Many programs read the environment: Python itself, pytest, uvicorn, HTTP clients,
database drivers. A variable that a user has set for another project must never
change a verdict, so no process gets the user's environment as it is.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

LOOPBACK = ("localhost", "127.0.0.1", "::1")
"""Hosts that no proxy can reach on behalf of this machine."""

# What a Python program needs in order to run at all, on any system.
_ESSENTIAL = frozenset(
    {
        *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ"),
        *("TERM", "TMPDIR", "TEMP", "TMP", "XDG_RUNTIME_DIR"),
        # Nix, conda and some HPC modules find shared libraries by these.
        *("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH"),
        *("SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT"),
        *("USERPROFILE", "USERNAME", "USERDOMAIN", "HOMEDRIVE", "HOMEPATH"),
        *("APPDATA", "LOCALAPPDATA", "PROGRAMDATA", "PROGRAMFILES", "ALLUSERSPROFILE"),
        *("NUMBER_OF_PROCESSORS", "PROCESSOR_ARCHITECTURE", "OS"),
    }
)
_ESSENTIAL_PREFIXES = ("LC_", "WORKSHOP_")

# The environment that a user has activated, for this project or another one.
_ACTIVE_ENVIRONMENT = frozenset({"__PYVENV_LAUNCHER__", "VIRTUAL_ENV", "CONDA_PREFIX"})

# What changes how Python, pytest, uvicorn or a lesson's libraries behave.
_DISTURBING_PREFIXES = ("PYTHON", "PYTEST_", "UVICORN_", "SQLALCHEMY_", "PYDANTIC_")
_DISTURBING = frozenset(
    {
        *_ACTIVE_ENVIRONMENT,
        # uvicorn reads these two without its own prefix.
        *("WEB_CONCURRENCY", "FORWARDED_ALLOW_IPS"),
        # Lessons read these. Only the workshop says what they are.
        *("DATABASE_URL", "REDIS_URL"),
    }
)

# asyncpg reads these for everything that an address leaves out.
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
        # Only how they talk, as many containers set it.
        *("DISABLE_PIP_VERSION_CHECK", "NO_INPUT", "ROOT_USER_ACTION", "NO_COLOR"),
    }
)
# UV_INDEX_NAME_PASSWORD, UV_HTTP_TIMEOUT, UV_CONCURRENT_DOWNLOADS and the like.
_HOW_TO_REACH_AN_INDEX_PREFIXES = ("INDEX_", "HTTP_", "CONCURRENT_")

_PYTHON_SETTINGS = {
    # Windows and the C locale would otherwise choose another encoding.
    "PYTHONUTF8": "1",
    "PYTHONIOENCODING": "utf-8",
    "PYTHONUNBUFFERED": "1",
}


def inherited_environment() -> dict[str, str]:
    """Return a copy of this process's environment.

    `os.environ.items()` raises KeyError if another thread removes a variable while
    it is read, as pytest does after each test.
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

    It is made from nothing: of the *inherited* variables (by default those of this
    process) only the essential ones are taken, `WORKSHOP_…` among them. libpq's
    `PG…` come too where `WORKSHOP_DATABASE_URL` names a server, because they may
    hold what the address leaves out. *own* is added last.
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
    """Return the environment for a server that people use: an app, a notebook.

    The *inherited* variables (by default those of this process) without the ones
    that would change how Python, pytest, uvicorn or a lesson's libraries behave.
    A proxy stays, because a notebook may reach outside, but is not used for this
    machine itself. *own* is added last.
    """
    given = inherited_environment() if inherited is None else inherited
    kept = {name: value for name, value in given.items() if not _disturbs(name)}
    for name in ("NO_PROXY", "no_proxy"):
        hosts = [host.strip() for host in given.get(name, "").split(",")]
        listed = [host for host in hosts if host]
        missing = [host for host in LOOPBACK if host not in listed]
        # "*" means that nothing goes through a proxy; a longer list would not.
        kept[name] = "*" if "*" in listed else ",".join([*listed, *missing])
    return {**kept, **_PYTHON_SETTINGS, **own}


def environment_of_installers(
    own: Mapping[str, str], inherited: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the environment for pip, uv, and `venv`.

    Of the *inherited* variables (by default those of this process) it leaves out what
    changes Python, another project's active environment, and every setting of pip
    and uv that could send packages elsewhere or choose other ones. What a user needs
    to reach a package index stays. *own* is added last.
    """
    given = inherited_environment() if inherited is None else inherited
    kept = {
        name: value for name, value in given.items() if not _changes_installers(name)
    }
    return {**kept, "PYTHONUTF8": "1", **own}


def diverts_packages(name: str) -> bool:
    """Tell whether the variable *name* is a setting of pip or uv that is left out."""
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
