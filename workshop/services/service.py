"""What every service has: an address, a kind, and words for the screen."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit


class ServiceError(Exception):
    """A service cannot be used. The words name the cause and what to do next."""


@dataclass(frozen=True)
class Service:
    """A database or Redis that is ready to be used.

    Attributes:
        url: the address to connect to. It may hold a password: do not print it.
        kind: ``"sqlite"``, ``"postgres"`` or ``"redis"``.
        description: for people, without passwords: ``embedded PostgreSQL 18.0``.

    """

    url: str = field(repr=False)
    kind: str
    description: str


def place_of(url: str, default_port: int) -> str:
    """Return host and port of *url*, and nothing of its credentials."""
    parts = urlsplit(url)
    return f"{parts.hostname or 'localhost'}:{parts.port or default_port}"
