"""Who held the loop, and who waited for what, in virtual time."""

from __future__ import annotations

import asyncio
import json
import textwrap
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.timeline.telling import labels, lane, names, recorded, spans, states
from workshop.timeline import Outcome, State, Timeline, record
from workshop.timeline.recording import JSON
from workshop.timeline.virtual import run


async def fetch(name: str, seconds: float) -> str:
    await asyncio.sleep(seconds)
    return name


async def report(seconds: float) -> None:
    time.sleep(seconds)  # noqa: ASYNC251 -- the bug to be seen


async def polite() -> None:
    await asyncio.sleep(0.03)
    await asyncio.sleep(0.03)


def test_concurrent_tasks_quote_the_awaited_code() -> None:
    async def code() -> None:
        await asyncio.gather(fetch("venue", 0.1), fetch("seats", 0.15))

    timeline = recorded(code)

    assert names(timeline) == [(0, "fetch('venue', 0.1)"), (0, "fetch('seats', 0.15)")]
    first, second = timeline.lanes
    assert spans(first) == [(State.AWAITING, 0, 100)]
    assert spans(second) == [(State.AWAITING, 0, 150)]
    assert labels(first, State.AWAITING) == ["await asyncio.sleep(seconds)"]
    assert first.outcome is second.outcome is Outcome.DONE
    assert timeline.duration == 150


def test_a_blocking_lane_is_named_with_its_line_and_others_are_ready() -> None:
    async def code() -> None:
        await asyncio.gather(polite(), report(0.2), polite())

    timeline = recorded(code)

    blocker = lane(timeline, "report(0.2)")
    assert spans(blocker) == [(State.BLOCKING, 0, 200)]
    assert labels(blocker, State.BLOCKING) == ["time.sleep(seconds)"]
    assert blocker.spans[-1].where.startswith("test_recording.py:")
    before, _, after = timeline.lanes
    # Its timer was due at 30 ms, but nobody could look.
    assert spans(before) == [
        (State.AWAITING, 0, 30),
        (State.READY, 30, 200),
        (State.AWAITING, 200, 230),
    ]
    # This one had not even begun.
    assert spans(after) == [
        (State.READY, 0, 200),
        (State.AWAITING, 200, 230),
        (State.AWAITING, 230, 260),
    ]


def test_a_step_below_the_threshold_runs_but_does_not_block() -> None:
    async def code() -> None:
        await asyncio.gather(report(0.049))

    assert spans(recorded(code).lanes[0]) == [(State.RUNNING, 0, 49)]
    assert spans(recorded(code, blocking_ms=49).lanes[0]) == [(State.BLOCKING, 0, 49)]


def test_a_lane_is_ready_from_the_time_its_timer_was_due() -> None:
    happened: list[asyncio.Event] = []

    async def wait_for_event() -> None:
        event = asyncio.Event()
        happened.append(event)
        asyncio.get_running_loop().call_later(0.01, event.set)
        await event.wait()

    async def wait_too_long() -> None:
        async with asyncio.timeout(0.02):
            await asyncio.Event().wait()

    async def code() -> None:
        await asyncio.gather(
            wait_for_event(), wait_too_long(), report(0.1), return_exceptions=True
        )

    timeline = recorded(code)

    assert spans(lane(timeline, "wait_for_event()"))[1] == (State.READY, 10, 100)
    assert spans(lane(timeline, "wait_too_long()"))[1] == (State.READY, 20, 100)


def test_lanes_end_as_their_tasks_do() -> None:
    async def fail() -> None:
        raise ValueError("no such seat\nat all")

    async def never() -> None:
        await asyncio.Event().wait()

    forgotten: list[asyncio.Task[None]] = []

    async def code() -> None:
        cancelled = asyncio.create_task(never())
        failed = asyncio.create_task(fail())
        forgotten.append(asyncio.create_task(fetch("late", 1)))  # type: ignore[arg-type]
        await asyncio.sleep(0.01)
        cancelled.cancel()
        await asyncio.gather(cancelled, failed, return_exceptions=True)

    timeline = recorded(code)

    ends = {lane.name: (lane.outcome, lane.reason) for lane in timeline.lanes}
    assert ends == {
        "never()": (Outcome.CANCELLED, ""),
        "fail()": (Outcome.FAILED, "ValueError: no such seat"),
        "fetch('late', 1)": (Outcome.UNFINISHED, ""),
    }
    assert lane(timeline, "fetch('late', 1)").end == timeline.duration == 10


def test_reasons_contain_no_memory_addresses() -> None:
    async def fail() -> None:
        raise ValueError(f"cannot use {object()!r}")

    async def code() -> None:
        await asyncio.gather(fail(), return_exceptions=True)

    assert recorded(code).lanes[0].reason == "ValueError: cannot use <object object>"


def test_children_are_below_the_task_that_created_them() -> None:
    async def parent() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(fetch("a", 0.01))
            group.create_task(fetch("b", 0.01), name="the second")

    async def code() -> None:
        await asyncio.gather(parent(), fetch("c", 0.02))

    assert names(recorded(code)) == [
        (0, "parent()"),
        (1, "fetch('a', 0.01)"),
        (1, "the second"),
        (0, "fetch('c', 0.02)"),
    ]


def test_the_recording_block_is_a_lane_too() -> None:
    async def code() -> None:
        await fetch("venue", 0.1)
        time.sleep(0.06)  # noqa: ASYNC251 -- the bug to be seen

    timeline = recorded(code, here="this cell")

    assert names(timeline) == [(0, "this cell")]
    (mine,) = timeline.lanes
    assert spans(mine) == [(State.AWAITING, 0, 100), (State.BLOCKING, 100, 160)]
    assert mine.outcome is Outcome.DONE


def test_the_block_quotes_its_own_lines_and_not_its_callers() -> None:
    async def block() -> Timeline:
        async with record() as recording:
            await fetch("venue", 0.1)
        return recording.timeline

    async def caller() -> Timeline:
        return await block()

    (mine,) = run(caller).lanes

    assert labels(mine, State.AWAITING) == ['await fetch("venue", 0.1)']


def test_a_block_left_out_is_still_shown_if_it_blocks() -> None:
    async def code() -> None:
        time.sleep(0.06)  # noqa: ASYNC251 -- the bug to be seen

    assert names(recorded(code, here=None)) == [(0, "the recording code")]


def test_a_failing_block_keeps_the_recording() -> None:
    recording = record()

    async def main() -> None:
        async with recording:
            await asyncio.gather(fetch("a", 0.01))
            raise LookupError("sold out")

    with pytest.raises(LookupError, match="sold out"):
        run(main)

    assert names(recording.timeline) == [(0, "you"), (1, "fetch('a', 0.01)")]
    assert recording.timeline.lanes[0].reason == "LookupError: sold out"


def test_tasks_from_before_the_recording_are_shown() -> None:
    async def main() -> Timeline:
        task = asyncio.create_task(polite())
        await asyncio.sleep(0.01)
        with record(here=None) as recording:
            await task
        return recording.timeline

    timeline = run(main)

    assert names(timeline) == [(0, "polite()")]
    assert spans(timeline.lanes[0]) == [
        (State.AWAITING, 0, 20),
        (State.AWAITING, 20, 50),
    ]
    assert (
        labels(timeline.lanes[0], State.AWAITING) == ["await asyncio.sleep(0.03)"] * 2
    )


def test_tasks_of_libraries_are_shown_only_if_user_code_created_them() -> None:
    async def code() -> None:
        # gather makes a task of each; the library's own coroutine is the user's wish.
        await asyncio.gather(asyncio.sleep(0.01), asyncio.sleep(0.02))

    assert names(recorded(code)) == [(0, "sleep(0.01)"), (0, "sleep(0.02)")]


def test_user_code_in_a_librarys_task_counts_for_its_creator(
    library: dict[str, Callable[..., Any]],
) -> None:
    async def user() -> None:
        await asyncio.gather(fetch("in a task", 0.01))
        time.sleep(0.05)  # noqa: ASYNC251 -- the bug to be seen

    async def code() -> None:
        await asyncio.gather(asks_library())

    async def asks_library() -> None:
        await library["in_a_task"](user)

    timeline = recorded(code)

    assert names(timeline) == [(0, "asks_library()"), (1, "fetch('in a task', 0.01)")]
    mine = timeline.lanes[0]
    assert spans(mine) == [(State.AWAITING, 0, 10), (State.BLOCKING, 10, 60)]
    assert labels(mine, State.AWAITING)[-1].startswith("await asyncio.gather(")
    # The library's own steps, which take no time, are none of the user's.
    assert [span.state for span in mine.spans] == [
        State.RUNNING,
        State.AWAITING,
        State.BLOCKING,
        State.RUNNING,
    ]


def test_internal_tasks_of_libraries_are_not_shown(
    library: dict[str, Callable[..., Any]],
) -> None:
    async def waits() -> None:
        await library["with_heartbeat"](0.05)

    async def code() -> None:
        await asyncio.gather(waits())

    (only,) = recorded(code).lanes

    assert only.name == "waits()"
    assert [span.state for span in only.spans] == [
        State.RUNNING,
        State.AWAITING,
        State.RUNNING,
    ]


@pytest.fixture
def library(tmp_path: Path) -> dict[str, Callable[..., Any]]:
    """A library, by its functions; they make tasks of their own."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    file = folder / "library.py"
    source = textwrap.dedent(
        """
        import asyncio

        async def in_a_task(function):
            async def inner():
                await function()

            await asyncio.create_task(inner())

        async def with_heartbeat(seconds):
            async def beat():
                while True:
                    await asyncio.sleep(0.01)

            beating = asyncio.create_task(beat())
            await asyncio.sleep(seconds)
            beating.cancel()
        """
    )
    file.write_text(source, encoding="utf-8")
    names: dict[str, Any] = {}
    exec(compile(source, str(file), "exec"), names)
    return names


def test_a_callback_that_blocks_is_shown() -> None:
    def tidy_up() -> None:
        time.sleep(0.08)

    async def code() -> None:
        asyncio.get_running_loop().call_later(0.01, tidy_up)
        await asyncio.gather(polite())

    timeline = recorded(code)

    callback = lane(timeline, "callback: tidy_up()")
    assert spans(callback) == [(State.BLOCKING, 10, 90)]
    assert labels(callback, State.BLOCKING) == ["time.sleep(0.08)"]
    assert (State.READY, 30, 90) in spans(lane(timeline, "polite()"))


async def lines() -> AsyncIterator[int]:
    for number in range(2):
        await asyncio.sleep(0.01)
        yield number


def test_awaits_of_any_shape_are_quoted() -> None:
    async def reads() -> None:
        async for _ in lines():
            pass

    async def locks() -> None:
        lock = asyncio.Lock()
        await lock.acquire()
        asyncio.get_running_loop().call_later(0.01, lock.release)
        async with lock:
            pass

    async def wraps() -> None:
        await asyncio.wait_for(
            asyncio.Event().wait(),
            timeout=0.01,
        )

    async def code() -> None:
        await asyncio.gather(reads(), locks(), wraps(), return_exceptions=True)

    timeline = recorded(code)

    assert labels(lane(timeline, "reads()"), State.AWAITING) == [
        "async for _ in lines()",
        "async for _ in lines()",
    ]
    assert labels(lane(timeline, "locks()"), State.AWAITING) == ["async with lock"]
    assert labels(lane(timeline, "wraps()"), State.AWAITING) == [
        "await asyncio.wait_for(asyncio.Event().wait(), timeout=0.01)"
    ]


def test_a_preferred_file_is_quoted_rather_than_the_called_code(tmp_path: Path) -> None:
    app = tmp_path / "app.py"
    source = "async def endpoint(fetch):\n    return await fetch('venue', 0.01)\n"
    app.write_text(source, encoding="utf-8")
    names: dict[str, Callable[..., object]] = {}
    exec(compile(source, str(app), "exec"), names)
    endpoint = names["endpoint"]

    async def stand_in(*args: object) -> object:
        return await endpoint(fetch)  # type: ignore[misc]

    async def code() -> None:
        await asyncio.gather(stand_in())

    (plain,) = recorded(code).lanes
    (preferring,) = recorded(code, prefer="app.py").lanes

    assert labels(plain, State.AWAITING) == ["await endpoint(fetch)"]
    assert labels(preferring, State.AWAITING) == ["await fetch('venue', 0.01)"]
    assert preferring.spans[-2].where == "app.py:2"


def test_code_is_quoted_from_the_current_file(tmp_path: Path) -> None:
    app = tmp_path / "app.py"
    for comment in ("as it was", "as it is now, which is longer"):
        source = (
            f"async def endpoint(fetch):\n    await fetch('a', 0.01)  # {comment}\n"
        )
        app.write_text(source.replace("'a'", f"'{comment}'"), encoding="utf-8")
        names: dict[str, Callable[..., object]] = {}
        exec(compile(app.read_text(encoding="utf-8"), str(app), "exec"), names)

        async def code(endpoint: Callable[..., object] = names["endpoint"]) -> None:
            await asyncio.gather(endpoint(fetch))  # type: ignore[call-overload]

        (only,) = recorded(code).lanes

        assert labels(only, State.AWAITING) == [f"await fetch('{comment}', 0.01)"]


def test_recordings_can_overlap_and_end_in_any_order() -> None:
    async def main() -> tuple[Timeline, Timeline]:
        first, second = record(here=None), record(here=None)
        first.__enter__()
        await asyncio.gather(fetch("a", 0.01))
        second.__enter__()
        await asyncio.gather(fetch("b", 0.01))
        first.__exit__(None, None, None)
        await asyncio.gather(fetch("c", 0.01))
        second.__exit__(None, None, None)
        await asyncio.gather(fetch("d", 0.01))
        assert not {"call_soon", "call_at"} & set(vars(asyncio.get_running_loop()))
        return first.timeline, second.timeline

    first, second = run(main)

    assert [name for _, name in names(first)] == [
        "fetch('a', 0.01)",
        "fetch('b', 0.01)",
    ]
    assert [name for _, name in names(second)] == [
        "fetch('b', 0.01)",
        "fetch('c', 0.01)",
    ]


def test_an_endless_recording_ends_by_itself_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("workshop.timeline.recorder.MOST_STEPS", 10)

    async def busy() -> None:
        for _ in range(20):
            await asyncio.sleep(0.01)

    async def code() -> None:
        await asyncio.gather(busy())
        await asyncio.gather(fetch("late", 0.01))

    timeline = recorded(code, here="you")

    assert names(timeline) == [(0, "you"), (1, "busy()")]
    assert {lane.outcome for lane in timeline.lanes} == {Outcome.UNFINISHED}
    assert timeline.notes == (
        "The loop took too many steps to record, so the end is missing.",
    )
    assert timeline.duration < 110


def test_a_recording_that_cannot_start_or_is_unfinished_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="no running event loop"), record():
        pass

    async def ask_too_early() -> None:
        with record() as recording:
            assert repr(recording) == "<Recording, not ended>"
            with pytest.raises(RuntimeError, match="has not ended"):
                _ = recording.timeline
        with pytest.raises(RuntimeError, match=r"Call record\(\) again"), recording:
            pass

    run(ask_too_early)


def test_a_cell_of_a_notebook_is_called_a_cell() -> None:
    names: dict[str, Callable[..., object]] = {}
    source = "async def endpoint(fetch):\n    await fetch('a', 0.01)\n"
    exec(compile(source, "/tmp/ipykernel_77/1234567.py", "exec"), names)

    async def code() -> None:
        await asyncio.gather(names["endpoint"](fetch))  # type: ignore[call-overload]

    (only,) = recorded(code).lanes

    assert {it.where for it in only.spans if it.state is State.AWAITING} == {"cell:2"}


def test_a_recording_is_drawn_in_a_notebook_without_memory_addresses() -> None:
    recording = record(title="The queue")

    async def main() -> None:
        async with recording:
            await fetch("venue", 0.1)

    run(main)
    shown = recording._repr_mimebundle_()

    assert repr(recording) == "<Recording of 1 lanes, 100 ms>"
    assert "The queue" in shown["image/svg+xml"]
    kept = json.loads(json.dumps(shown[JSON]))
    assert kept["title"] == "The queue"
    assert Timeline.from_json(kept) == recording.timeline
    assert "you" in shown["text/plain"]
    assert states(recording.timeline.lanes[0]) == {State.RUNNING, State.AWAITING}
