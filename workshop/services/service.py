"""What every service has: an address, a kind, and words for the screen."""

from __future__ import annotations

from dataclasses import dataclass, field


class ServiceError(Exception):
    """A service cannot be used. The words name the cause and what to do next."""


@dataclass(frozen=True)
class Service:
    """A database or Redis that is ready to be used.

    Attributes:
        url: the address to connect to. It may hold a password: do not print it.
        kind: ``"sqlite"``, ``"postgres"`` or ``"redis"``.
        description: a description without passwords: `embedded PostgreSQL 18.0`.
        claim: the proof that a Redis database may be emptied, or that databases on
            a PostgreSQL belong to this run.

    """

    url: str = field(repr=False)
    kind: str
    description: str
    claim: str = field(default="", repr=False)


def ended_words(code: int) -> str:
    """Return how a program ended that printed no reason."""
    if code < 0:
        return f"it was stopped by signal {-code}"
    return f"it ended with code {code} and printed nothing"
