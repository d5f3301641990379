"""Error messages of the set-up: what happened and what to do."""

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

# The parts of a clone. Any other missing file is not the clone's.
_PUBLISHED = frozenset(
    {"lessons", "solutions", "notebooks", "docs", "requirements", "workshop"}
    | {"mkdocs.yml", "pyproject.toml"}
)


def is_offline(output: str) -> bool:
    """Return whether an installer's *output* is about an unreachable network."""
    return bool(_OFFLINE.search(output)) and not _CERTIFICATE.search(output)


def explain_disk(output: str, place: Path) -> str | None:
    """Return a message if *output* is about the disk, else None."""
    if _FULL.search(output):
        return _full(place)
    return _denied(place) if _DENIED.search(output) else None


def explain(output: str, place: Path, log: Path) -> str:
    """Return a message with the cause and the fix for an installer's *output*."""
    disk = explain_disk(output, place)
    if disk is not None:
        return disk
    if _CERTIFICATE.search(output):
        return (
            "This machine does not trust the certificate of the package index. This "
            "is common in company networks. Set SSL_CERT_FILE and PIP_CERT to the "
            "network's certificate file and run the same command again."
        )
    if _OFFLINE.search(output):
        return (
            "The packages could not be downloaded, because the package index cannot "
            "be reached. Connect to the network and run the same command again to "
            "continue."
        )
    if _NOT_THERE.search(output):
        return (
            "A package could not be found for this Python and system. If the "
            "network works, pip or uv may be configured for another index. Their "
            f"output is in {log}."
        )
    words = [line.strip() for line in output.splitlines() if line.strip()]
    last = words[-1][:200] if words else "nothing"
    return (
        f"The packages could not be installed. The installer's last message: {last}. "
        f"Its whole output is in {log}. Run the same command again, or "
        "`python -m workshop doctor`."
    )


def explain_missing_part(error: Exception, root: Path) -> str | None:
    """Return a message if *error* is about a deleted part of *root*, else None."""
    if isinstance(error, ImportError):
        if (error.name or "").partition(".")[0] != "workshop":
            return None
        return (
            f"A part of the workshop is missing or damaged ({error}). `git checkout "
            f"workshop` in {root} restores it."
        )
    if not isinstance(error, FileNotFoundError) or error.filename is None:
        return None
    path = Path(os.fsdecode(error.filename))
    if not path.is_relative_to(root):
        return None
    part = path.relative_to(root).as_posix()
    if part.partition("/")[0] not in _PUBLISHED:
        return None
    return f"{part} is missing. `git checkout {part}` in {root} restores it."


def explain_os_error(error: OSError, place: Path) -> str:
    """Return a message with the cause and the fix for an error of the file system."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return _full(place)
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return _denied(place)
    if error.errno in {errno.EEXIST, errno.ENOTDIR}:
        return (
            f"The folder {place} cannot be created, because a file is in its place. "
            "Move the file and run the same command again."
        )
    named = f" ({error.filename})" if error.filename else ""
    return (
        f"{place} cannot be set up: {error.strerror or error}{named}. Remove that "
        "folder and run the same command again."
    )


def _full(place: Path) -> str:
    return (
        f"The disk is full, and {place} needs about 250 MB. Free some space and run "
        "the same command again."
    )


def _denied(place: Path) -> str:
    return (
        f"{place} cannot be written. Copy the checkout to a folder of your own, or "
        "set WORKSHOP_VENV to a folder that you can write to, and run the same "
        "command again."
    )
