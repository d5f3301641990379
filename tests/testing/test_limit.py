"""The outer limit."""

import asyncio
import threading

import pytest

from workshop.testing import TimeLimitExceeded, fail_after, settle

soon = pytest.mark.usefixtures("short_limit")


async def test_a_result_within_the_limit_is_returned() -> None:
    assert await fail_after(asyncio.sleep(0, "tea"), never="no tea") == "tea"


async def test_an_error_within_the_limit_is_raised() -> None:
    async def fail() -> None:
        raise ValueError("cold")

    with pytest.raises(ValueError, match=r"cold"):
        await fail_after(fail(), never="no tea")


@soon
async def test_what_does_not_come_fails_in_the_given_words() -> None:
    with pytest.raises(TimeLimitExceeded, match=r"^no tea ever came$"):
        await fail_after(asyncio.Event().wait(), never="no tea ever came")


@soon
async def test_what_does_not_come_is_cancelled() -> None:
    task = asyncio.create_task(asyncio.Event().wait())
    with pytest.raises(TimeLimitExceeded):
        await fail_after(task, never="")

    assert task.cancelled()


@soon
async def test_a_task_that_swallows_its_cancellation_does_not_hold_up_the_test() -> (
    None
):
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
async def test_the_limit_holds_under_a_clock_moved_by_hand(clock: object) -> None:
    with pytest.raises(TimeLimitExceeded):
        await fail_after(asyncio.sleep(60), never="")


async def test_a_cancelled_wait_cancels_what_it_waited_for() -> None:
    inner = asyncio.create_task(asyncio.Event().wait())
    outer = asyncio.create_task(fail_after(inner, never=""))
    await asyncio.sleep(0)
    outer.cancel()
    await asyncio.wait({outer})

    assert (outer.cancelled(), inner.cancelled()) == (True, True)


async def test_a_hundred_limits_at_once_need_one_thread_between_them() -> None:
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
async def test_of_two_limits_each_is_kept_whatever_becomes_of_the_other() -> None:
    first = asyncio.create_task(fail_after(asyncio.Event().wait(), never="first"))
    second = asyncio.create_task(fail_after(asyncio.Event().wait(), never="second"))
    await settle()
    first.cancel()

    with pytest.raises(TimeLimitExceeded, match=r"^second$"):
        await second
