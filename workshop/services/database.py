"""Which database the lessons use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from workshop.services.address import DATABASE_VARIABLE as VARIABLE
from workshop.services.address import is_postgres, is_sqlite, read_postgres
from workshop.services.postgres import postgres_server
from workshop.services.service import Service


@contextmanager
def database_server(
    choice: Literal["sqlite", "postgres"] | None = None,
) -> Iterator[Service]:
    """Give the database server to use, started if it is an embedded one.

    Without a *choice* it is the one that ``WORKSHOP_DATABASE_URL`` names, else
    SQLite. ``"postgres"`` is the one in the environment if that is a PostgreSQL, else
    the embedded one, which ends with the block. For SQLite there is no server: every
    test makes a file of its own, whatever file the URL names.

    Raises:
        ServiceError: when the choice cannot be had, and what to do about it.

    """
    given = os.environ.get(VARIABLE, "").strip()
    if given and not is_sqlite(given):
        read_postgres(given)
    if choice == "postgres" or (choice is None and is_postgres(given)):
        with postgres_server(given if is_postgres(given) else None) as service:
            yield service
    else:
        yield Service("sqlite+aiosqlite://", "sqlite", "SQLite, a file for each test")
