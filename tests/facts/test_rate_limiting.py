"""Whose address a request has, what decorators do to endpoints, how Redis counts."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from fastapi import Depends, FastAPI, HTTPException, Request
from redis.asyncio import Redis
from uvicorn import Config
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from tests.facts import fact
from workshop.testing import RedisServer, exchange

ADDRESSES = "the customer's address"
DECORATORS = "decorators and dependencies"
COUNTING = "limits and counts"

FORGED, REAL, CACHE, BALANCER = "6.6.6.6", "1.2.3.4", "10.0.0.2", "10.0.0.1"


def who() -> FastAPI:
    app = FastAPI()

    @app.get("/")
    async def address(request: Request) -> str:
        assert request.client is not None
        return request.client.host

    return app


def behind_proxies(trusted_hosts: list[str] | str) -> ProxyHeadersMiddleware:
    app: Any = who()
    return ProxyHeadersMiddleware(app, trusted_hosts)


async def told(app: Any, forwarded: str, peer: str) -> object:
    headers = {"x-forwarded-for": forwarded}
    call = exchange(app, "GET", "/", headers=headers, client=(peer, 50_000))
    await call.finished()
    return call.json()


async def answer(app: FastAPI, method: str, path: str) -> httpx2.Response:
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://x") as client:
        return await client.request(method, path)


@fact("uvicorn", topic=ADDRESSES)
async def test_uvicorn_trusts_only_localhost_as_a_proxy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By default uvicorn trusts `X-Forwarded-For` only if the request comes from the
    same machine. Behind a proxy elsewhere, `request.client.host` is the proxy."""
    monkeypatch.delenv("FORWARDED_ALLOW_IPS", raising=False)
    config = Config(who(), log_config=None)
    config.load()

    assert await told(config.loaded_app, REAL, peer="127.0.0.1") == REAL
    assert await told(config.loaded_app, REAL, peer=BALANCER) == BALANCER


@fact("uvicorn", topic=ADDRESSES)
async def test_trusting_every_proxy_trusts_the_clients_header() -> None:
    """With `*` as trusted proxies, uvicorn uses the leftmost address of
    `X-Forwarded-For`, which the client may have made up."""
    app = behind_proxies("*")

    assert await told(app, f"{FORGED}, {REAL}, {CACHE}", peer=BALANCER) == FORGED


@fact("uvicorn", topic=ADDRESSES)
async def test_named_proxies_are_skipped_from_the_right() -> None:
    """With proxies or networks named, uvicorn uses the first address from the right
    that is not one of them, and ignores the header of other senders."""
    for trusted in ([BALANCER, CACHE], "10.0.0.0/8"):
        app = behind_proxies(trusted)

        assert await told(app, f"{FORGED}, {REAL}, {CACHE}", peer=BALANCER) == REAL
        assert await told(app, FORGED, peer=REAL) == REAL


@fact("uvicorn", "fastapi", topic=ADDRESSES)
async def test_uvicorns_middleware_works_inside_an_app() -> None:
    """`app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=…)` corrects
    `request.client` for a whole FastAPI app, under any server."""
    app = who()
    app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=[BALANCER])

    assert await told(app, f"{FORGED}, {REAL}", peer=BALANCER) == REAL


def limited(endpoint: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(endpoint)
    async def wrapper(**kwargs: Any) -> Any:
        wrapper.ran = True  # type: ignore[attr-defined]  # noted for the test
        return endpoint(**kwargs)

    wrapper.ran = False  # type: ignore[attr-defined]
    return wrapper


@fact("fastapi", topic=DECORATORS)
async def test_an_async_wrapper_moves_a_def_endpoint_onto_the_loop() -> None:
    """A `def` endpoint inside an `async def` decorator runs on the event loop's thread
    instead of in a thread of the pool."""
    app = FastAPI()
    threads: list[int] = []

    @app.get("/plain")
    def plain() -> None:
        threads.append(threading.get_ident())

    @app.get("/limited")
    @limited
    def decorated() -> None:
        threads.append(threading.get_ident())

    await answer(app, "GET", "/plain")
    await answer(app, "GET", "/limited")

    assert [it == threading.get_ident() for it in threads] == [False, True]


@fact("fastapi", topic=DECORATORS)
async def test_a_wrapper_without_wraps_hides_the_parameters() -> None:
    """FastAPI reads an endpoint's parameters through `functools.wraps`. Without it, the
    wrapper's own `kwargs` becomes a required query parameter."""
    app = FastAPI()

    async def endpoint(code: str) -> str:
        return code

    def wrapper_of(endpoint: Callable[..., Any]) -> Callable[..., Any]:
        async def wrapper(**kwargs: Any) -> Any:
            return await endpoint(**kwargs)

        return wrapper

    app.get("/bare/{code}")(wrapper_of(endpoint))
    app.get("/wrapped/{code}")(functools.wraps(endpoint)(wrapper_of(endpoint)))

    assert (await answer(app, "GET", "/wrapped/a1")).json() == "a1"
    bare = await answer(app, "GET", "/bare/a1")
    assert bare.status_code == 422
    assert bare.json()["detail"][0]["loc"] == ["query", "kwargs"]


@fact("fastapi", topic=DECORATORS)
async def test_a_decorator_above_the_route_never_runs() -> None:
    """`@app.get` registers the function that it receives, so a decorator above it has
    no effect on requests."""
    app = FastAPI()

    @limited
    @app.get("/")
    def endpoint() -> None: ...

    await answer(app, "GET", "/")

    assert endpoint.ran is False  # type: ignore[attr-defined]  # set by `limited`


@fact("fastapi", topic=DECORATORS)
async def test_a_dependency_may_be_an_object_and_refuses_before_validation() -> None:
    """An object with `async def __call__` is a dependency. The `HTTPException` that it
    raises keeps its headers, and takes precedence over a 422 for invalid parameters."""

    class Closed:
        async def __call__(self) -> None:
            raise HTTPException(429, headers={"Retry-After": "5"})

    app = FastAPI()

    @app.get("/{number}", dependencies=[Depends(Closed())])
    async def endpoint(number: int) -> None: ...

    refused = await answer(app, "GET", "/not-a-number")

    assert (refused.status_code, refused.headers["retry-after"]) == (429, "5")


@fact(topic=COUNTING)
async def test_only_an_await_that_suspends_lets_another_task_run() -> None:
    """Between two awaits no other task runs: ten tasks that check and enter without an
    await in between respect a limit of three, but with one in between all ten pass."""

    async def visit(calls: list[int], turns: int) -> None:
        if len(calls) < 3:
            for _ in range(turns):
                await asyncio.sleep(0)
            calls.append(1)

    passed = []
    for turns in (0, 1):
        calls: list[int] = []
        await asyncio.gather(*(visit(calls, turns) for _ in range(10)))
        passed.append(len(calls))

    assert passed == [3, 10]


@fact("redis", topic=COUNTING)
async def test_incr_keeps_the_expiry_and_creates_keys_without_one(
    redis: RedisServer,
) -> None:
    """`INCR` keeps the expiry of a key, and creates a missing key without one, so that
    it stays forever."""
    async with Redis.from_url(redis.url) as client:
        await client.set("with", 0, ex=10)
        await client.incr("with")
        await client.incr("without")

        assert 0 < await client.pttl("with") <= 10_000
        assert await client.pttl("without") == -1


@fact("redis", topic=COUNTING)
async def test_nx_sets_an_expiry_once(redis: RedisServer) -> None:
    """`SET … NX EX` and `EXPIRE … NX` keep a running expiry, whereas a plain `EXPIRE`
    restarts it."""
    async with Redis.from_url(redis.url) as client:
        await client.set("count", 1, px=5_000)
        await client.set("count", 0, ex=10, nx=True)
        await client.expire("count", 10, nx=True)
        assert await client.pttl("count") <= 5_000

        await client.expire("count", 10)
        assert await client.pttl("count") > 5_000


@fact("redis", topic=COUNTING)
async def test_ttl_is_rounded_to_the_nearest_second(redis: RedisServer) -> None:
    """`TTL` rounds to the nearest second, so it can be half a second too low; `PTTL`
    returns milliseconds."""
    async with Redis.from_url(redis.url) as client:
        # In one go, so that no time passes between them.
        async with client.pipeline() as transaction:
            transaction.set("count", 1, px=9_400)
            transaction.pttl("count")
            transaction.ttl("count")
            _, milliseconds, seconds = await transaction.execute()

        assert 9_000 < milliseconds <= 9_400
        assert seconds == 9


@fact("redis", topic=COUNTING)
async def test_a_transaction_is_one_round_trip(redis: RedisServer) -> None:
    """`client.pipeline()` collects commands and sends them with `execute()`, in one
    transaction by default. Nothing runs before that."""
    async with Redis.from_url(redis.url) as client, client.pipeline() as transaction:
        transaction.set("count", 0, ex=10, nx=True)
        transaction.incr("count")
        transaction.pttl("count")
        assert await redis.keys() == []

        _, count, milliseconds = await transaction.execute()

        assert transaction.is_transaction is True
        assert count == 1
        assert 0 < milliseconds <= 10_000
