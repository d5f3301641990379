"""Claim a Redis database, empty it safely, and release it.

A claimed database holds a marker key with a random value that only its owner knows. A
database is emptied by a script that first compares the marker on the same connection,
so a misread URL can never delete anything.

The owner also stays subscribed to a channel of its own. However its process ends, the
subscription ends with it. Then the claim counts as abandoned, and the next run claims
and empties the database.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from workshop.services.address import REDIS_VARIABLE, RedisAddress
from workshop.services.service import ServiceError

if TYPE_CHECKING:
    from redis import Redis
    from redis.asyncio import Redis as AsyncRedis
    from redis.client import PubSub

MARKER = "workshop:claim"
"""The key that marks a claimed database."""

CLIENT = "workshop"
"""The client name of the workshop's own connections, to tell them from the app's."""

# After a week, the keys in an abandoned database may no longer be the workshop's.
_SECONDS = 7 * 24 * 3600

# For servers that forbid CONFIG GET, as many hosted ones do.
_USUAL_DATABASES = 16

_CONNECT_SECONDS = 10.0

_TEXT = re.compile(r"workshop ([0-9a-f]{32}) (.*)")

# A script is atomic: no other client's command runs in between.
_TAKE = """
local there = redis.call('GET', KEYS[1])
if there then
    if there ~= ARGV[3] then return there end
    redis.call('FLUSHDB')
elseif redis.call('DBSIZE') > 0 then
    return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return 1
"""

# If the app itself has sent FLUSHDB, the marker is gone too. An empty database is free
# to be claimed, so its owner may mark it again.
_EMPTY = """
local elsewhere = ARGV[3] ~= ARGV[4]
if elsewhere then redis.call('SELECT', ARGV[3]) end
local there = redis.call('GET', KEYS[1])
if elsewhere then redis.call('SELECT', ARGV[4]) end
if there ~= ARGV[1] then
    if elsewhere or there or redis.call('DBSIZE') > 0 then return 0 end
end
redis.call('FLUSHDB')
if not elsewhere then redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2]) end
return 1
"""

_GIVE_BACK = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('FLUSHDB')
return 1
"""


@dataclass(frozen=True)
class Claim:
    """The right to empty one database.

    Attributes:
        text: The value of the marker.
        database: The database that may be emptied.
        marked: The database that holds the marker. It is the same one, except on an
            embedded server: there the marker is in another one, so that apps see an
            empty database.

    """

    text: str = field(repr=False)
    database: int
    marked: int

    @classmethod
    def new(cls, database: int, marked: int | None = None) -> Claim:
        """Return a new claim, owned by this process."""
        since = datetime.now(UTC).isoformat(timespec="seconds")
        text = (
            f"workshop {secrets.token_hex(16)} process {os.getpid()} on "
            f"{socket.gethostname()}, since {since}; this database will be emptied"
        )
        return cls(text, database, database if marked is None else marked)

    @classmethod
    def handed_over(cls, words: str) -> Claim | None:
        """Parse the result of `str(claim)`. Return None if *words* are not a claim."""
        numbers = re.fullmatch(r"([0-9]+) ([0-9]+) (workshop .*)", words)
        if numbers is None or not _TEXT.fullmatch(numbers[3]):
            return None
        return cls(numbers[3], int(numbers[1]), int(numbers[2]))

    def __str__(self) -> str:
        """Return the claim as text for an environment variable."""
        return f"{self.database} {self.marked} {self.text}"

    def empty(self, server: Redis) -> None:
        """Empty the database that *server* is connected to.

        Raises:
            ServiceError: It does not hold the marker of this claim, or not any more.

        """
        self._check(server.eval(_EMPTY, 1, MARKER, *self._arguments()))

    async def empty_async(self, server: AsyncRedis) -> None:
        """Empty the database as `empty` does, with an async client."""
        # redis-py annotates both clients with one type.
        done: Any = server.eval(_EMPTY, 1, MARKER, *self._arguments())
        self._check(await done)

    def _arguments(self) -> tuple[str, str, str, str]:
        return self.text, str(_SECONDS), str(self.marked), str(self.database)

    def _check(self, done: object) -> None:
        if done != 1:
            raise ServiceError(
                f"Database {self.database} of your Redis is no longer marked as the "
                f"workshop's: the key {MARKER} is missing or has changed, so nothing "
                "was deleted. Did the app send FLUSHDB? Start again with an empty "
                f"database, or unset {REDIS_VARIABLE} to use an embedded Redis."
            )


@contextmanager
def claimed(address: RedisAddress) -> Iterator[tuple[RedisAddress, Claim]]:
    """Claim the database that *address* names, or else the highest free one.

    A database is free if it holds no keys, or if its claim is abandoned. When the
    block ends, the database is emptied and released.

    Raises:
        ServiceError: No database is free, or the server rejects a command.

    """
    with contextlib.ExitStack() as stack:
        with _told(address):
            own = stack.enter_context(_connection(address.at(0)))
            claim = _first_free(address, own, stack)
        where = address.at(claim.database)
        try:
            yield where, claim
        finally:
            _give_back(where, claim)


def marked_as_ours(address: RedisAddress) -> Claim:
    """Claim the first database of an embedded server."""
    claim = Claim.new(0, marked=1)
    with _told(address), _connection(address.at(claim.marked)) as server:
        server.set(MARKER, claim.text)
    return claim


def _first_free(
    address: RedisAddress, own: Redis, stack: contextlib.ExitStack
) -> Claim:
    named = address.database
    numbers = _numbers(own) if named is None else [named]
    holders = []
    for number in numbers:
        claim = Claim.new(number)
        # Subscribe first, so that the claim never looks abandoned.
        listening = stack.enter_context(contextlib.closing(_listener(own)))
        listening.subscribe(_channel(claim.text))
        if listening.get_message(timeout=_CONNECT_SECONDS) is None:
            raise TimeoutError("it does not respond")
        holder = _take(address.at(number), own, claim, is_named=named is not None)
        if holder is None:
            return claim
        listening.close()
        if holder:
            holders.append(holder)
    raise ServiceError(_words_for_taken(address, holders))


def _listener(own: Redis) -> PubSub:
    listener: PubSub = own.pubsub()  # type: ignore[no-untyped-call]
    return listener


def _take(
    where: RedisAddress, own: Redis, claim: Claim, *, is_named: bool
) -> str | None:
    """Try to claim a database.

    Return None on success. Otherwise return the owner of the existing claim, or "" if
    the database holds other keys.
    """
    from redis import ResponseError

    with _connection(where) as server:
        try:
            found = _taken(server, claim, "")
        except ResponseError as problem:
            if "WRONGTYPE" in str(problem):
                return ""
            if not is_named and _is_about_number(problem):
                return ""
            raise
        if isinstance(found, str) and _is_abandoned(found, own):
            found = _taken(server, claim, found)
        if isinstance(found, str):
            text = _TEXT.fullmatch(found)
            return text[2].partition(",")[0] if text else ""
        if found != 1:
            return ""
        try:
            # Check now whether the server will let us empty it later.
            claim.empty(server)
        except ResponseError:
            with contextlib.suppress(ResponseError):
                server.delete(MARKER)
            raise
        return None


def _taken(server: Redis, claim: Claim, abandoned: str) -> str | int:
    found: Any = server.eval(_TAKE, 1, MARKER, claim.text, str(_SECONDS), abandoned)
    if isinstance(found, bytes):
        return found.decode("utf-8", "replace")
    return int(found)


def _is_abandoned(text: str, own: Redis) -> bool:
    """Return whether *text* is the marker of a claim whose owner has ended."""
    if not _TEXT.fullmatch(text):
        return False
    [(_, listeners)] = own.pubsub_numsub(_channel(text))
    return int(listeners) == 0


def _channel(text: str) -> str:
    found = _TEXT.fullmatch(text)
    assert found is not None
    return f"{MARKER}:{found[1]}"


def _give_back(where: RedisAddress, claim: Claim) -> None:
    from redis import RedisError

    # If the server is gone, there is nothing to release.
    with (
        contextlib.suppress(RedisError, OSError, ValueError),
        _connection(where) as server,
    ):
        server.eval(_GIVE_BACK, 1, MARKER, claim.text)


def _connection(address: RedisAddress) -> Redis:
    from redis import Redis

    return Redis.from_url(
        address.url(),
        client_name=CLIENT,
        socket_connect_timeout=_CONNECT_SECONDS,
        socket_timeout=_CONNECT_SECONDS,
        socket_keepalive=True,
    )


def _numbers(server: Redis) -> list[int]:
    try:
        count = int(str(server.config_get("databases")["databases"]))
    except Exception:  # noqa: BLE001 -- hosted servers forbid the question
        count = _USUAL_DATABASES
    return list(reversed(range(count)))


def _is_about_number(problem: Exception) -> bool:
    """Return whether the server has no database with that number."""
    words = str(problem).lower()
    return "out of range" in words or "select is not allowed" in words


@contextmanager
def _told(address: RedisAddress) -> Iterator[None]:
    """Raise errors of the server and the connection as `ServiceError`."""
    from redis import RedisError
    from redis.exceptions import AuthenticationError, NoPermissionError, ResponseError

    try:
        yield
    except (RedisError, OSError, ValueError) as problem:
        reason = address.conceal(str(problem)).rstrip(". ")
        if isinstance(problem, AuthenticationError) or "NOAUTH" in reason:
            cure = f"Are the user name and the password in {REDIS_VARIABLE} right?"
        elif isinstance(problem, NoPermissionError) or "ACL" in reason:
            cure = "Allow it in the ACL of this user, for all keys and channels."
        elif isinstance(problem, ResponseError) and _is_about_number(problem):
            cure = f"End {REDIS_VARIABLE} with the number of an existing database."
        elif isinstance(problem, ResponseError):
            cure = "Use a server that allows this."
        else:
            cure = f"Is it running, and is the address in {REDIS_VARIABLE} right?"
        raise ServiceError(
            f"Redis at {address.place} cannot be used: {reason}. {cure} "
            "Unset the variable to use an embedded Redis."
        ) from None


def _words_for_taken(address: RedisAddress, holders: list[str]) -> str:
    named = address.database
    which = "Every database" if named is None else f"Database {named}"
    server = f"your Redis at {address.place}"
    cure = (
        f"End {REDIS_VARIABLE} with the number of an empty one, as in /9, or unset it "
        "to use an embedded one."
    )
    if named is not None and holders:
        return (
            f"{which} of {server} is in use by another run of the workshop, "
            f"{holders[0]}. End that run, or leave out the number. {cure}"
        )
    others = " or is used by another run" if holders else ""
    return (
        f"{which} of {server} holds keys{others}, and the workshop would delete them. "
        f"{cure}"
    )
