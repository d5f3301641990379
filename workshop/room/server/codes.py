"""Codes, secrets and tokens: how they are made and compared."""

from __future__ import annotations

import hashlib
import hmac
import secrets

# Without letters and digits that look or sound alike (I, 1, L, O, 0, …).
_ALPHABET = "ACDEFGHJKMNPQRTUVWXY34679"
_CODE_LENGTH = 6


def new_code() -> str:
    """Return a code for learners to type: 25 ** 6, about 240 million, are possible."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(_CODE_LENGTH))


def new_secret() -> str:
    """Return the board's secret."""
    return secrets.token_urlsafe(18)


def digest(token: str) -> str:
    """Return what is stored of a random *token*. It has 256 bits, so needs no salt."""
    return hashlib.sha256(token.encode()).hexdigest()


def is_code(given: str, code: str) -> bool:
    """Return whether *given* is the *code*, in constant time.

    People may type it in small letters, and with spaces or hyphens.
    """
    cleaned = given.upper().replace(" ", "").replace("-", "")
    return hmac.compare_digest(cleaned.encode(), code.encode())


def is_same(given: str, expected: str) -> bool:
    """Return whether two secrets are the same, in constant time."""
    return hmac.compare_digest(given.encode(), expected.encode())
