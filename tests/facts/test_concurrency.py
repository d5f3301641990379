"""What becomes of the others when work that runs side by side fails or is late."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextvars import ContextVar
from pathlib import Path

import pytest
from fastapi import FastAPI, HTTPException
from sqlalchemy import exc, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from tests.facts import fact
from tests.facts.test_dependencies import client_of
from workshop.testing import Clock, Gate, Journal, settle

TOPIC = "concurrent operations"
PACKAGES = ("sqlalchemy", "aiosqlite")


async def fails() -> int:
    raise ConnectionError("the line is dead")


@fact("fastapi", topic=TOPIC)
async def test_an_exception_in_a_response_becomes_an_empty_object() -> None:
    """An exception object in a handler's return value becomes `{}` with status 200 if
    the handler has no return type. With one, the response is a 500."""
    app = FastAPI()

    @app.get("/untyped")
    async def untyped():  # type: ignore[no-untyped-def]  # that is the fact
        return {"seats": await asyncio.gather(fails(), return_exceptions=True)}

    @app.get("/typed")
    async def typed() -> dict[str, list[int]]:
        return {"seats": await asyncio.gather(fails(), return_exceptions=True)}  # type: ignore[dict-item]  # that is the fact

    async with client_of(app) as client:
        without, with_type = await client.get("/untyped"), await client.get("/typed")

    assert (without.status_code, without.json()) == (200, {"seats": [{}]})
    assert with_type.status_code == 500


@fact(topic=TOPIC)
async def test_gather_leaves_the_others_running() -> None:
    """If one awaitable of `asyncio.gather` raises, the others keep running; their
    results and exceptions are discarded."""
    other = Gate("the other")
    running = asyncio.gather(other(), fails())

    with pytest.raises(ConnectionError):
        await running

    assert (other.waiting, other.cancelled) == (1, 0)
    other.open()
    await settle()


@fact(topic=TOPIC)
async def test_gather_returns_a_cancelled_call_as_a_value() -> None:
    """`gather(…, return_exceptions=True)` also returns the `CancelledError` of a
    cancelled call, which is not an `Exception`."""
    call = asyncio.create_task(Gate("a call")())
    call.cancel()

    answers = await asyncio.gather(call, return_exceptions=True)

    assert isinstance(answers[0], asyncio.CancelledError)
    assert not isinstance(answers[0], Exception)


@fact("fastapi", "starlette", topic=TOPIC)
async def test_an_http_exception_from_a_task_group_is_a_500() -> None:
    """An `HTTPException` raised in a task of an `asyncio.TaskGroup` reaches FastAPI
    inside an `ExceptionGroup` and becomes a 500. Re-raised on its own, it has its own
    status."""
    app = FastAPI()

    async def declined() -> None:
        raise HTTPException(402)

    @app.get("/group")
    async def group() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(declined())

    @app.get("/alone")
    async def alone() -> None:
        try:
            await group()
        except* HTTPException as refusals:
            raise refusals.exceptions[0] from None

    async with client_of(app) as client:
        answers = await client.get("/group"), await client.get("/alone")

    assert [answer.status_code for answer in answers] == [500, 402]


@fact(topic=TOPIC)
def test_except_star_raises_a_bare_exception_when_no_group_is_left() -> None:
    """An exception raised in an `except*` block propagates as it is if nothing else of
    the group is left, otherwise in a new group together with the rest."""

    def answer_to(*errors: Exception) -> None:
        try:
            raise ExceptionGroup("payment", errors)
        except* ValueError:
            raise KeyError("402") from None

    with pytest.raises(KeyError):
        answer_to(ValueError(), ValueError())
    with pytest.raises(ExceptionGroup) as caught:
        answer_to(ValueError(), OSError())
    assert caught.group_contains(KeyError)
    assert caught.group_contains(OSError)


@fact(topic=TOPIC)
async def test_a_timeout_knows_whether_it_expired(clock: Clock) -> None:
    """`asyncio.TimeoutError` is the built-in `TimeoutError`, which is an `OSError`.
    Only `expired()` of an `asyncio.timeout()` block shows whether that timeout raised
    it."""

    async def too_slow() -> None:
        raise TimeoutError("set by somebody else")

    with pytest.raises(asyncio.TimeoutError):
        async with asyncio.timeout(3) as theirs:
            await too_slow()

    async def wait_in_vain() -> bool:
        try:
            async with asyncio.timeout(3) as ours:
                await Gate("an answer")()
        except OSError:
            return ours.expired()
        return False

    waiting = asyncio.create_task(wait_in_vain())
    await clock.advance(3)

    assert (theirs.expired(), await waiting) == (False, True)
    assert asyncio.TimeoutError is TimeoutError


@fact(topic=TOPIC)
async def test_waiting_with_a_timeout_does_not_always_stop_the_work(
    clock: Clock,
) -> None:
    """When the time is up, `asyncio.timeout` and `asyncio.wait_for` cancel what they
    wait for, whereas `asyncio.wait` and `asyncio.as_completed` let it run on."""

    async def first_of(call: asyncio.Task[None]) -> None:
        for each in asyncio.as_completed([call], timeout=3):
            await each

    cancelled = {}
    for name in ("wait_for", "wait", "as_completed"):
        gate = Gate(name)
        call = asyncio.create_task(gate())
        waiting = asyncio.ensure_future(
            asyncio.wait_for(call, 3)
            if name == "wait_for"
            else asyncio.wait([call], timeout=3)
            if name == "wait"
            else first_of(call)
        )
        await clock.advance(3)
        await asyncio.wait([waiting])
        assert isinstance(waiting.exception(), TimeoutError) == (name != "wait")
        cancelled[name] = bool(gate.cancelled)
        gate.open()
        await settle()

    assert cancelled == {"wait_for": True, "wait": False, "as_completed": False}


@fact(topic=TOPIC)
async def test_a_timeout_outside_a_task_group_stays_a_timeout(clock: Clock) -> None:
    """`asyncio.timeout` around a `TaskGroup` raises `TimeoutError` and cancels the
    tasks. A `TimeoutError` raised in a task leaves the group in an `ExceptionGroup`."""
    gate = Gate("an answer")

    async def ask() -> None:
        async with asyncio.timeout(3), asyncio.TaskGroup() as tasks:
            tasks.create_task(gate())

    async def too_slow() -> None:
        raise TimeoutError

    asking = asyncio.create_task(ask())
    await clock.advance(3)
    with pytest.raises(TimeoutError):
        await asking
    assert gate.cancelled == 1

    with pytest.raises(ExceptionGroup) as caught:
        async with asyncio.timeout(3), asyncio.TaskGroup() as tasks:
            tasks.create_task(too_slow())
    assert caught.group_contains(TimeoutError)


@fact(topic=TOPIC)
async def test_a_thread_runs_on_after_its_timeout(clock: Clock) -> None:
    """`asyncio.timeout` around `asyncio.to_thread` gives up on time, but the thread
    runs to completion."""
    archive = Gate("the archive")
    journal = Journal()

    def export() -> None:
        archive.blocking()
        journal.record("exported")

    async def ask() -> None:
        async with asyncio.timeout(3):
            await asyncio.to_thread(export)

    asking = asyncio.create_task(ask())
    await archive.entered()
    await clock.advance(3)
    with pytest.raises(TimeoutError):
        await asking

    assert archive.waiting == 1
    archive.open()
    await journal.reached("exported")


@fact(topic=TOPIC)
async def test_wait_for_runs_a_coroutine_in_the_callers_task_since_3_12() -> None:
    """`asyncio.wait_for` runs a coroutine in a separate task in Python 3.11, and in the
    caller's task since 3.12, so context variables set in it stay set."""
    show: ContextVar[str] = ContextVar("show", default="none")

    async def ask() -> asyncio.Task[object] | None:
        show.set("Hamlet")
        return asyncio.current_task()

    same = await asyncio.wait_for(ask(), 3) is asyncio.current_task()

    assert same == (sys.version_info >= (3, 12))
    assert show.get() == ("Hamlet" if same else "none")


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'facts.db'}")
    async with engine.begin() as connection:
        await connection.execute(text("create table prices (euros int)"))
    yield engine
    await engine.dispose()


@fact(*PACKAGES, topic=TOPIC)
async def test_tasks_sharing_a_session_may_pass_on_a_warm_pool(
    engine: AsyncEngine,
) -> None:
    """Queries of several tasks in one `AsyncSession` run one after another if the pool
    has an idle connection, and fail if it has none."""
    query = text("select 1")
    async with AsyncSession(engine) as session:
        calls = [session.scalar(query) for _ in range(2)]
        assert await asyncio.gather(*calls) == [1, 1]

    await engine.dispose()
    async with AsyncSession(engine) as session:
        calls = [session.scalar(query) for _ in range(2)]
        answers = await asyncio.gather(*calls, return_exceptions=True)
    assert answers[0] == 1
    assert isinstance(answers[1], exc.InvalidRequestError)
    assert "provisioning a new connection" in str(answers[1])


@fact(*PACKAGES, topic=TOPIC)
async def test_tasks_sharing_a_session_cannot_commit_concurrently(
    engine: AsyncEngine,
) -> None:
    """If two tasks commit one `AsyncSession` at the same time, one of them gets an
    error, even with a warm pool."""
    async with AsyncSession(engine) as session:
        await session.execute(text("insert into prices values (20)"))
        commits = [session.commit() for _ in range(2)]
        errors = await asyncio.gather(*commits, return_exceptions=True)
    assert errors[0] is None
    assert isinstance(errors[1], exc.InvalidRequestError)
