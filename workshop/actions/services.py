"""Start the services that a lesson needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from workshop.lesson import Lesson

if TYPE_CHECKING:
    from workshop.services import Service

Choice = Literal["sqlite", "postgres"]


@contextmanager
def services_for_tests(
    lesson: Lesson, database: Choice | None, *, say: Callable[[str], None]
) -> Iterator[dict[str, str]]:
    """Yield the environment that tells *lesson*'s tests which services to use.

    The services run for the duration of the block. *say* gets their descriptions.

    Raises:
        ServiceError: A service is not available.
    """
    with ExitStack() as stack:
        environment = {}
        for variable, service in _services(lesson, database, stack, say):
            say(f"Service: {service.description}")
            # Empty means: no server, a SQLite file for each test.
            environment[variable] = "" if service.kind == "sqlite" else service.url
            environment[_claim(variable)] = service.claim
        yield environment


@contextmanager
def services_for_app(
    lesson: Lesson,
    database: Choice | None,
    folder: Path,
    *,
    say: Callable[[str], None],
) -> Iterator[dict[str, str]]:
    """Yield the environment in which *lesson*'s app is served by hand.

    A SQLite file is created in *folder*; a database on a PostgreSQL server is created
    for the duration of the block.
    """
    with ExitStack() as stack:
        environment = {}
        for variable, service in _services(lesson, database, stack, say):
            name = variable.removeprefix("WORKSHOP_")
            if service.kind == "sqlite":
                file = (folder / "box_office.db").as_posix()
                environment[name] = f"sqlite+aiosqlite:///{file}"
                say("Service: SQLite, a new file for each start")
                continue
            say(f"Service: {service.description}")
            url = service.url
            if service.kind == "postgres":
                from anyio.from_thread import start_blocking_portal

                from workshop.services.postgres import fresh_postgres_database

                portal = stack.enter_context(start_blocking_portal())
                fresh = fresh_postgres_database(url, service.claim)
                made = portal.wrap_async_context_manager(fresh)
                url = stack.enter_context(made)
            environment[name] = url
            environment[_claim(variable)] = service.claim
        yield environment


def _services(
    lesson: Lesson,
    database: Choice | None,
    stack: ExitStack,
    say: Callable[[str], None],
) -> Iterator[tuple[str, Service]]:
    """Start the services that the fixtures of the lesson's tests ask for."""
    if "database" in lesson.fixtures:
        from workshop.services import database_server

        server = stack.enter_context(database_server(database))
        if server.kind == "postgres":
            from workshop.services.postgres import call, drop_leftovers

            call(server.url)
            if server.claim:
                # A killed test could not drop its own database.
                stack.callback(drop_leftovers, server.url, server.claim)
        yield "WORKSHOP_DATABASE_URL", server
    elif database is not None:
        say(f"Lesson {lesson.number} uses no database, so --database changes nothing.")
    if "redis" in lesson.fixtures:
        from workshop.services import redis_server

        yield "WORKSHOP_REDIS_URL", stack.enter_context(redis_server())


def _claim(variable: str) -> str:
    """Return the variable that passes on the claim of the service in *variable*."""
    return variable.replace("_URL", "_CLAIM")
