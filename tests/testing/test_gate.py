"""The gate."""

import asyncio
import math
import pickle
import sys
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import pytest

from tests.testing.conftest import WriteApp
from workshop.testing import Gate, RunningApp, TimeLimitExceeded, settle
from workshop.testing.sync import gate as gate_module

APP = '''
import asyncio
from fastapi import FastAPI

app = FastAPI()


def mainframe(show_id):
    """The outside world."""


def build_report(show_id):
    return mainframe(show_id)


@app.get("/report")
async def report():
    return build_report(7)


@app.get("/threaded")
def threaded():
    return mainframe(7)
'''


async def test_a_caller_waits_until_the_gate_opens() -> None:
    gate = Gate("the mainframe")
    caller = asyncio.create_task(gate(7, fast=True))
    await gate.entered()

    assert (caller.done(), gate.waiting, gate.count) == (False, 1, 1)
    gate.open(result="report")
    assert await caller == "report"
    assert (gate.waiting, gate.calls) == (0, [((7,), {"fast": True})])


async def test_an_open_gate_blocks_no_caller() -> None:
    gate = Gate("the mainframe", result="report")
    gate.open()

    assert await gate() == "report"


async def test_a_result_may_be_computed_from_the_arguments() -> None:
    gate = Gate("the mainframe").results(lambda n: n * 2)
    gate.open()

    assert [await gate(1), await gate(2)] == [2, 4]


async def test_a_gate_may_raise_an_error() -> None:
    gate = Gate("the mainframe")
    caller = asyncio.create_task(gate())
    await gate.entered()
    gate.fail(ConnectionError("line dropped"))

    with pytest.raises(ConnectionError, match=r"line dropped"):
        await caller


async def test_a_caller_in_a_thread_waits_too() -> None:
    gate = Gate("the mainframe", result="report")
    caller = asyncio.create_task(asyncio.to_thread(gate.blocking))
    await gate.entered()

    assert gate.waiting == 1
    gate.open()
    assert await caller == "report"
    assert gate.held is None


async def test_a_cancelled_caller_is_counted_but_no_longer_waiting() -> None:
    gate = Gate("the mainframe")
    caller = asyncio.create_task(gate())
    await gate.entered()
    caller.cancel()
    await settle()

    assert (gate.cancelled, gate.waiting, gate.count) == (1, 0, 1)


@pytest.mark.usefixtures("short_limit")
async def test_a_gate_without_callers_says_so() -> None:
    with pytest.raises(
        TimeLimitExceeded, match=r"^The app never asked for the mainframe\. Expected"
    ):
        await Gate("the mainframe").entered()


@pytest.mark.usefixtures("short_limit")
async def test_a_gate_with_too_few_callers_says_how_many() -> None:
    gate = Gate("the mainframe")
    callers = asyncio.gather(gate(), gate())
    with pytest.raises(
        TimeLimitExceeded, match=r"^Only 2 of 3 calls ever asked for the mainframe"
    ):
        await gate.entered(times=3)
    gate.open()
    await callers


@pytest.mark.usefixtures("short_limit")
def test_a_thread_at_a_gate_that_never_opens_is_released() -> None:
    with pytest.raises(
        TimeLimitExceeded,
        match=r"Waiting for the mainframe held up everything else",
    ):
        Gate("the mainframe").blocking()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
async def test_a_thread_that_the_loop_waits_for_is_released(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gate_module, "_THREAD_LIMIT_SECONDS", math.inf)
    never = pytest.raises(TimeLimitExceeded, match="held up everything else")
    with ThreadPoolExecutor() as threads, Gate("the mainframe") as gate, never:
        threads.submit(gate.blocking).result()


async def test_a_thread_with_its_own_loop_waits_like_any_other() -> None:
    gate = Gate("the mainframe", result=31)

    async def ask() -> int:
        return int(gate.blocking())

    caller = asyncio.create_task(asyncio.to_thread(asyncio.run, ask()))
    await gate.entered()
    waiting, held = gate.waiting, gate.held
    gate.open()

    assert (waiting, held) == (1, None)
    assert await caller == 31


async def test_leaving_the_block_opens_the_gate() -> None:
    with Gate("the mainframe", result="late") as gate:
        caller = asyncio.create_task(gate())
        await gate.entered()

    assert await caller == "late"


async def test_a_blocking_call_on_the_loop_names_its_line(
    app: RunningApp,
) -> None:
    gate = Gate("the mainframe", result="at once")
    app.replace("mainframe", gate.blocking)
    async with app.client() as client:
        answer = await client.get("/report")

    assert answer.json() == "at once"
    assert gate.held is not None
    assert str(gate.held) == "app.py:13 in build_report(): return mainframe(show_id)"
    assert gate.held.labelled == "app.py:13  return mainframe(show_id)"


async def test_a_blocking_call_in_a_thread_does_not_block_the_loop(
    app: RunningApp,
) -> None:
    gate = Gate("the mainframe", result="later")
    app.replace("mainframe", gate.blocking)
    async with app.client() as client:
        answer = asyncio.create_task(client.get("/threaded"))
        await gate.entered()
        gate.open()

        assert (await answer).json() == "later"
    assert gate.held is None


async def test_a_caller_in_another_process_waits_too() -> None:
    """What a pool of processes is handed is pickled, and a gate survives it."""
    gate = Gate("the drawing").results(lambda seats: sorted(seats))
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(1) as pool:
        caller = loop.run_in_executor(pool, gate.blocking, {3, 1})
        await gate.entered()

        assert (caller.done(), gate.held) == (False, None)
        gate.open()
        assert await caller == [1, 3]


def test_an_error_reaches_the_caller_in_another_process() -> None:
    gate = Gate("the drawing")
    gate.fail(ValueError("no pen"))
    caller = pickle.loads(pickle.dumps(gate.blocking))

    with pytest.raises(ValueError, match=r"no pen"):
        caller()


async def test_gates_are_independent(write_app: WriteApp) -> None:
    one, other = Gate("one"), Gate("other")
    one.open()
    caller = asyncio.create_task(other())
    await settle()

    assert not caller.done()
    other.open()
    await caller


async def test_a_gate_may_be_opened_from_any_thread() -> None:
    gate = Gate("the mainframe", result="report")
    caller = asyncio.create_task(gate())
    await gate.entered()
    threading.Thread(target=gate.open).start()

    assert await caller == "report"
