"""Noticing that nobody can make progress."""

import asyncio
import threading
from collections.abc import Callable

import pytest

from workshop.testing import Stalled, eventually, settle, until_stalled
from workshop.testing.sync import idle
from workshop.testing.time.event_loop import owner


async def test_a_result_that_takes_many_turns_is_returned() -> None:
    async def slow() -> str:
        await settle(300)
        return "done"

    assert await until_stalled(slow()) == "done"


async def test_two_tasks_waiting_for_each_other_are_stalled() -> None:
    a, b = asyncio.Event(), asyncio.Event()

    async def one() -> None:
        await a.wait()
        b.set()

    async def other() -> None:
        await b.wait()
        a.set()

    with pytest.raises(Stalled, match=r"each task waits for another"):
        await until_stalled(asyncio.gather(one(), other()))


async def test_the_message_may_be_the_lessons_own() -> None:
    with pytest.raises(Stalled, match=r"^the permit was lost$"):
        await until_stalled(asyncio.Event().wait(), otherwise="the permit was lost")


async def test_a_stalled_task_is_cancelled() -> None:
    task = asyncio.create_task(asyncio.Event().wait())
    with pytest.raises(Stalled):
        await until_stalled(task)

    assert task.cancelled()


async def test_work_in_a_thread_is_not_a_stall() -> None:
    """The thread needs more turns of the loop than a stall in the loop would get."""
    loop, go = asyncio.get_running_loop(), threading.Event()

    async def let_go_much_later() -> None:
        await settle(500)
        go.set()

    helper = asyncio.create_task(let_go_much_later())
    assert await until_stalled(loop.run_in_executor(None, go.wait, 3)) is True
    await helper


async def test_threads_that_all_wait_are_a_stall(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(idle, "SILENCE_SECONDS", 3600)
    await asyncio.to_thread(int)

    with pytest.raises(Stalled):
        await until_stalled(asyncio.Event().wait())


@pytest.mark.parametrize("with_threads", [False, True])
async def test_a_timer_that_is_due_too_late_does_not_delay_a_stall(
    with_threads: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idle, "SILENCE_SECONDS", 3600)
    if with_threads:
        await asyncio.to_thread(int)
    timer = _timer_of_an_app(7200)

    with pytest.raises(Stalled):
        await until_stalled(asyncio.Event().wait())
    timer.cancel()


async def test_a_timer_of_an_app_that_is_due_soon_is_waited_for() -> None:
    await asyncio.to_thread(int)
    fired = asyncio.Event()
    _timer_of_an_app(0.1, fired.set)

    assert await eventually(fired.is_set)


def _timer_of_an_app(
    seconds: float, call: Callable[[], object] = int
) -> asyncio.TimerHandle:
    token = owner.set(object())
    try:
        return asyncio.get_running_loop().call_later(seconds, call)
    finally:
        owner.reset(token)


@pytest.mark.usefixtures("short_limit")
async def test_a_stall_is_noticed_after_threads_were_used() -> None:
    await asyncio.to_thread(int)
    with pytest.raises(Stalled):
        await until_stalled(asyncio.Event().wait())


async def test_a_condition_that_a_thread_makes_true_is_waited_for() -> None:
    made: list[int] = []
    work = asyncio.create_task(asyncio.to_thread(made.append, 1))

    assert await eventually(lambda: bool(made))
    await work
    assert not await eventually(lambda: len(made) > 1)
