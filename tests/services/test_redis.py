"""The embedded Valkey, and one's own Redis."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import psutil
import pytest
import redis

from tests.services.owner import killed_owner
from workshop.services import Service, ServiceError, redis_server
from workshop.services.redis import plain_url

VARIABLE = "WORKSHOP_REDIS_URL"


@pytest.fixture(scope="module")
def server() -> Iterator[Service]:
    """An embedded server; for some of these tests it plays one's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(VARIABLE, raising=False)
        with redis_server() as service:
            yield service


@pytest.fixture
def own(server: Service, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a Redis that somebody else also uses, without a number."""
    parts = urlsplit(server.url)
    url = f"redis://{parts.netloc}"
    monkeypatch.setenv(VARIABLE, url)
    yield url
    with redis.Redis.from_url(url) as client:
        client.flushall()


def keep(url: str, number: int) -> None:
    """Put somebody's key into a database."""
    with redis.Redis.from_url(f"{url}/{number}") as client:
        client.set("somebody's", "key")


def test_the_embedded_one_answers(server: Service) -> None:
    with redis.Redis.from_url(plain_url(server.url)) as client:
        assert client.ping()
        assert client.eval("return 42", 0) == 42
    assert server.description.startswith(("embedded Valkey", "imitation"))


def test_of_ones_own_the_highest_empty_database_is_taken(own: str) -> None:
    keep(own, 15)
    with redis_server() as service:
        assert plain_url(service.url) == f"{own}/14"
        assert service.description.endswith("database 14")


def test_a_number_in_the_address_is_obeyed(
    own: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, f"{own}/3")
    with redis_server() as service:
        assert plain_url(service.url) == f"{own}/3"


def test_a_database_that_holds_keys_is_refused_and_they_stay(
    own: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(own, 3)
    monkeypatch.setenv(VARIABLE, f"{own}/3")
    with (
        pytest.raises(ServiceError, match=r"^Database 3 of your Redis.*holds keys"),
        redis_server(),
    ):
        pytest.fail("it would be emptied")

    with redis.Redis.from_url(f"{own}/3") as client:
        assert client.dbsize() == 1


def test_a_redis_without_an_empty_database_is_refused(own: str) -> None:
    for number in range(16):
        keep(own, number)
    with (
        pytest.raises(ServiceError, match=r"^Every database of your Redis"),
        redis_server(),
    ):
        pytest.fail("it would be emptied")


def test_a_process_that_was_handed_the_database_need_not_find_it_empty(
    own: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A test that was killed half-way may have left keys, which are ours."""
    with redis_server() as service:
        monkeypatch.setenv(VARIABLE, service.url)
        keep(own, 15)
        with redis_server() as handed_over:
            assert handed_over.url == service.url


def test_one_that_does_not_answer_is_said_without_its_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(VARIABLE, "redis://:secret@127.0.0.1:1")
    with pytest.raises(ServiceError) as failure, redis_server():
        pytest.fail("nobody listens there")

    assert "Redis at 127.0.0.1:1 cannot be used" in str(failure.value)
    assert "secret" not in str(failure.value)


def test_it_ends_when_its_owner_is_killed() -> None:
    _, family = killed_owner("redis_server()")
    _, alive = psutil.wait_procs(family, timeout=15)

    assert len(family) >= 1
    assert alive == []
