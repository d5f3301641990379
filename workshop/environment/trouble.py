"""What can go wrong at set-up, in sentences that say what to do."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

_OFFLINE = re.compile(
    r"name resolution|dns error|failed to lookup|getaddrinfo|Name or service not known"
    r"|nodename nor servname|network is unreachable|connection refused"
    r"|connection reset|connect error|error sending request|NewConnectionError"
    r"|operation timed out|timed out|ConnectTimeout|ReadTimeout|Could not connect"
    r"|ProxyError|network was disabled",
    re.IGNORECASE,
)
_CERTIFICATE = re.compile(r"certificate|UnknownIssuer|SSLError", re.IGNORECASE)
_FULL = re.compile(
    r"No space left|ENOSPC|disk.{0,10}full|os error 28|os error 112", re.I
)
_DENIED = re.compile(r"Permission denied|Access is denied|Read-only file system", re.I)
_NOT_THERE = re.compile(
    r"No matching distribution found|No solution found|was not found in", re.I
)

# What a clone comes with. Anything else that is missing was never there.
_PUBLISHED = frozenset(
    {"lessons", "solutions", "notebooks", "docs", "requirements", "workshop"}
    | {"mkdocs.yml", "pyproject.toml"}
)


def is_offline(output: str) -> bool:
    """Tell whether an installer's *output* speaks of an unreachable network."""
    return bool(_OFFLINE.search(output)) and not _CERTIFICATE.search(output)


def explain_disk(output: str, place: Path) -> str | None:
    """Return a sentence and a cure if *output* speaks of the disk, else None."""
    if _FULL.search(output):
        return _full(place)
    return _denied(place) if _DENIED.search(output) else None


def explain(output: str, place: Path, log: Path) -> str:
    """Turn an installer's last *output* into one sentence and a cure."""
    disk = explain_disk(output, place)
    if disk is not None:
        return disk
    if _CERTIFICATE.search(output):
        return (
            "The package index answered with a certificate that this machine does "
            "not trust, as some company networks do. Put the network's certificate "
            "file into SSL_CERT_FILE and PIP_CERT, and run the same command again."
        )
    if _OFFLINE.search(output):
        return (
            "The packages could not be fetched: the package index cannot be "
            "reached. Connect to the network and run the same command again; it "
            "goes on from here."
        )
    if _NOT_THERE.search(output):
        return (
            "A package could not be found for this Python and system. If the "
            "network is there, pip or uv may look into an index of its own: "
            f"{log} has what they said."
        )
    words = [line.strip() for line in output.splitlines() if line.strip()]
    last = words[-1][:200] if words else "nothing"
    return (
        f"The packages could not be installed; the installer's last words: {last}. "
        f"The rest is in {log}. Run the same command again, or "
        "`python -m workshop doctor`."
    )


def explain_missing_part(error: Exception, root: Path) -> str | None:
    """Return a sentence and a cure if *error* is about a deleted part of *root*."""
    if isinstance(error, ImportError):
        if (error.name or "").partition(".")[0] != "workshop":
            return None
        return (
            f"A part of the workshop is missing or damaged ({error}). `git checkout "
            f"workshop` in {root} brings it back."
        )
    if not isinstance(error, FileNotFoundError) or error.filename is None:
        return None
    path = Path(os.fsdecode(error.filename))
    if not path.is_relative_to(root):
        return None
    part = path.relative_to(root).as_posix()
    if part.partition("/")[0] not in _PUBLISHED:
        return None
    return f"{part} is missing. `git checkout {part}` in {root} brings it back."


def explain_os_error(error: OSError, place: Path) -> str:
    """Turn what the file system said into one sentence and a cure."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return _full(place)
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return _denied(place)
    if error.errno in {errno.EEXIST, errno.ENOTDIR}:
        return (
            f"{place} cannot be made: a file is in its way. Move the file, and run "
            "the same command again."
        )
    named = f" ({error.filename})" if error.filename else ""
    return (
        f"{place} cannot be set up: {error.strerror or error}{named}. Remove that "
        "folder and run the same command again."
    )


def _full(place: Path) -> str:
    return (
        f"The disk is full. {place} needs about 250 MB: make room and run the same "
        "command again."
    )


def _denied(place: Path) -> str:
    return (
        f"{place} cannot be written. Copy the checkout to a folder of your own, or "
        "set WORKSHOP_VENV to a folder that you may write, and run the same command "
        "again."
    )
