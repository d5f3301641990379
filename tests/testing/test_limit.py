"""The outer limit."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from workshop.testing import Clock, TimeLimitExceeded, fail_after, settle
from workshop.testing.time import limits

soon = pytest.mark.usefixtures("short_limit")


async def test_a_result_within_the_limit_is_returned() -> None:
    assert await fail_after(asyncio.sleep(0, "tea"), never="no tea") == "tea"


async def test_an_error_within_the_limit_is_raised() -> None:
    async def fail() -> None:
        raise ValueError("cold")

    with pytest.raises(ValueError, match=r"cold"):
        await fail_after(fail(), never="no tea")


@soon
async def test_a_missing_result_fails_with_the_given_message() -> None:
    with pytest.raises(TimeLimitExceeded, match=r"^no tea ever came$"):
        await fail_after(asyncio.Event().wait(), never="no tea ever came")


@soon
async def test_a_missing_result_is_cancelled() -> None:
    task = asyncio.create_task(asyncio.Event().wait())
    with pytest.raises(TimeLimitExceeded):
        await fail_after(task, never="")

    assert task.cancelled()


@soon
async def test_a_task_that_swallows_its_cancellation_does_not_block_the_test() -> None:
    stop = asyncio.Event()

    async def stubborn() -> None:
        while not stop.is_set():
            try:
                await stop.wait()
            except asyncio.CancelledError:
                continue

    with pytest.raises(TimeLimitExceeded):
        await fail_after(stubborn(), never="")
    stop.set()


@soon
async def test_the_limit_works_with_a_manual_clock(clock: object) -> None:
    with pytest.raises(TimeLimitExceeded):
        await fail_after(asyncio.sleep(60), never="")


async def test_the_limit_starts_again_if_the_clock_was_moved(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    moves = [5.0, 5.0, 0.0]

    @contextmanager
    def passed() -> Iterator[asyncio.Future[None]]:
        clock.jump(moves.pop(0))
        deadline: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        deadline.set_result(None)
        yield deadline

    monkeypatch.setattr(limits, "_deadline", passed)
    with pytest.raises(TimeLimitExceeded):
        await fail_after(asyncio.Event().wait(), never="")

    assert moves == []


async def test_a_cancelled_wait_cancels_its_awaitable() -> None:
    inner = asyncio.create_task(asyncio.Event().wait())
    outer = asyncio.create_task(fail_after(inner, never=""))
    await asyncio.sleep(0)
    outer.cancel()
    await asyncio.wait({outer})

    assert (outer.cancelled(), inner.cancelled()) == (True, True)


async def test_a_hundred_simultaneous_limits_share_one_thread() -> None:
    before = threading.active_count()
    gate = asyncio.Event()
    waiting = [
        asyncio.create_task(fail_after(gate.wait(), never="")) for _ in range(100)
    ]
    await settle()

    assert threading.active_count() <= before + 1
    gate.set()
    assert await asyncio.gather(*waiting) == [True] * 100


@soon
async def test_two_limits_are_independent() -> None:
    first = asyncio.create_task(fail_after(asyncio.Event().wait(), never="first"))
    second = asyncio.create_task(fail_after(asyncio.Event().wait(), never="second"))
    await settle()
    first.cancel()

    with pytest.raises(TimeLimitExceeded, match=r"^second$"):
        await second
