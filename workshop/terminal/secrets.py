r"""Hide the passwords of the learner's services in texts.

A URL such as `postgresql://ann:s3cret/x@host/db` turns up in many texts: the driver's
error when it cannot reach the server, a traceback, the output of an app that prints its
environment. With an unescaped `/`, `#`, `?`, `@` or `:` in the password, parsers split
the URL in the wrong places and quote half of the password as a host or a port. So the
password is hidden as a whole, percent-encoded, percent-decoded, and in every run of the
parts that such characters split it into.

Where a secret is hidden depends on its length, so that text stays readable:

- 6 characters or more: everywhere.
- 4 or 5: as a separate word.
- 1 to 3, and a password that is also the user's, the host's or the database's name
  (`postgres:postgres@`): only in the position of a password, which is before an `@`,
  after `password=` or, unless it is such a name, alone in quotes.

A user name is hidden together with its password, but not on its own: "no access for
user ann" is helpful and not a secret.
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
"""Environment variables that may hold a URL with a password."""

PASSWORDS = ("PGPASSWORD", "REDISCLI_AUTH")
"""Environment variables that hold a password and nothing else."""

_ANYWHERE, _AS_A_WORD = 6, 4

_DIVIDING = re.compile(r"([/#?@:])")
_MOST_PIECES = 12
_IN_QUERY = re.compile(r"(?i)(?:^|[?&])[a-z_]*(?:password|passwd|pwd|token)=([^&]*)")
_SCHEME = re.compile(r"^\s*['\"]?[a-zA-Z][a-zA-Z0-9+.-]*:(?://)?")


@dataclass(frozen=True)
class Secrets:
    """What to hide: `passwords`, and names that are `known` anyway."""

    passwords: frozenset[str] = frozenset()
    users: frozenset[str] = frozenset()
    known: frozenset[str] = frozenset()

    def __or__(self, other: Secrets) -> Secrets:
        """Return the union of both."""
        return Secrets(
            self.passwords | other.passwords,
            self.users | other.users,
            self.known | other.known,
        )


def secrets_of(environment: Mapping[str, str]) -> Secrets:
    """Return the secrets in *environment* for the workshop's services."""
    found = Secrets(
        frozenset(filter(None, (environment.get(name, "") for name in PASSWORDS)))
    )
    for name in ADDRESSES:
        if address := environment.get(name, ""):
            found |= secrets_in(address)
    return found


@lru_cache(maxsize=16)
def secrets_in(address: str) -> Secrets:
    """Return the secrets of one *address*, even if it is malformed.

    Everything between the scheme and the last `@` counts as user and password, because
    an unescaped `@` belongs to the password.
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
    # Longest first, because one secret may be part of another.
    ordered = sorted(words, key=lambda it: (-len(it), it))
    patterns = [each for it in ordered for each in _in_position(it, secrets)]
    return re.compile("|".join(patterns))


def _runs(password: str) -> Iterator[str]:
    """Yield *password*, and each run of its parts that a parser may produce."""
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
    """Return *word* as it may appear in a URL, in a `repr` and in JSON."""
    decoded = {word, unquote(word), unquote_plus(word)}
    encoded = {quote(it, safe="") for it in decoded} | {quote(it) for it in decoded}
    encoded |= {quote_plus(it) for it in decoded}
    encoded |= {re.sub("%..", lambda it: it[0].lower(), each) for each in encoded}
    written = {
        spelt[1:-1] for it in decoded for spelt in (repr(it), json.dumps(it), ascii(it))
    }
    return {it for it in decoded | encoded | written if it.strip()}


def _in_position(word: str, secrets: Secrets) -> Iterator[str]:
    """Yield regular expressions for the positions in which *word* is a secret."""
    it = re.escape(word)
    yield rf"(?<=//):{it}(?=@)"
    for user in sorted(secrets.users):
        # In a URL it follows the user name; hide both.
        yield rf"(?<!\w){re.escape(user)}:{it}(?!\w)"
    if word not in secrets.known and len(word) >= _AS_A_WORD:
        yield it if len(word) >= _ANYWHERE else rf"(?<!\w){it}(?!\w)"
        return
    yield rf"(?<=[:/#?@]){it}(?=@)"
    yield rf"(?i:(?<=password=)|(?<=password': ')|(?<=password=')){it}(?!\w)"
    if word not in secrets.known:
        yield rf"(?<='){it}(?=')"
        yield rf'(?<="){it}(?=")'
