"""The room's database: the log, the learners and the board's sessions.

Patterns of lessons 01 (one transaction per unit of work, rolled back on every error)
and 02 (the app's lifespan owns the engine).
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    Uuid,
    delete,
    event,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from workshop.room.retention import KEPT
from workshop.room.server.codes import digest, new_code, new_secret
from workshop.room.server.records import Draft, Record


class _Utc(TypeDecorator[datetime]):
    """A time in UTC. SQLite drops the time zone, so it is added on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value: Any, dialect: Any) -> datetime | None:
        """Return *value* with its time zone."""
        if value is None or value.tzinfo is not None:
            return value  # type: ignore[no-any-return]
        return value.replace(tzinfo=UTC)  # type: ignore[no-any-return]

    def process_bind_param(self, value: datetime | None, dialect: Any) -> Any:
        """Return *value* in UTC."""
        return None if value is None else value.astimezone(UTC)


_METADATA = MetaData()
_TITLE = "Async FastAPI"
_ROOM = Table(
    "room",
    _METADATA,
    Column("id", Integer, primary_key=True),
    Column("title", Text, nullable=False),
    Column("code", String(16), nullable=False),
    Column("secret", String(64), nullable=False),
    # The number of the last record. A transaction that adds records locks this row
    # until it commits, so records become visible in the order of their numbers.
    Column("last_seq", BigInteger, nullable=False),
)
_RECORDS = Table(
    "records",
    _METADATA,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("id", Uuid, nullable=False),
    # All zeros for the instructor: NULLs would not be unique.
    Column("actor", Uuid, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("at", _Utc, nullable=False),
    Column("received", _Utc, nullable=False),
    Column("data", JSON, nullable=False),
    UniqueConstraint("actor", "id"),
    Index("records_by_id", "id"),
)
_LEARNERS = Table(
    "learners",
    _METADATA,
    Column("id", Uuid, primary_key=True),
    Column("token", String(64), nullable=False),
)
_SESSIONS = Table(
    "sessions",
    _METADATA,
    Column("token", String(64), primary_key=True),
    Column("name", Text, nullable=False),
    Column("since", _Utc, nullable=False),
)
_INSTRUCTOR = UUID(int=0)


@dataclass(frozen=True)
class Room:
    """A room: its title, the code for learners, and the secret for the board."""

    title: str
    code: str
    secret: str


class LearnerTakenError(Exception):
    """A learner with this id has joined with another token."""


def database_engine(url: str) -> AsyncEngine:
    """Return an engine for the room's database at *url*.

    SQLite gets write-ahead logging, so that readers do not wait for the writer.
    `synchronous=FULL` is affordable because the writer commits batches.
    """
    if url.startswith("sqlite"):
        engine = create_async_engine(url)

        @event.listens_for(engine.sync_engine, "connect")
        def _prepare(connection: Any, _: Any) -> None:
            cursor = connection.cursor()
            cursor.execute("PRAGMA journal_mode=WAL")
            cursor.execute("PRAGMA synchronous=FULL")
            # Overwrite deleted rows, so that no name remains in the file.
            cursor.execute("PRAGMA secure_delete=ON")
            cursor.execute("PRAGMA busy_timeout=5000")
            cursor.close()

        return engine
    # Replace connections that broke when the database restarted.
    return create_async_engine(url, pool_pre_ping=True, pool_size=5, max_overflow=5)


class Store:
    """The room's database."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncConnection]:
        async with self._engine.begin() as connection:
            yield connection

    async def open(self, title: str = "", *, new_room: bool = False) -> Room:
        """Return the room in this database. Create it if it does not exist.

        It gets this *title*; without one, it keeps its own.

        An old room is deleted first with *new_room*, or if its last record is older
        than `KEPT`.
        """
        async with self._transaction() as connection:
            if connection.dialect.name == "postgresql":
                # Several workers may start at the same time.
                await connection.exec_driver_sql("SELECT pg_advisory_xact_lock(716)")
            await connection.run_sync(_METADATA.create_all)
            if new_room or await self._is_over(connection):
                for table in (_RECORDS, _LEARNERS, _SESSIONS, _ROOM):
                    await connection.execute(delete(table))
            row = (await connection.execute(select(_ROOM))).one_or_none()
            if row is not None:
                if title and title != row.title:
                    await connection.execute(update(_ROOM).values(title=title))
                return Room(title or row.title, row.code, row.secret)
            room = Room(title or _TITLE, new_code(), new_secret())
            await connection.execute(
                insert(_ROOM).values(
                    id=1,
                    title=room.title,
                    code=room.code,
                    secret=room.secret,
                    last_seq=0,
                )
            )
            return room

    async def _is_over(self, connection: AsyncConnection) -> bool:
        query = select(_RECORDS.c.received).order_by(_RECORDS.c.seq.desc()).limit(1)
        last = (await connection.execute(query)).scalar_one_or_none()
        return last is not None and datetime.now(UTC) - last > KEPT

    async def append(self, drafts: Sequence[Draft]) -> Appended:
        """Store each of *drafts* once, all in one transaction.

        Drafts of learners who have left or never joined are not stored.
        """
        actors = {draft.actor for draft in drafts if draft.actor is not None}
        async with self._transaction() as connection:
            last = (
                await connection.execute(
                    update(_ROOM)
                    .values(last_seq=_ROOM.c.last_seq + len(drafts))
                    .returning(_ROOM.c.last_seq)
                )
            ).scalar_one()
            known = await self._known(connection, actors)
            there = await self._stored(connection, [draft.id for draft in drafts])
            rows: dict[tuple[UUID, UUID], dict[str, Any]] = {}
            now = datetime.now(UTC)
            for seq, draft in enumerate(drafts, last - len(drafts) + 1):
                key = (draft.actor or _INSTRUCTOR, draft.id)
                if key not in there and (draft.actor is None or draft.actor in known):
                    rows.setdefault(key, _row(seq, draft, now))
            beating = {
                row["actor"] for row in rows.values() if row["kind"] == "heartbeat"
            }
            if beating:
                # Keep only the last heartbeat of each learner.
                await connection.execute(
                    delete(_RECORDS).where(
                        _RECORDS.c.kind == "heartbeat", _RECORDS.c.actor.in_(beating)
                    )
                )
            if rows:
                await connection.execute(insert(_RECORDS), list(rows.values()))
        new = frozenset(UUID(int=key[1].int) for key in rows)
        return Appended(new, frozenset(actors - known))

    async def _known(
        self, connection: AsyncConnection, actors: Collection[UUID]
    ) -> set[UUID]:
        if not actors:
            return set()
        query = select(_LEARNERS.c.id).where(_LEARNERS.c.id.in_(actors))
        return set((await connection.execute(query)).scalars())

    async def _stored(
        self, connection: AsyncConnection, ids: Collection[UUID]
    ) -> set[tuple[UUID, UUID]]:
        query = select(_RECORDS.c.actor, _RECORDS.c.id).where(_RECORDS.c.id.in_(ids))
        return {(row.actor, row.id) for row in await connection.execute(query)}

    async def read_after(self, seq: int, limit: int = 2_000) -> list[Record]:
        """Return up to *limit* records with numbers above *seq*, in order."""
        query = (
            select(_RECORDS)
            .where(_RECORDS.c.seq > seq)
            .order_by(_RECORDS.c.seq)
            .limit(limit)
        )
        async with self._engine.connect() as connection:
            rows = (await connection.execute(query)).all()
        return [_record(row) for row in rows]

    async def join(self, learner: UUID, token: str, name: str) -> None:
        """Store a learner. Joining again with the same *token* is allowed.

        Raises:
            LearnerTakenError: A learner with another token has this id.

        """
        hashed = digest(token)
        try:
            async with self._transaction() as connection:
                await connection.execute(
                    insert(_LEARNERS).values(id=learner, token=hashed)
                )
        except IntegrityError:
            if await self.token_of(learner) != hashed:
                raise LearnerTakenError from None
        await self.append([Draft("joined", datetime.now(UTC), learner, {"name": name})])

    async def token_of(self, learner: UUID) -> str | None:
        """Return the hash of the learner's token, or None for an unknown learner."""
        query = select(_LEARNERS.c.token).where(_LEARNERS.c.id == learner)
        async with self._engine.connect() as connection:
            return (await connection.execute(query)).scalar_one_or_none()

    async def tokens(self) -> dict[UUID, str]:
        """Return the hashes of all learners' tokens, by learner."""
        async with self._engine.connect() as connection:
            rows = (await connection.execute(select(_LEARNERS))).all()
        return {row.id: row.token for row in rows}

    async def forget(self, learner: UUID) -> None:
        """Delete all rows of *learner*, and add a `left` record without the name."""
        left = Draft("left", datetime.now(UTC), learner)
        async with self._transaction() as connection:
            seq = (
                await connection.execute(
                    update(_ROOM)
                    .values(last_seq=_ROOM.c.last_seq + 1)
                    .returning(_ROOM.c.last_seq)
                )
            ).scalar_one()
            await connection.execute(
                delete(_RECORDS).where(_RECORDS.c.actor == learner)
            )
            await connection.execute(delete(_LEARNERS).where(_LEARNERS.c.id == learner))
            await connection.execute(
                insert(_RECORDS).values(_row(seq, left, datetime.now(UTC)))
            )

    async def forget_everybody(self) -> None:
        """Delete all learners, all records, and the sessions of the board.

        `left` records, which contain no names, remain so that a running server removes
        the learners from its board.
        """
        for learner in await self.tokens():
            await self.forget(learner)
        async with self._transaction() as connection:
            await connection.execute(delete(_RECORDS).where(_RECORDS.c.kind != "left"))
            await connection.execute(delete(_SESSIONS))

    async def open_session(self, token: str, name: str) -> None:
        """Store a session of the board: its *token* and the *name* of its user."""
        async with self._transaction() as connection:
            await connection.execute(
                insert(_SESSIONS).values(
                    token=digest(token), name=name, since=datetime.now(UTC)
                )
            )

    async def name_of_session(self, token: str) -> str | None:
        """Return the name in the session with *token*, or None if there is none."""
        query = select(_SESSIONS.c.name).where(_SESSIONS.c.token == digest(token))
        async with self._engine.connect() as connection:
            return (await connection.execute(query)).scalar_one_or_none()


@dataclass(frozen=True)
class Appended:
    """The ids of the drafts that were stored now, and the unknown learners."""

    new: frozenset[UUID]
    strangers: frozenset[UUID]


def new_token() -> str:
    """Return a random token of 43 characters."""
    return secrets.token_urlsafe(32)


def _row(seq: int, draft: Draft, now: datetime) -> dict[str, Any]:
    return {
        "seq": seq,
        "id": draft.id,
        "actor": draft.actor or _INSTRUCTOR,
        "kind": draft.kind,
        "at": draft.at,
        "received": now,
        "data": draft.data,
    }


def _record(row: Any) -> Record:
    actor = None if row.actor == _INSTRUCTOR else row.actor
    return Record(
        kind=row.kind,
        at=row.at,
        actor=actor,
        data=row.data,
        id=row.id,
        seq=row.seq,
        received=row.received,
    )
