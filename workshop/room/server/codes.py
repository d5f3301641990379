"""Create and compare codes, secrets and tokens."""

from __future__ import annotations

import hashlib
import hmac
import secrets

# Without letters and digits that look or sound alike (I, 1, L, O, 0, …).
_ALPHABET = "ACDEFGHJKMNPQRTUVWXY34679"
_CODE_LENGTH = 6


def new_code() -> str:
    """Return a code for learners to type, one of 25 ** 6 (about 240 million)."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(_CODE_LENGTH))


def new_secret() -> str:
    """Return the board's secret."""
    return secrets.token_urlsafe(18)


def digest(token: str) -> str:
    """Return the hash of a random *token*. It has 256 bits, so it needs no salt."""
    return hashlib.sha256(token.encode()).hexdigest()


def is_code(given: str, code: str) -> bool:
    """Return whether *given* is the *code*, compared in constant time.

    Lower case, spaces and hyphens are accepted.
    """
    cleaned = given.upper().replace(" ", "").replace("-", "")
    return hmac.compare_digest(cleaned.encode(), code.encode())


def is_same(given: str, expected: str) -> bool:
    """Return whether two secrets are equal, compared in constant time."""
    return hmac.compare_digest(given.encode(), expected.encode())
