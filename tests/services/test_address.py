"""One reading of an address, for deciding and for acting."""

from typing import Any

import pytest
from redis.connection import parse_url

from workshop.services import ServiceError
from workshop.services.address import read_postgres, read_redis


def sent_by_redis_py(url: str) -> dict[str, Any]:
    """Return redis-py's reading of *url*."""
    found: dict[str, Any] = parse_url(url)  # type: ignore[no-untyped-call]
    return found


@pytest.mark.parametrize(
    ("given", "number"),
    [
        ("redis://localhost", None),
        ("redis://localhost/", None),
        ("redis:///4", 4),
        ("redis://localhost/3", 3),
        ("redis://localhost/3/", 3),
        ("redis://localhost/007", 7),
        ("redis://localhost/%33", 3),
        ("redis://localhost?db=3", 3),
        ("redis://localhost/?db=3", 3),
        ("redis://localhost/0?db=5", 5),
        ("redis://localhost/0?db=", 0),
        ("redis://me:secret@localhost:6380/3?protocol=3", 3),
        ("redis://:p%2Fa%23s%40s%3F@[::1]:6380?db=3", 3),
        ("redis://localhost?username=me&password=a%25b&db=2", 2),
        ("REDIS://localhost/3", 3),
    ],
)
def test_redis_py_uses_the_parsed_database(given: str, number: int | None) -> None:
    address = read_redis(given)

    assert address.database == number
    assert sent_by_redis_py(address.url()).get("db") == number
    assert sent_by_redis_py(address.at(9).url())["db"] == 9
    assert read_redis(address.url()) == address


@pytest.mark.parametrize(
    "given",
    [
        "redis://me:p%2Fa%23s%40s%3F%3A%25@host/1",
        "redis://host/1?username=me&password=p/a%23s%40s?:%25",
    ],
)
def test_a_password_survives_any_escaping(given: str) -> None:
    sent = sent_by_redis_py(read_redis(given).url())

    assert (sent["username"], sent["password"]) == ("me", "p/a#s@s?:%")


# Each holds "hunter" or "2fast" where somebody has put a password.
MALFORMED = [
    "{}://me:hunter/2fast@host/0",
    "{}://me:hunter?2fast@host/0",
    "{}://me:hunter#2fast@host/0",
    "{}://me:hunter@2fast@host/0",
    "{}://me:hunter 2fast@host/0",
    "{}://me:hunter#2fast",
    "{}://:hunter/2fast",
    "{}://me:hunter2fast",
    "{}://host:hunter/0",
    "{}://host:0/0",
    "{}://host:65536/0",
    "{}://host:1:2/0",
    "{}://[::1/0",
    "{}://::1]/0",
    "{}://[hunter]/0",
    "{}://me:hunter@[2fast@host/0",
    "{}://host/0#hunter",
    "{}://host/0?hunter=2fast",
    "{}://host,hunter:1/0",
    "{}://ho<hunter>st/0",
    "{}:/hunter",
    "{}:hunter@2fast",
    "me:hunter@2fast:{}",
    "hunter",
    "://hunter",
    "{}://host/a b",
    "{}://host/\thunter",
]


@pytest.mark.parametrize("form", MALFORMED)
def test_an_invalid_url_is_an_error_that_quotes_no_part_of_it(form: str) -> None:
    for read, scheme, variable in (
        (read_redis, "redis", "WORKSHOP_REDIS_URL"),
        (read_postgres, "postgresql", "WORKSHOP_DATABASE_URL"),
    ):
        with pytest.raises(ServiceError) as failure:
            read(form.format(scheme))

        assert variable in str(failure.value)
        assert "hunter" not in str(failure.value)
        assert "2fast" not in str(failure.value)
        assert failure.value.__cause__ is None


@pytest.mark.parametrize(
    "given",
    [
        *(
            "redis://host/nine",
            "redis://host/-1",
            "redis://host/1_0",
            "redis://host/1/2",
        ),
        *("redis://host/+3", "redis://host?db=nine", "redis://host/9999999999"),
        *("redis://host?db=1&db=2", "redis://a:b@host?password=c"),
        *("redis://host?protocol=4", "redis://host?decode_responses=True"),
        *("rediss://host/3", "unix:///run/redis.sock?db=3", "http://host/3"),
    ],
)
def test_an_ambiguous_redis_url_is_an_error(given: str) -> None:
    with pytest.raises(ServiceError, match="WORKSHOP_REDIS_URL"):
        read_redis(given)


@pytest.mark.parametrize(
    "given",
    [
        *("postgresql://host/a?dbname=b", "postgresql://host/a?database=b"),
        *("postgresql://host/a?host=other", "postgresql://one:1,two:2/a"),
        *("postgresql://host:1/a?port=2", "postgresql://host/a?sslmode=a&ssl=b"),
        *("postgresql://host/a?application_name=x", "mysql://host/a"),
    ],
)
def test_an_ambiguous_postgresql_url_is_an_error(given: str) -> None:
    with pytest.raises(ServiceError, match="WORKSHOP_DATABASE_URL"):
        read_postgres(given)


@pytest.mark.parametrize(
    "given",
    [
        "postgresql://me:p%2Fw@host:6543/mine?sslmode=require",
        "postgres://host:6543?dbname=mine&user=me&password=p/w&ssl=require",
        "postgresql+asyncpg:///?host=host&port=6543&database=mine"
        "&user=me&password=p%2Fw&ssl=require",
    ],
)
def test_sqlalchemy_gets_the_tests_database_not_the_users(given: str) -> None:
    pytest.importorskip("asyncpg", reason="the extra `postgres` is not installed")
    from sqlalchemy.dialects.postgresql.asyncpg import dialect
    from sqlalchemy.engine import make_url

    address = read_postgres(given)
    url = make_url(address.sqlalchemy_url("workshop_1"))
    _, sent = dialect().create_connect_args(url)  # type: ignore[no-untyped-call]

    assert sent == {
        "host": "host",
        "port": 6543,
        "database": "workshop_1",
        "user": "me",
        "password": "p/w",
        "ssl": "require",
    }
    assert address.place == "host:6543"


@pytest.mark.parametrize(
    "given",
    [
        "postgresql:///mine?host=/run/a b",
        "postgresql://%2Frun%2Fpg/mine",
        "postgresql://[::1]:6543/my%20db",
        "postgresql://",
    ],
)
def test_a_written_url_parses_to_the_same_address(given: str) -> None:
    address = read_postgres(given.replace(" ", "%20"))

    assert read_postgres(address.asyncpg_url()) == address
    assert read_postgres(address.sqlalchemy_url()) == address


def test_passwords_in_library_messages_are_hidden() -> None:
    address = read_postgres("postgresql://me:p%2Fw@host/mine")

    assert "p/w" not in address.conceal("cannot log in with p/w")
    assert "p%2Fw" not in address.conceal("cannot reach me:p%2Fw@host")
    assert "p/w" not in repr(address)
