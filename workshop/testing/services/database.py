"""A fresh database for each test, and a second connection that looks into it."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from workshop.testing.services.pool import PoolCounters
from workshop.testing.time.limits import LIMIT_SECONDS

Row = Mapping[str, Any]


class Witness(Protocol):
    """A connection of its own, which sees only committed rows."""

    async def run(self, sql: str, args: tuple[Any, ...]) -> list[Row]:
        """Run one statement, commit it, return its rows."""

    def words(self, error: Exception) -> str | None:
        """Return what *error* means when it is about a missing table, else None."""


# A trigger fails in the database, so it does not matter how the app talks to it. SQLite
# reports RAISE as a violated constraint, but a wrong path as an error of its own.
_FAILING = {
    "sqlite": [
        f"CREATE TRIGGER workshop_{event} BEFORE {event} ON {{table}} "
        "BEGIN SELECT json_extract('{{}}', 'disk is full'); END"
        for event in ("insert", "update")
    ],
    "postgres": [
        "CREATE FUNCTION workshop_disk_is_full() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'disk is full' USING ERRCODE = '53100'; END $$",
        "CREATE TRIGGER workshop_write BEFORE INSERT OR UPDATE ON {table} "
        "FOR EACH ROW EXECUTE FUNCTION workshop_disk_is_full()",
    ],
}
_WORKING = {
    "sqlite": ["DROP TRIGGER workshop_insert", "DROP TRIGGER workshop_update"],
    "postgres": [
        "DROP TRIGGER workshop_write ON {table}",
        "DROP FUNCTION workshop_disk_is_full()",
    ],
}


_ACTIVITY = """
SELECT state, query, coalesce(wait_event_type, '') AS waits_for,
    (SELECT count(*) FROM pg_locks WHERE pg_locks.pid = pg_stat_activity.pid) AS locks
FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND state IS NOT NULL
ORDER BY pid
"""


@dataclass(frozen=True)
class Activity:
    """What PostgreSQL does for one connection.

    Attributes:
        state: `"active"` while a statement runs, `"idle"`, `"idle in transaction"`, or
            another value of `pg_stat_activity.state`.
        query: the statement that runs, or the last one.
        waits_for: `"Lock"` while it waits for another transaction, another type of
            `pg_stat_activity.wait_event_type`, or `""`.
        locks: how many locks it holds or waits for.

    """

    state: str
    query: str
    waits_for: str
    locks: int


class Database:
    """A database that only this test uses.

    `fetch` reads through a connection of its own, outside SQLAlchemy, so it sees what a
    second customer would see: no uncommitted rows.

    Attributes:
        url: the address, in SQLAlchemy's form; also in `DATABASE_URL`.
        kind: `"sqlite"` or `"postgres"`.

    """

    def __init__(
        self, url: str, kind: str, witness: Witness, counters: PoolCounters
    ) -> None:
        """Wrap *witness*. Use the `database` fixture instead."""
        self.url = url
        self.kind = kind
        self._witness = witness
        self._counters = counters

    @property
    def checkouts(self) -> int:
        """How often the app took a connection from any pool."""
        return self._counters.checkouts

    @property
    def checkins(self) -> int:
        """How often the app gave one back. Those that were collected do not count."""
        return self._counters.checkins

    @property
    def out(self) -> int:
        """How many connections the app has taken and not given back."""
        return self._counters.out

    @property
    def connections_open(self) -> int:
        """How many connections the app's pools hold open, in use or idle."""
        return self._counters.connections_open

    async def fetch(self, sql: str, *args: Any) -> list[Row]:
        """Return the committed rows that *sql* finds. Parameters are written `?`.

        Raises:
            AssertionError: if there is no such table (yet).

        """
        try:
            return await self._witness.run(sql, args)
        except Exception as exc:
            words = self._witness.words(exc)
            if words is None:
                raise
            raise AssertionError(words) from exc

    async def execute(self, sql: str, *args: Any) -> None:
        """Run *sql* and commit it. Parameters are written `?`."""
        await self.fetch(sql, *args)

    async def activity(self) -> list[Activity]:
        """Return what PostgreSQL does for each connection to this database.

        The pool's counters tell what the app believes; this is what the server does.
        The connection that looks is left out.

        Raises:
            ValueError: if the database is SQLite, which has no server.

        """
        if self.kind != "postgres":
            raise ValueError("SQLite has no server that could report an activity.")
        return [Activity(**row) for row in await self.fetch(_ACTIVITY)]

    @asynccontextmanager
    async def failing_writes(self, table: str) -> AsyncIterator[None]:
        """Make the database itself refuse every insert and update of *table*.

        The app gets an `OperationalError`, or what its driver has for a server's own
        error, whichever library and driver it uses, in any thread. Reading still works.
        """
        name = _quoted(table)
        for statement in _FAILING[self.kind]:
            await self.execute(statement.format(table=name))
        try:
            yield
        finally:
            for statement in _WORKING[self.kind]:
                await self.execute(statement.format(table=name))

    async def count(self, table: str, **where: Any) -> int:
        """Return how many committed rows *table* has with these values."""
        sql = f"SELECT count(*) AS n FROM {_quoted(table)}"  # noqa: S608 -- quoted
        if where:
            sql += " WHERE " + " AND ".join(f"{_quoted(name)} = ?" for name in where)
        rows = await self.fetch(sql, *where.values())
        return int(rows[0]["n"])


class SqliteWitness:
    """The standard library's sqlite3, on a connection of its own for each statement."""

    def __init__(self, file: Path) -> None:
        """Look at *file*."""
        self._file = file

    async def run(self, sql: str, args: tuple[Any, ...]) -> list[Row]:
        """Run one statement, at once if possible.

        A thread would let the loop go on meanwhile, and find what the app has committed
        since it was asked. Only a statement that has to wait for the app's lock runs
        in one.
        """
        try:
            return self._run(sql, args, 0)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
        return await asyncio.to_thread(self._run, sql, args, LIMIT_SECONDS)

    def words(self, error: Exception) -> str | None:
        """Return what a missing table means."""
        missing = re.match(r"no such table: (\w+)", str(error))
        return _no_table(missing[1]) if missing else None

    def _run(self, sql: str, args: tuple[Any, ...], seconds: float) -> list[Row]:
        connection = sqlite3.connect(self._file, timeout=seconds, isolation_level=None)
        with contextlib.closing(connection):
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(sql, args).fetchall()]


class PostgresWitness:
    """asyncpg, on one connection of its own."""

    def __init__(self, connection: Any) -> None:
        """Look through *connection*."""
        self._connection = connection
        self._lock = asyncio.Lock()

    async def run(self, sql: str, args: tuple[Any, ...]) -> list[Row]:
        """Run one statement."""
        async with self._lock:
            rows = await self._connection.fetch(_numbered(sql), *args)
        return [dict(row) for row in rows]

    def words(self, error: Exception) -> str | None:
        """Return what a missing table means."""
        missing = re.match(r'relation "([^"]+)" does not exist', str(error))
        return _no_table(missing[1]) if missing else None


@asynccontextmanager
async def fresh_database(
    server_url: str, folder: Path, claim: str = ""
) -> AsyncIterator[Database]:
    """Create a database for one test and remove it afterwards.

    For a SQLite *server_url* it is a new file in *folder*. For a PostgreSQL one it is a
    new database on that server, called `workshop_…`. *claim* names the run that owns
    it.

    Raises:
        ServiceError: if the server cannot be reached, or allows no new database.

    """
    from workshop.testing.services.pool import counted_pools

    with counted_pools() as counters:
        if server_url.startswith("sqlite"):
            file = folder / "box_office.db"
            url = f"sqlite+aiosqlite:///{file.as_posix()}"
            yield Database(url, "sqlite", SqliteWitness(file), counters)
            return
        from workshop.services.postgres import connected, fresh_postgres_database

        async with (
            fresh_postgres_database(server_url, claim) as url,
            connected(url) as connection,
        ):
            witness = PostgresWitness(connection)
            yield Database(url, "postgres", witness, counters)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _numbered(sql: str) -> str:
    """Write parameters as PostgreSQL does: `?, ?` becomes `$1, $2`."""
    numbers = iter(range(1, sql.count("?") + 1))
    pieces = re.split(r"('(?:[^']|'')*')", sql)  # what is quoted stays as it is
    return "".join(
        piece
        if piece.startswith("'")
        else re.sub(r"\?", lambda _: f"${next(numbers)}", piece)
        for piece in pieces
    )


def _no_table(name: str) -> str:
    return (
        f"The database has no table {name!r}. The app's start-up makes the tables; "
        "did it run, and in the database that DATABASE_URL names?"
    )
