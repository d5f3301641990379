"""Choose the database that the lessons use."""

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
    """Provide the chosen database server, and start it if it is an embedded one.

    Without a *choice*, use the server that `WORKSHOP_DATABASE_URL` names, or else
    SQLite. With `"postgres"`, use the server in that variable if it is a PostgreSQL, or
    else the embedded one, which stops at the end of the block. SQLite has no server:
    each test creates its own file, regardless of the file that the URL names.

    Raises:
        ServiceError: The database is not available; the message says what to do.

    """
    given = os.environ.get(VARIABLE, "").strip()
    if given and not is_sqlite(given):
        read_postgres(given)
    if choice == "postgres" or (choice is None and is_postgres(given)):
        with postgres_server(given if is_postgres(given) else None) as service:
            yield service
    else:
        yield Service("sqlite+aiosqlite://", "sqlite", "SQLite, a file for each test")
