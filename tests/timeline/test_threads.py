"""Threads have lanes of their own, and the loop is free meanwhile."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import anyio
import anyio.to_thread
import pytest

from tests.timeline.telling import labels, lane, names, recorded, spans, states
from workshop.timeline import Outcome, State, Timeline, record
from workshop.timeline.virtual import VirtualTimeError, run


def export(name: str, seconds: float) -> str:
    time.sleep(seconds)
    return f"{name} in {threading.current_thread() is threading.main_thread()}"


async def polite() -> None:
    await asyncio.sleep(0.05)


class Desk:
    """Work for threads, which stops until it is told to go on."""

    def __init__(self, workers: int) -> None:
        self._missing, self._entered = workers, asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._opened = threading.Event()

    def write(self, number: int) -> None:
        self._loop.call_soon_threadsafe(self._enter)
        assert self._opened.wait(5)

    def _enter(self) -> None:
        self._missing -= 1
        if not self._missing:
            self._entered.set()

    async def all_at_work(self) -> None:
        async with asyncio.timeout(5):
            await self._entered.wait()

    def open(self) -> None:
        self._opened.set()


def test_real_threads_have_lanes_below_their_callers() -> None:
    async def main() -> Timeline:
        desk = Desk(2)
        async with record() as recording, asyncio.TaskGroup() as group:
            group.create_task(asyncio.to_thread(desk.write, 1), name="by asyncio")
            group.create_task(anyio.to_thread.run_sync(desk.write, 2), name="by anyio")
            await desk.all_at_work()
            desk.open()
        return recording.timeline

    timeline = asyncio.run(main())

    assert names(timeline) == [
        (0, "you"),
        (1, "by asyncio"),
        (2, "thread: Desk.write(1)"),
        (1, "by anyio"),
        (2, "thread: Desk.write(2)"),
    ]
    for name in ("thread: Desk.write(1)", "thread: Desk.write(2)"):
        assert lane(timeline, name).outcome is Outcome.DONE
        assert State.THREAD in states(lane(timeline, name))
        assert states(lane(timeline, name)) <= {State.READY, State.THREAD}


def test_a_thread_that_outlives_the_recording_is_unfinished() -> None:
    async def main() -> Timeline:
        desk = Desk(1)
        async with record(here=None) as recording:
            future = asyncio.get_running_loop().run_in_executor(None, desk.write, 1)
            await desk.all_at_work()
        desk.open()
        await future
        return recording.timeline

    (only,) = asyncio.run(main()).lanes

    assert only.outcome is Outcome.UNFINISHED
    assert only.spans[-1].state is State.THREAD


def test_the_line_that_blocks_in_real_time_is_quoted() -> None:
    # The watching thread asks of each file whether it is the user's. When it asks
    # of one, it has noted what it saw before. It looks four times until it is a
    # block, so the fifth time is certainly within one.
    noted = {f"{number}.py": threading.Event() for number in range(6)}
    loop_thread = threading.get_ident()

    def users(file: str) -> bool:
        if file in noted and threading.get_ident() != loop_thread:
            noted[file].set()
        return file in noted or file == __file__

    def blocking(file: str) -> None:
        code = compile("def hold(seen): assert seen.wait(5)", file, "exec")
        found: dict[str, object] = {}
        exec(code, found)
        found["hold"](noted[file])  # type: ignore[operator]

    async def report() -> None:
        for file in noted:
            blocking(file)

    async def main() -> Timeline:
        async with record(here=None, blocking_ms=4, users=users) as recording:
            await asyncio.gather(report())
        return recording.timeline

    report_lane = lane(asyncio.run(main()), "report()")

    assert labels(report_lane, State.BLOCKING) == ["blocking(file)"]


def test_modelled_threads_work_concurrently_while_the_loop_is_free() -> None:
    results: list[str] = []

    async def ask(name: str) -> None:
        results.append(await asyncio.to_thread(export, name, 0.1))

    async def code() -> None:
        await asyncio.gather(ask("a"), ask("b"), polite())

    timeline = recorded(code, threads="modelled")

    assert timeline.duration == 100
    assert spans(lane(timeline, "thread: export('a', 0.1)")) == [(State.THREAD, 0, 100)]
    assert spans(lane(timeline, "thread: export('b', 0.1)")) == [(State.THREAD, 0, 100)]
    assert spans(lane(timeline, "ask('a')")) == [(State.AWAITING, 0, 100)]
    assert spans(lane(timeline, "polite()")) == [(State.AWAITING, 0, 50)]
    assert results == ["a in False", "b in False"]


def test_modelled_threads_continue_while_the_loop_is_blocked() -> None:
    async def ask() -> None:
        await asyncio.to_thread(export, "a", 0.1)

    async def block() -> None:
        await asyncio.sleep(0.05)
        time.sleep(0.2)  # noqa: ASYNC251 -- the bug to be seen

    async def code() -> None:
        await asyncio.gather(ask(), block())

    timeline = recorded(code, threads="modelled")

    assert spans(lane(timeline, "thread: export('a', 0.1)")) == [(State.THREAD, 0, 100)]
    assert spans(lane(timeline, "ask()")) == [
        (State.AWAITING, 0, 100),
        (State.READY, 100, 250),
    ]


def test_modelled_threads_wait_for_an_exhausted_pool() -> None:
    async def by_anyio() -> None:
        anyio.to_thread.current_default_thread_limiter().total_tokens = 1
        async with anyio.create_task_group() as group:
            for name in ("a", "b"):
                group.start_soon(anyio.to_thread.run_sync, export, name, 0.1)

    async def by_executor() -> None:
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1) as pool:
            await asyncio.gather(
                loop.run_in_executor(pool, export, "a", 0.1),
                loop.run_in_executor(pool, export, "b", 0.1),
            )

    for code in (by_anyio, by_executor):
        timeline = recorded(code, threads="modelled")

        assert spans(lane(timeline, "thread: export('a', 0.1)")) == [
            (State.THREAD, 0, 100)
        ]
        assert spans(lane(timeline, "thread: export('b', 0.1)")) == [
            (State.READY, 0, 100),
            (State.THREAD, 100, 200),
        ]


def test_modelled_threads_fail_and_are_abandoned_like_real_ones() -> None:
    def fail() -> None:
        time.sleep(0.01)
        raise ValueError("disk full")

    async def impatient() -> None:
        async with asyncio.timeout(0.05):
            await asyncio.to_thread(export, "late", 1)

    async def code() -> None:
        found = await asyncio.gather(
            asyncio.to_thread(fail), impatient(), return_exceptions=True
        )
        assert [type(failure) for failure in found] == [ValueError, TimeoutError]

    timeline = recorded(code, threads="modelled")

    failed = lane(timeline, "thread: fail()")
    assert (failed.outcome, failed.reason) == (Outcome.FAILED, "ValueError: disk full")
    # Nobody waits for it any more, but it works on.
    assert lane(timeline, "thread: export('late', 1)").outcome is Outcome.UNFINISHED
    assert not [t for t in threading.enumerate() if "modelled" in t.name]


def test_a_modelled_thread_that_waits_for_the_loop_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("workshop.timeline.virtual._PATIENCE", 0.05)
    opened = threading.Event()

    async def code() -> None:
        asyncio.get_running_loop().call_later(0.01, opened.set)
        await asyncio.to_thread(opened.wait)

    try:
        with pytest.raises(VirtualTimeError, match="waiting for a lock, the event"):
            run(code, threads="modelled")
    finally:
        opened.set()
