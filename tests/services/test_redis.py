"""The embedded Valkey, and one's own Redis."""

import contextlib
import secrets
from collections.abc import Iterator
from urllib.parse import urlsplit

import psutil
import pytest
import redis

from tests.services.owner import killed_owner
from workshop.services import Service, ServiceError, redis_server
from workshop.services.claim import MARKER
from workshop.services.keeper import kept
from workshop.testing.services.redis import empty_redis

VARIABLE = "WORKSHOP_REDIS_URL"
HANDED_OVER = "WORKSHOP_REDIS_CLAIM"

Contents = dict[int, dict[bytes, bytes | None]]


@pytest.fixture(scope="module")
def server() -> Iterator[Service]:
    """A server without markers, as a user would have started it."""
    with kept("redis") as service:
        yield service


@pytest.fixture
def own(server: Service, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL, without a number, of a Redis that other programs also use."""
    parts = urlsplit(server.url)
    url = f"redis://{parts.netloc}"
    monkeypatch.setenv(VARIABLE, url)
    monkeypatch.delenv(HANDED_OVER, raising=False)
    yield url
    with redis.Redis.from_url(url) as client:
        client.flushall()


def keep(url: str, *numbers: int) -> None:
    """Put foreign keys into databases."""
    for number in numbers:
        with redis.Redis.from_url(f"{url}/{number}") as client:
            client.set("somebody's", "key")
            client.hset("somebody's hash", "field", f"value {number}")


def contents(url: str) -> Contents:
    """Return the complete content of a server."""
    held = {}
    for number in range(16):
        with redis.Redis.from_url(f"{url}/{number}") as client:
            held[number] = {key: client.dump(key) for key in client.keys("*")}
    return held


def number_of(service: Service) -> int:
    """Return the number of the database that was claimed."""
    return int(urlsplit(service.url).path.strip("/"))


def test_the_embedded_server_responds(server: Service) -> None:
    with redis.Redis.from_url(server.url) as client:
        assert client.ping()
        assert client.eval("return 42", 0) == 42
    assert server.description.startswith(("embedded Valkey", "imitation"))


async def test_an_app_sees_an_empty_database_on_the_embedded_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    with redis_server() as service:
        async with empty_redis(service) as lab:
            await lab.admin.set("left", "behind")
        async with empty_redis(service):
            with redis.Redis.from_url(service.url) as app:
                assert app.dbsize() == 0


def test_the_highest_empty_database_of_the_learners_server_is_used(own: str) -> None:
    keep(own, 15)
    with redis_server() as service:
        assert service.url == f"{own}/14"
        assert service.description.endswith("database 14")


@pytest.mark.parametrize("ending", ["/3", "/3/", "/003", "?db=3", "/0?db=3", "/%33"])
async def test_only_the_named_database_is_touched(
    own: str, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(own, *(number for number in range(16) if number != 3))
    before = contents(own)
    monkeypatch.setenv(VARIABLE, f"{own}{ending}")
    with redis_server() as service:
        async with empty_redis(service) as lab:
            with redis.Redis.from_url(lab.url) as app:
                app.set("seats:2", "A1")
            assert await lab.keys() == ["seats:2"]
            await lab.admin.flushdb()
            assert await lab.keys() == []

    assert number_of(service) == 3
    assert contents(own) == before


@pytest.mark.parametrize(
    "ending", ["/3", "/3/", "/003", "?db=3", "/0?db=3", "/3#workshop", "?db=3#workshop"]
)
def test_a_database_with_keys_is_refused_and_keeps_them(
    own: str, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(own, 3)
    before = contents(own)
    monkeypatch.setenv(VARIABLE, f"{own}{ending}")
    with pytest.raises(ServiceError), redis_server():
        pytest.fail("it would be emptied")

    assert contents(own) == before


def test_a_database_with_keys_is_named_in_the_error(
    own: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(own, 3)
    monkeypatch.setenv(VARIABLE, f"{own}/3")
    with (
        pytest.raises(ServiceError, match=r"^Database 3 of your Redis.*holds keys"),
        redis_server(),
    ):
        pytest.fail("it would be emptied")


def test_a_redis_without_an_empty_database_is_refused(own: str) -> None:
    keep(own, *range(16))
    before = contents(own)
    with (
        pytest.raises(ServiceError, match=r"^Every database of your Redis"),
        redis_server(),
    ):
        pytest.fail("it would be emptied")

    assert contents(own) == before


async def test_each_run_on_one_server_has_its_own_database(own: str) -> None:
    before = contents(own)
    with redis_server() as one, redis_server() as other:
        async with empty_redis(one) as first, empty_redis(other) as second:
            await first.admin.set("of", "one")
            await second.admin.flushdb()
            assert (await first.keys(), await second.keys()) == (["of"], [])
        assert number_of(one) != number_of(other)

    assert contents(own) == before


def test_a_named_database_in_use_by_another_run_is_refused(
    own: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, f"{own}/3")
    with (
        redis_server(),
        pytest.raises(ServiceError, match=r"^Database 3 .* another run"),
        redis_server(),
    ):
        pytest.fail("they would empty each other's database")


def test_the_database_of_a_killed_run_is_cleared_and_reused(
    own: str,
) -> None:
    left_behind = (
        "__import__('redis').Redis.from_url(service.url).set('left', 'behind')"
    )
    url, _ = killed_owner("redis_server()", left_behind, **{VARIABLE: own})
    with redis.Redis.from_url(url) as client:
        assert client.exists("left", MARKER) == 2
    with redis_server() as service:
        assert service.url == url
        with redis.Redis.from_url(url) as client:
            assert client.keys("*") == [MARKER.encode()]

    assert not any(contents(own).values())


def test_a_foreign_key_with_the_markers_name_is_not_a_claim(
    own: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with redis.Redis.from_url(f"{own}/3") as client:
        client.set(MARKER, "workshop of mine")
    with redis.Redis.from_url(f"{own}/4") as client:
        client.hset(MARKER, "workshop", "of mine")
    before = contents(own)
    for number in (3, 4):
        monkeypatch.setenv(VARIABLE, f"{own}/{number}")
        with pytest.raises(ServiceError), redis_server():
            pytest.fail("it would be emptied")

    assert contents(own) == before


async def test_a_process_with_the_claim_may_use_a_database_with_keys(
    own: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A killed test may have left keys, which belong to the claim."""
    with redis_server() as service:
        with redis.Redis.from_url(service.url) as app:
            app.set("left", "behind")
        monkeypatch.setenv(VARIABLE, service.url)
        monkeypatch.setenv(HANDED_OVER, service.claim)
        with redis_server() as handed_over:
            assert handed_over.url == service.url
            async with empty_redis(handed_over) as lab:
                assert await lab.keys() == []


@pytest.mark.parametrize("claim", ["3 3", "3 9", "9 3"])
async def test_a_forged_claim_empties_nothing(
    own: str, claim: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(own, 3)
    monkeypatch.setenv(VARIABLE, f"{own}/3")
    monkeypatch.setenv(HANDED_OVER, f"{claim} workshop {secrets.token_hex(16)} x")
    before = contents(own)
    with redis_server() as service, pytest.raises(ServiceError):
        async with empty_redis(service):
            pytest.fail("it would be emptied")

    assert contents(own) == before


async def test_keys_added_after_the_marker_was_lost_stay(own: str) -> None:
    """Another client has cleared the database during a run and now uses it."""
    with redis_server() as service:
        number = number_of(service)
        async with empty_redis(service) as lab:
            with redis.Redis.from_url(service.url) as somebody:
                somebody.flushdb()
            keep(own, number)
            before = contents(own)
            with pytest.raises(ServiceError, match="nothing was deleted"):
                await lab.admin.flushdb()
            with redis.Redis.from_url(service.url) as somebody:
                held = somebody.dump("somebody's")
                somebody.delete("somebody's", "somebody's hash")

    assert before[number][b"somebody's"] == held


async def test_an_app_that_empties_its_database_does_not_end_the_run(own: str) -> None:
    with redis_server() as service:
        async with empty_redis(service):
            with redis.Redis.from_url(service.url) as app:
                app.flushdb()
        async with empty_redis(service) as lab:
            assert await lab.keys() == []

    assert not any(contents(own).values())


@pytest.mark.parametrize("forbidden", ["eval", "flushdb", "subscribe", "dbsize"])
def test_missing_permissions_are_reported(
    own: str, forbidden: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with redis.Redis.from_url(own) as client:
        with contextlib.suppress(redis.ResponseError):
            client.acl_setuser(
                "learner",
                enabled=True,
                passwords=["+hunter2"],
                keys=["*"],
                channels=["*"],
                categories=["+@all"],
                commands=[f"-{forbidden}"],
            )
        if "learner" not in str(client.execute_command("ACL", "LIST")):
            pytest.skip("an imitation has no users")
    monkeypatch.setenv(VARIABLE, own.replace("redis://", "redis://learner:hunter2@"))
    with pytest.raises(ServiceError) as failure, redis_server():
        pytest.fail("it may not")

    assert forbidden in str(failure.value).lower() or "ACL" in str(failure.value)
    assert "hunter2" not in str(failure.value)
    assert not any(contents(own).values())


def test_a_database_number_out_of_range_is_reported(
    own: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, f"{own}/99999")
    with pytest.raises(ServiceError, match="out of range"), redis_server():
        pytest.fail("there is no such database")


def test_an_unreachable_server_is_reported_without_its_password(
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
