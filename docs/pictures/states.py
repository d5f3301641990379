"""The code from which the pictures of docs/reference/reading_timelines.md are recorded.

`make pictures` runs each public function of this file in virtual time, and
draws it as `state-NAME.svg`. The first line of its docstring is the title.
"""

import asyncio
import time
from contextlib import suppress

from workshop.timeline import record, text


async def turnstile() -> str:
    return "open"


# --- A report takes 200 ms: three ways to write it. -----------------


async def blocking_report() -> None:
    time.sleep(0.2)  # no other task can run meanwhile


async def awaiting_report() -> None:
    await asyncio.sleep(0.2)  # other tasks run meanwhile


async def threaded_report() -> None:
    await asyncio.to_thread(time.sleep, 0.2)


async def blocks() -> None:
    """One blocks the event loop, so the other waits for it."""
    await asyncio.gather(blocking_report(), turnstile())


async def awaits() -> None:
    """One awaits, so the event loop is free for the other."""
    await asyncio.gather(awaiting_report(), turnstile())


async def thread() -> None:
    """A thread does the work, so the event loop is free."""
    await asyncio.gather(threaded_report(), turnstile())


async def turns() -> None:
    """Three tasks take turns on one event loop."""
    await asyncio.gather(*(guest(name) for name in ("Ann", "Bob", "Cy")))


async def guest(name: str) -> None:
    for _ in range(3):
        time.sleep(0.01)  # some work of its own
        await asyncio.sleep(0.02)


async def ends() -> None:
    """Four ends: done, failed, cancelled, unfinished."""
    asyncio.create_task(mail())
    with suppress(ExceptionGroup):
        async with asyncio.TaskGroup() as payment:
            payment.create_task(charge("gift card", 0.03))
            payment.create_task(charge("voucher", 0.1))
            payment.create_task(charge("bank", 0.3))
    await asyncio.sleep(0.05)


async def charge(means: str, seconds: float) -> None:
    await asyncio.sleep(seconds)
    if means == "voucher":
        raise ValueError("voucher has expired")


async def mail() -> None:
    await asyncio.sleep(5)


async def your_own() -> None:
    async with record() as recording:
        await asyncio.gather(awaiting_report(), turnstile())
    print(text(recording.timeline))
