"""Signatures of events, which show that a line came from the recorder.

The app under test runs in the worker's process and can write to the pipe of events. It
does not know the key: the worker receives that on its control channel, and it never
travels on the pipe of events. Each signature covers the number of its event, so an
event cannot be copied and sent again.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable

_SEPARATOR = "\t"  # JSON escapes it within strings


def new_key() -> str:
    """Return a key that cannot be guessed."""
    return secrets.token_hex(16)


def signer(key: str) -> Callable[[str], str]:
    """Return a function that adds a signature to each line, in their order."""
    start = hashlib.blake2s(key=bytes.fromhex(key))
    number = 0

    def signed(line: str) -> str:
        nonlocal number
        digest = start.copy()
        digest.update(f"{number} {line}".encode())
        number += 1
        return f"{line}{_SEPARATOR}{digest.hexdigest()}"

    return signed


class Verifier:
    """Recognises the lines of a signer with the same key, in their order."""

    def __init__(self, key: str) -> None:
        self._signed = signer(key)

    def is_genuine(self, line: str) -> bool:
        """Return whether *line* is the signer's next one."""
        body, separator, _ = line.rpartition(_SEPARATOR)
        return bool(separator) and self._signed(body) == line


def body_of(line: str) -> str:
    """Return *line* without its signature, if it has one."""
    body, separator, _ = line.rpartition(_SEPARATOR)
    return body if separator else line
