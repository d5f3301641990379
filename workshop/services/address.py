"""Parse the URLs of servers. All functions are pure.

redis-py, asyncpg, SQLAlchemy and `urllib` disagree about unusual URLs, such as which
database `redis://host/0?db=5` means. So this module is the only one that parses a
user's URL, and every client gets an unambiguous URL that is written from the result.
A URL that cannot be parsed raises a `ServiceError` that shows no part of it.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qsl, quote, unquote, urlencode

from workshop.processes.loopback import bracketed
from workshop.services.service import ServiceError

REDIS_VARIABLE = "WORKSHOP_REDIS_URL"
DATABASE_VARIABLE = "WORKSHOP_DATABASE_URL"

_REDIS_PORT = 6379
_POSTGRES_PORT = 5432
_HIGHEST_PORT = 65535
_HIGHEST_DATABASE = 2**31 - 1

_POSTGRES_SCHEMES = ("postgres", "postgresql", "postgresql+asyncpg")

# The lessons' tests relay the traffic between the app and Redis, and inspect it.
_UNREADABLE_REDIS_SCHEMES = ("rediss", "unix", "valkeys")

# Any other option, such as a timeout, would change what the lessons test.
_REDIS_OPTIONS = frozenset({"db", "username", "password", "protocol"})

# Options that both asyncpg and SQLAlchemy's asyncpg dialect accept in a URL.
_POSTGRES_OPTIONS = frozenset(
    {"user", "password", "host", "port", "dbname", "database"}
    | {"sslmode", "ssl", "passfile", "target_session_attrs"}
)

_ESCAPES = (
    "Percent-encode special characters in the user name and the password: / is %2F, "
    "? is %3F, # is %23, @ is %40, : is %3A, [ is %5B, ] is %5D and a space is %20"
)


@dataclass(frozen=True)
class RedisAddress:
    """The address of a Redis server.

    Attributes:
        host: A name or an IP address, without brackets.
        port: The TCP port.
        database: The number that the URL names; None if it names none.
        user: The user name, decoded.
        password: The password, decoded.
        protocol: The version of RESP, or None for the client's default.

    """

    host: str
    port: int
    database: int | None
    user: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    protocol: int | None = None

    @property
    def place(self) -> str:
        """Host and port, without credentials."""
        return f"{bracketed(self.host)}:{self.port}"

    def at(self, database: int) -> RedisAddress:
        """Return the address of *database* on the same server."""
        return replace(self, database=database)

    def url(self) -> str:
        """Return a URL that all clients parse the same way."""
        login = _login(self.user, self.password)
        path = "" if self.database is None else f"/{self.database}"
        query = "" if self.protocol is None else f"?protocol={self.protocol}"
        return f"redis://{login}{self.place}{path}{query}"

    def conceal(self, text: str) -> str:
        """Return *text* without the password."""
        return _without(text, self.password)


@dataclass(frozen=True)
class PostgresAddress:
    """The address of a PostgreSQL server.

    Attributes:
        host: A name, an IP address without brackets, the absolute path of a folder with
            a socket, or None, in which case libpq's `PGHOST` applies.
        port: The port, or None.
        database: The database to connect to, or None.
        user: The user name, decoded.
        password: The password, decoded.
        sslmode: libpq's mode of encryption, or None.
        options: Other options of asyncpg.

    """

    host: str | None
    port: int | None
    database: str | None
    user: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    sslmode: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """Host and port, or the folder of the socket, without credentials."""
        if self._is_socket:
            return str(self.host)
        return f"{bracketed(self.host or 'localhost')}:{self.port or _POSTGRES_PORT}"

    @property
    def _is_socket(self) -> bool:
        return self.host is not None and self.host.startswith("/")

    def asyncpg_url(self) -> str:
        """Return the URL in asyncpg's form."""
        return self._written("postgresql", "sslmode", self.database)

    def sqlalchemy_url(self, database: str | None = None) -> str:
        """Return the URL for SQLAlchemy's asyncpg dialect, for *database*."""
        name = self.database if database is None else database
        return self._written("postgresql+asyncpg", "ssl", name)

    def conceal(self, text: str) -> str:
        """Return *text* without the password."""
        return _without(text, self.password)

    def _written(self, scheme: str, ssl_word: str, database: str | None) -> str:
        query = dict(self.options)
        if self.sslmode is not None:
            query[ssl_word] = self.sslmode
        server = ""
        if self._is_socket:
            query["host"] = str(self.host)
            if self.port is not None:
                query["port"] = str(self.port)
        else:
            port = "" if self.port is None else f":{self.port}"
            server = f"{bracketed(self.host or '')}{port}"
        path = "" if database is None else f"/{quote(database, safe='')}"
        if query and not path:
            path = "/"
        options = f"?{urlencode(query, safe='/')}" if query else ""
        login = _login(self.user, self.password)
        return f"{scheme}://{login}{server}{path}{options}"


def is_postgres(url: str) -> bool:
    """Return whether *url* has the scheme of a PostgreSQL server."""
    return url.partition("://")[0].lower() in _POSTGRES_SCHEMES


def is_sqlite(url: str) -> bool:
    """Return whether *url* has the scheme of a SQLite file."""
    return re.match(r"sqlite(\+\w+)?:", url) is not None


def read_redis(url: str) -> RedisAddress:
    """Parse the *url* of a Redis server.

    Raises:
        ServiceError: The URL is malformed or ambiguous.

    """
    parts = _Parts.of(url, REDIS_VARIABLE)
    if parts.scheme in _UNREADABLE_REDIS_SCHEMES:
        raise _problem(
            REDIS_VARIABLE,
            f"starts with {parts.scheme}://, but the tests inspect what the app sends "
            "to Redis, so they need an unencrypted TCP connection",
            "Begin it with redis://",
        )
    if parts.scheme not in ("redis", "valkey"):
        raise _problem(
            REDIS_VARIABLE, f"starts with {parts.scheme!r}", "Begin it with redis://"
        )
    query = parts.options(_REDIS_OPTIONS)
    number = _number_of_database(query.get("db"), parts.path)
    protocol = query.get("protocol")
    if protocol not in (None, "2", "3"):
        raise _problem(REDIS_VARIABLE, "has a protocol other than 2 and 3")
    return RedisAddress(
        host=parts.host or "localhost",
        port=parts.port or _REDIS_PORT,
        database=number,
        user=parts.either("user", "username", query),
        password=parts.either("password", "password", query),
        protocol=None if protocol is None else int(protocol),
    )


def read_postgres(url: str) -> PostgresAddress:
    """Parse the *url* of a PostgreSQL server.

    Raises:
        ServiceError: The URL is malformed or ambiguous.

    """
    parts = _Parts.of(url, DATABASE_VARIABLE)
    if parts.scheme not in _POSTGRES_SCHEMES:
        raise ServiceError(
            f"{DATABASE_VARIABLE} starts with {parts.scheme!r}. The workshop supports "
            f"sqlite:// and postgresql:// addresses. Correct it, or unset "
            f"{DATABASE_VARIABLE}."
        )
    query = parts.options(_POSTGRES_OPTIONS)
    path = unquote(parts.path.removeprefix("/")) or None
    named = [it for it in (path, query.get("dbname"), query.get("database")) if it]
    ssl = [it for it in (query.get("sslmode"), query.get("ssl")) if it]
    if len(named) > 1 or len(ssl) > 1:
        what = "database" if len(named) > 1 else "SSL mode"
        raise _problem(DATABASE_VARIABLE, f"names the {what} twice")
    port = parts.port
    if "port" in query:
        if port is not None:
            raise _problem(DATABASE_VARIABLE, "names the port twice")
        port = _read_port(query["port"], DATABASE_VARIABLE)
    others = ("passfile", "target_session_attrs")
    return PostgresAddress(
        host=_host_of_postgres(parts, query),
        port=port,
        database=named[0] if named else None,
        user=parts.either("user", "user", query),
        password=parts.either("password", "password", query),
        sslmode=ssl[0] if ssl else None,
        options={name: query[name] for name in others if name in query},
    )


@dataclass(frozen=True)
class _Parts:
    """The parts of a URL. *user*, *password* and *host* are decoded."""

    variable: str
    scheme: str
    user: str | None
    password: str | None
    host: str
    port: int | None
    path: str
    query: str

    @classmethod
    def of(cls, url: str, variable: str) -> _Parts:
        """Parse *url*, the value of *variable*."""
        if any(letter.isspace() or not letter.isprintable() for letter in url):
            raise _problem(variable, "holds a space or a control character", _ESCAPES)
        scheme, mark, rest = url.partition("://")
        if not mark or not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme):
            example = {
                REDIS_VARIABLE: "redis://localhost:6379/9",
                DATABASE_VARIABLE: "postgresql://localhost/postgres",
            }[variable]
            raise _problem(variable, "has no scheme://", f"Write it as in {example}")
        authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
        tail = rest[len(authority) :]
        if "@" in tail:
            raise _problem(
                variable,
                "has an @ after the first /, ? or #",
                _ESCAPES,
            )
        if authority.count("@") > 1:
            raise _problem(variable, "has more than one @", _ESCAPES)
        if "#" in tail:
            raise _problem(variable, "has a # that has no meaning here", _ESCAPES)
        login, at, server = authority.rpartition("@")
        user, colon, password = login.partition(":")
        host, port = _read_server(server, variable)
        path, _, query = tail.partition("?")
        return cls(
            variable=variable,
            scheme=scheme.lower(),
            user=unquote(user) if at and user else None,
            password=unquote(password) if colon and password else None,
            host=host,
            port=port,
            path=path,
            query=query,
        )

    def options(self, known: frozenset[str]) -> dict[str, str]:
        """Return the query as a mapping."""
        pairs = parse_qsl(self.query, keep_blank_values=True)
        names = [name for name, _ in pairs]
        for name in names:
            if name not in known:
                raise _problem(
                    self.variable,
                    "has an option after the ? that the workshop does not know",
                    f"It knows {', '.join(sorted(known))}",
                )
            if names.count(name) > 1:
                raise _problem(self.variable, f"gives the option {name} twice")
        return {name: value for name, value in pairs if value}

    def either(self, part: str, option: str, query: Mapping[str, str]) -> str | None:
        """Return the *part* before the @, or the *option* of the query."""
        before: str | None = getattr(self, part)
        if before is not None and option in query:
            raise _problem(self.variable, f"gives the {option} twice")
        return before if before is not None else query.get(option)


def _read_server(text: str, variable: str) -> tuple[str, int | None]:
    """Return host and port from *text*, the part between the @ and the path."""
    if "," in text:
        raise _problem(variable, "names more than one server", "Name one")
    if text.startswith("["):
        found = re.fullmatch(r"\[([^\[\]]+)\](?::(.*))?", text)
        if found is None or not _is_ipv6(found[1]):
            raise _problem(
                variable,
                "has no valid IPv6 address between [ and ]",
                "Write [::1]:port",
            )
        return found[1], _read_port(found[2], variable)
    if "[" in text or "]" in text:
        raise _problem(variable, "has a [ or ] that is not part of an IPv6 address")
    if text.count(":") > 1:
        raise _problem(
            variable,
            "has more than one colon between // and the next /",
            "Write an IPv6 address in brackets, as in [::1]:port",
        )
    name, _, port = text.partition(":")
    host = unquote(name)
    if not re.fullmatch(r"[\w.-]*|/[\w./-]+", host):
        raise _problem(variable, "has a host that is neither a name nor an IP address")
    return host, _read_port(port, variable)


def _read_port(text: str | None, variable: str) -> int | None:
    if not text:
        return None
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 1 <= int(text) <= _HIGHEST_PORT:
        raise _problem(
            variable,
            "has no valid port: the colon after the host is not followed by a number "
            "from 1 to 65535",
            _ESCAPES,
        )
    return int(text)


def _number_of_database(option: str | None, path: str) -> int | None:
    """Return the database number. Like redis-py, prefer the *option* over the path."""
    text = option if option is not None else unquote(path).strip("/")
    if not text:
        return None
    if not re.fullmatch(r"[0-9]+", text) or int(text) > _HIGHEST_DATABASE:
        raise _problem(
            REDIS_VARIABLE,
            "names a database that is not a number",
            "End it with a number, as in /9, or with the port",
        )
    return int(text)


def _host_of_postgres(parts: _Parts, query: Mapping[str, str]) -> str | None:
    given = query.get("host")
    if given is None:
        return parts.host or None
    if parts.host:
        raise _problem(parts.variable, "names the host twice")
    if given.startswith("/"):
        return given
    host, port = _read_server(given, parts.variable)
    if port is not None:
        raise _problem(parts.variable, "names a port in the option host")
    return host


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def _login(user: str | None, password: str | None) -> str:
    if user is None and password is None:
        return ""
    secret = "" if password is None else f":{quote(password, safe='')}"
    return f"{quote(user or '', safe='')}{secret}@"


def _without(text: str, secret: str | None) -> str:
    if not secret:
        return text
    for spelling in (secret, quote(secret, safe=""), quote(secret)):
        text = text.replace(spelling, "…")
    return text


def _problem(variable: str, what: str, cure: str = "") -> ServiceError:
    """Return the error about *what* is wrong with the value of *variable*."""
    embedded = {
        REDIS_VARIABLE: "an embedded Redis",
        DATABASE_VARIABLE: "SQLite or an embedded PostgreSQL",
    }[variable]
    advice = f"{cure}. " if cure else ""
    return ServiceError(
        f"{variable} {what}. {advice}Correct it, or unset it to use {embedded}."
    )
