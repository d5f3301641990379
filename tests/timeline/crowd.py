"""Tasks, a block and threads in virtual time: prints the timeline as JSON."""

from __future__ import annotations

import asyncio
import json
import time

from workshop.timeline import record
from workshop.timeline.virtual import run


async def guest(number: int) -> None:
    async with asyncio.timeout(0.35):
        await asyncio.sleep(number / 10)
        await asyncio.to_thread(time.sleep, number / 10)


async def usher() -> None:
    await asyncio.sleep(0.15)
    time.sleep(0.1)  # noqa: ASYNC251 -- the block in the picture


async def main() -> str:
    async with record() as recording:
        guests = (guest(number) for number in range(4))
        await asyncio.gather(*guests, usher(), return_exceptions=True)
    return json.dumps(recording.timeline.as_json())


def told() -> str:
    """Return the same every time."""
    return run(main, threads="modelled")


if __name__ == "__main__":
    print(told())  # noqa: T201 -- for another process to read
