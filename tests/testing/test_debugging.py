"""In a debugger no limit in real time passes."""

import asyncio
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

import pytest

from workshop.testing.reporting.failures import TimeLimitExceeded
from workshop.testing.time import debugging, limits
from workshop.testing.time.debugging import at_prompt, lift_limits, limits_are_lifted
from workshop.testing.time.limits import fail_after
from workshop.testing.time.watchdog import watchdog


@pytest.fixture
def short_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set a limit that is over at once."""
    monkeypatch.setattr(limits, "LIMIT_SECONDS", 0.0)


@pytest.fixture
def lifted() -> Iterator[None]:
    """Lift all limits, as `--debug` does."""
    lift_limits()
    yield
    lift_limits(False)


async def _last() -> str:
    """Be slower than any limit: wait until the limit's own thread has had its turn."""
    rung = asyncio.Event()
    loop = asyncio.get_running_loop()
    watchdog().call_later(0.0, lambda: loop.call_soon_threadsafe(rung.set))
    await rung.wait()
    for _ in range(10):
        await asyncio.sleep(0)
    return "done"


@pytest.mark.usefixtures("short_limit")
async def test_without_a_debugger_the_limit_ends_the_wait() -> None:
    with pytest.raises(TimeLimitExceeded):
        await fail_after(_last(), never="It never came.")


@pytest.mark.usefixtures("short_limit", "lifted")
async def test_lifted_limits_end_nothing() -> None:
    assert await fail_after(_last(), never="It never came.") == "done"


def test_a_trace_function_is_a_debugger_unless_it_is_coverage_s() -> None:
    class Tracer:
        def __call__(self, *_: object) -> None:
            return None

    def trace(frame: FrameType, event: str, argument: Any) -> None:
        return None

    found = []

    def look() -> None:
        for tracer in (None, trace, Tracer()):
            sys.settrace(tracer)
            found.append(limits_are_lifted())
        Tracer.__module__ = "coverage.tracer"
        sys.settrace(Tracer())
        found.append(limits_are_lifted())
        sys.settrace(None)

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()

    assert found == [False, True, True, False]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring is new in 3.12")
def test_a_registered_debugger_is_noticed() -> None:
    monitoring = sys.monitoring  # type: ignore[attr-defined, unused-ignore]
    before = limits_are_lifted()
    monitoring.use_tool_id(monitoring.DEBUGGER_ID, "test")
    try:
        assert (before, limits_are_lifted()) == (False, True)
    finally:
        monitoring.free_tool_id(monitoring.DEBUGGER_ID)


def test_a_prompt_is_noticed_while_it_is_open() -> None:
    with at_prompt():
        assert debugging.is_at_prompt()
    assert not debugging.is_at_prompt()
