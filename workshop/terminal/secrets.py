r"""Find the passwords of the services that a learner named, and hide them in texts.

An address such as `postgresql://ann:s3cret/x@host/db` is quoted by many: by the
driver that cannot reach the server, by a traceback, by an app that prints its
environment. With an unescaped `/`, `#`, `?`, `@` or `:` in the password it is also
taken apart in the wrong places, and a message then quotes half of a password as a
host or a port. So the password is hidden whole, percent-encoded, percent-decoded,
and in every run of the pieces that such characters divide it into.

How far a secret is looked for depends on its length, so that text stays readable:

- 6 characters and more: wherever it stands.
- 4 or 5: as a word of its own.
- 1 to 3, and a password that is also the user's, the host's or the database's name
  (`postgres:postgres@`): only where it stands as a password, which is before an `@`,
  after `password=` or, unless it is such a name, alone in quotes.

A user's name is hidden together with the password, and stays where it stands alone:
"no access for user ann" helps, and is no secret.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote, quote_plus, unquote, unquote_plus

HIDDEN = "***"

ADDRESSES = ("WORKSHOP_DATABASE_URL", "WORKSHOP_REDIS_URL")
"""Environment variables that may hold an address with a password."""

PASSWORDS = ("PGPASSWORD", "REDISCLI_AUTH")
"""Environment variables that hold a password and nothing else."""

_ANYWHERE, _AS_A_WORD = 6, 4

_DIVIDING = re.compile(r"([/#?@:])")
_MOST_PIECES = 12
_IN_QUERY = re.compile(r"(?i)(?:^|[?&])[a-z_]*(?:password|passwd|pwd|token)=([^&]*)")
_SCHEME = re.compile(r"^\s*['\"]?[a-zA-Z][a-zA-Z0-9+.-]*:(?://)?")


@dataclass(frozen=True)
class Secrets:
    """What is to be hidden: `passwords`, and names that are `known` anyway."""

    passwords: frozenset[str] = frozenset()
    users: frozenset[str] = frozenset()
    known: frozenset[str] = frozenset()

    def __or__(self, other: Secrets) -> Secrets:
        """Return both together."""
        return Secrets(
            self.passwords | other.passwords,
            self.users | other.users,
            self.known | other.known,
        )


def secrets_of(environment: Mapping[str, str]) -> Secrets:
    """Return the secrets that *environment* holds for the workshop's services."""
    found = Secrets(
        frozenset(filter(None, (environment.get(name, "") for name in PASSWORDS)))
    )
    for name in ADDRESSES:
        if address := environment.get(name, ""):
            found |= secrets_in(address)
    return found


@lru_cache(maxsize=16)
def secrets_in(address: str) -> Secrets:
    """Return the secrets of one *address*, however badly it is written.

    Everything between the scheme and the last `@` counts as user and password,
    because an `@` that is not escaped belongs to the password.
    """
    rest = _SCHEME.sub("", address)
    credentials, at, tail = rest.rpartition("@")
    user, _, password = credentials.partition(":")
    place, _, query = tail.partition("?")
    found = [password] if at else []
    found += _IN_QUERY.findall("?" + query)
    known = {address.partition(":")[0], user, *re.split(r"[/:?#]", place)}
    return Secrets(
        frozenset(filter(None, found)),
        frozenset(filter(None, [user])),
        frozenset(filter(None, known)),
    )


def redacted(text: str, secrets: Secrets) -> str:
    """Return *text* with every one of the *secrets* replaced by `***`.

    >>> redacted("cannot reach a:pa/ss@host", secrets_in("redis://a:pa/ss@host"))
    'cannot reach ***@host'
    """
    if not secrets.passwords:
        return text
    return _pattern(secrets).sub(HIDDEN, text)


@lru_cache(maxsize=16)
def _pattern(secrets: Secrets) -> re.Pattern[str]:
    words: set[str] = set()
    for password in secrets.passwords:
        for run in _runs(password):
            words |= _spellings(run)
    # The longest comes first: a part of a password may be another secret.
    ordered = sorted(words, key=lambda it: (-len(it), it))
    return re.compile(
        "|".join(each for it in ordered for each in _lines_of(it, secrets))
    )


def _runs(password: str) -> Iterator[str]:
    """Yield *password*, and each run of its pieces that a wrong reading may give."""
    yield password
    parts = _DIVIDING.split(password)
    pieces, dividers = parts[::2][:_MOST_PIECES], parts[1::2]
    for start in range(len(pieces)):
        run = pieces[start]
        yield run
        for divider, piece in zip(dividers[start:], pieces[start + 1 :], strict=False):
            run += divider + piece
            yield run


def _spellings(word: str) -> set[str]:
    """Return *word* as it may stand in an address, in a `repr` and in JSON."""
    decoded = {word, unquote(word), unquote_plus(word)}
    encoded = {quote(it, safe="") for it in decoded} | {quote(it) for it in decoded}
    encoded |= {quote_plus(it) for it in decoded}
    encoded |= {re.sub("%..", lambda it: it[0].lower(), each) for each in encoded}
    written = {
        spelt[1:-1] for it in decoded for spelt in (repr(it), json.dumps(it), ascii(it))
    }
    return {it for it in decoded | encoded | written if it.strip()}


def _lines_of(word: str, secrets: Secrets) -> Iterator[str]:
    """Yield regular expressions for the places where *word* is a secret."""
    it = re.escape(word)
    yield rf"(?<=//):{it}(?=@)"
    for user in sorted(secrets.users):
        # In an address it comes after the user's name, and both are hidden.
        yield rf"(?<!\w){re.escape(user)}:{it}(?!\w)"
    if word not in secrets.known and len(word) >= _AS_A_WORD:
        yield it if len(word) >= _ANYWHERE else rf"(?<!\w){it}(?!\w)"
        return
    yield rf"(?<=[:/#?@]){it}(?=@)"
    yield rf"(?i:(?<=password=)|(?<=password': ')|(?<=password=')){it}(?!\w)"
    if word not in secrets.known:
        yield rf"(?<='){it}(?=')"
        yield rf'(?<="){it}(?=")'
