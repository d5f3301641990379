"""What every service has: a URL, a kind, and a description."""

from __future__ import annotations

from dataclasses import dataclass, field


class ServiceError(Exception):
    """A service cannot be used. The message names the cause and what to do next."""


@dataclass(frozen=True)
class Service:
    """A database or Redis that is ready for use.

    Attributes:
        url: The URL to connect to. It may hold a password: do not print it.
        kind: `"sqlite"`, `"postgres"` or `"redis"`.
        description: A description without passwords: `embedded PostgreSQL 18.0`.
        claim: The proof that a Redis database may be emptied, or that databases on a
            PostgreSQL belong to this run.

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
