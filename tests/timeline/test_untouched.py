"""Who is recorded does not notice."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import inspect
import logging
import re
import sys
import traceback
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest

from tests.timeline.telling import lane, names, spans
from workshop.timeline import Outcome, State, Timeline, record
from workshop.timeline.virtual import run

visitor: contextvars.ContextVar[str] = contextvars.ContextVar("visitor")


async def wait(seconds: float) -> str:
    await asyncio.sleep(seconds)
    return visitor.get("nobody")


async def fail() -> None:
    await asyncio.sleep(0)
    raise LookupError("sold out")


async def whatever_a_task_shows() -> list[object]:
    coroutine = wait(0.01)
    task = asyncio.create_task(coroutine)
    await asyncio.sleep(0)
    return [
        type(task) is asyncio.Task,
        task.get_coro() is coroutine,
        inspect.iscoroutine(task.get_coro()),
        inspect.getcoroutinestate(coroutine),
        [frame.f_lineno for frame in task.get_stack()],
        task.get_name().startswith("Task-"),
        "coro=<wait() running at" in repr(task),
        await task,
    ]


async def names_that_were_given() -> list[str]:
    tasks = [
        asyncio.create_task(wait(0), name="by name"),
        asyncio.create_task(wait(0)),
    ]
    tasks[1].set_name("afterwards")
    await asyncio.gather(*tasks)
    return [task.get_name() for task in tasks]


async def contexts() -> list[object]:
    visitor.set("Ada")
    other = contextvars.copy_context()
    other.run(visitor.set, "Grace")
    here = asyncio.create_task(wait(0))
    there = asyncio.create_task(wait(0), context=other)
    seen: list[str] = []
    asyncio.get_running_loop().call_soon(lambda: seen.append(visitor.get()))
    asyncio.get_running_loop().call_later(
        0.01, lambda: seen.append(visitor.get()), context=other
    )
    await asyncio.sleep(0.02)
    return [await here, await there, *seen]


async def failures() -> list[object]:
    task = asyncio.create_task(fail())
    try:
        await task
    except LookupError as failure:
        frames = [frame.name for frame in traceback.extract_tb(failure.__traceback__)]
        return [frames, repr(failure), failure is task.exception()]
    return []


async def cancellation() -> list[object]:
    told: list[object] = []

    async def stubborn() -> str:
        task = asyncio.current_task()
        assert task is not None
        try:
            await asyncio.sleep(1)
        except asyncio.CancelledError as failure:
            told.extend((failure.args, task.cancelling(), task.uncancel()))
        try:
            async with asyncio.timeout(0.01):
                await asyncio.sleep(1)
        except TimeoutError:
            told.append(task.cancelling())
        return "went on"

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    told.append(task.cancel("closing time"))
    told.append(await task)
    gone = asyncio.create_task(asyncio.sleep(1))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.wait([gone])
    return [*told, gone.cancelled()]


async def failing_callbacks() -> list[object]:
    def callback(number: int) -> None:
        raise LookupError(number)

    loop = asyncio.get_running_loop()
    told: list[object] = []
    loop.set_exception_handler(lambda _, context: told.append(context["message"]))
    loop.call_soon(callback, 1)
    handle = loop.call_later(0.01, callback, 2)
    told.append(re.sub(r"when=\S+", "", repr(handle)))
    await asyncio.sleep(0.02)
    return told


async def groups() -> list[object]:
    told: list[object] = []
    try:
        async with asyncio.TaskGroup() as group:
            other = group.create_task(asyncio.sleep(1))
            group.create_task(fail())
    except* LookupError as failures:
        told = [other.cancelled(), len(failures.exceptions)]
    return told


@pytest.mark.parametrize(
    "program",
    [
        whatever_a_task_shows,
        names_that_were_given,
        contexts,
        failures,
        cancellation,
        failing_callbacks,
        groups,
    ],
)
@pytest.mark.parametrize("debug", [False, True], ids=["", "debug"])
def test_a_program_behaves_the_same_with_and_without_recording(
    program: Callable[[], Coroutine[Any, Any, list[object]]], debug: bool
) -> None:
    async def recorded() -> list[object]:
        async with record():
            return await program()

    async def recorded_twice() -> list[object]:
        async with record(), record():
            return await program()

    plain, once, twice = (
        asyncio.run(main(), debug=debug) for main in (program, recorded, recorded_twice)
    )

    assert plain
    assert once == plain
    assert twice == plain


def test_the_loop_is_restored() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        before, factory = dict(vars(loop)), loop.get_task_factory()
        with contextlib.suppress(KeyError):
            async with record():
                assert vars(loop).keys() != before.keys()
                await asyncio.gather(wait(0))
                raise KeyError
        assert vars(loop).keys() == before.keys()
        assert loop.get_task_factory() is factory

    asyncio.run(main())


def test_an_unretrieved_exception_is_still_reported(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        async with record():
            asyncio.create_task(fail())  # noqa: RUF006 -- it shall be forgotten
            await asyncio.sleep(0.01)
        gc.collect()

    run(main)

    assert "Task exception was never retrieved" in caplog.text


def test_asyncio_still_warns_of_slow_tasks_and_wrong_callbacks(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.slow_callback_duration = -1
        async with record():
            await asyncio.gather(wait(0))
            with pytest.raises(TypeError, match="coroutines cannot be used"):
                loop.call_soon(wait)  # type: ignore[arg-type]
        loop.slow_callback_duration = 60

    with caplog.at_level(logging.WARNING, "asyncio"):
        asyncio.run(main(), debug=True)

    assert "Executing <Task" in caplog.text
    assert "wait()" in caplog.text


def test_steps_queued_at_the_end_of_the_recording_still_run() -> None:
    async def main() -> tuple[str, Timeline]:
        with record(here=None) as recording:
            task = asyncio.create_task(wait(0.01))
            await asyncio.sleep(0.005)
            other = asyncio.create_task(wait(0))
        await other
        return await task, recording.timeline

    result, timeline = run(main)

    assert result == "nobody"
    # Though the timeline was asked for later, it knows nothing of what came later.
    assert [(lane.outcome, spans(lane)) for lane in timeline.lanes] == [
        (Outcome.UNFINISHED, [(State.AWAITING, 0, 5)]),
        (Outcome.UNFINISHED, []),
    ]
    assert [len(lane.spans) for lane in timeline.lanes] == [2, 0]


def test_an_existing_task_factory_is_still_used() -> None:
    made: list[str] = []

    def factory(
        loop: asyncio.AbstractEventLoop,
        coroutine: Coroutine[Any, Any, Any],
        **options: Any,
    ) -> asyncio.Task[Any]:
        made.append(getattr(coroutine, "__qualname__", ""))
        return asyncio.Task(coroutine, loop=loop, **options)

    async def main() -> Timeline:
        loop = asyncio.get_running_loop()
        loop.set_task_factory(factory)  # type: ignore[arg-type]
        async with record(here=None) as recording:
            await asyncio.gather(wait(0.01))
        assert loop.get_task_factory() is factory
        return recording.timeline

    timeline = run(main)

    assert made[0] == "wait"
    assert names(timeline) == [(0, "wait(0.01)")]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="tasks begin later before 3.12")
def test_eager_tasks_are_recorded_from_their_beginning() -> None:
    async def reads_cache() -> str:
        return "at once"

    async def asks(what: Callable[[float], Awaitable[str]]) -> None:
        from workshop.timeline.virtual import block

        block(0.01)
        await asyncio.gather(reads_cache(), what(0.02))

    async def blocks_first(seconds: float) -> str:
        from workshop.timeline.virtual import block

        block(seconds)
        return await wait(seconds)

    async def main() -> Timeline:
        loop = asyncio.get_running_loop()
        loop.set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined]
        async with record(here=None, blocking_ms=15) as recording:
            await asyncio.gather(asks(blocks_first))
        assert loop.get_task_factory() is asyncio.eager_task_factory  # type: ignore[attr-defined]
        return recording.timeline

    timeline = run(main)

    assert names(timeline) == [
        (0, "asks()"),
        (1, "reads_cache()"),
        (1, "blocks_first(0.02)"),
    ]
    # Who makes such a task waits until it gives way.
    assert spans(lane(timeline, "asks()")) == [
        (State.RUNNING, 0, 10),
        (State.READY, 10, 30),
        (State.AWAITING, 30, 50),
    ]
    assert spans(lane(timeline, "blocks_first(0.02)")) == [
        (State.BLOCKING, 10, 30),
        (State.AWAITING, 30, 50),
    ]
    assert lane(timeline, "reads_cache()").outcome is Outcome.DONE
