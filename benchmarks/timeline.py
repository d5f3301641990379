"""Measure what recording a timeline costs.

    python -m benchmarks.timeline [--json]

Runs the same code with and without recording, alternately, and compares the processor
time (the median of several rounds). If VizTracer is installed (the requirements
`benchmarks`), it records the same two requests in its own process.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from benchmarks.inside import enter

if __name__ == "__main__":
    enter("benchmarks.timeline", ("core", "benchmarks"))

import httpx2
from fastapi import FastAPI

from workshop.timeline import NameRequests, Recording, record

ROUNDS = 15
TASKS, STEPS = 100, 50
REQUESTS = 100
CHILDREN = 20

Code = Callable[[httpx2.AsyncClient], Awaitable[object]]

app = FastAPI()


async def wait(times: int) -> None:
    """Let other tasks run, *times* times."""
    for _ in range(times):
        await asyncio.sleep(0)


@app.get("/plain")
async def plain() -> None:
    """Respond at once."""


@app.get("/together")
async def together() -> None:
    """Start some tasks and await them."""
    await asyncio.gather(*(wait(1) for _ in range(CHILDREN)))


async def steps(_: httpx2.AsyncClient) -> None:
    """Run a few tasks with many steps."""
    await asyncio.gather(*(wait(STEPS) for _ in range(TASKS)))


async def creations(_: httpx2.AsyncClient) -> None:
    """Create many tasks that end in their first step."""
    await asyncio.gather(*(wait(0) for _ in range(TASKS * 10)))


async def requests(client: httpx2.AsyncClient) -> None:
    """Make many requests, one after the other."""
    for _ in range(REQUESTS):
        await client.get("/plain")


async def two_requests(client: httpx2.AsyncClient) -> None:
    """Make the two requests that VizTracer makes too."""
    await asyncio.gather(client.get("/plain"), client.get("/together"))


MEASURED: dict[str, tuple[Code, int]] = {
    "a step of a task": (steps, TASKS * (STEPS + 1)),
    "a task that is created": (creations, TASKS * 10),
    "a request": (requests, REQUESTS),
    f"two requests, one with {CHILDREN} tasks": (two_requests, 1),
}


def main(arguments: list[str]) -> None:
    """Measure, and print a table or one JSON object."""
    if arguments == ["--viztracer"]:
        print(json.dumps(asyncio.run(viztracer())))
        return
    figures: dict[str, Any] = asyncio.run(measure())
    if importlib.util.find_spec("viztracer") is not None:
        figures["VizTracer"] = json.loads(
            subprocess.run(
                [sys.executable, "-m", "benchmarks.timeline", "--viztracer"],
                check=True,
                stdout=subprocess.PIPE,
            ).stdout.splitlines()[-1]
        )
    if "--json" in arguments:
        print(json.dumps(figures))
        return
    print(f"{'processor time of':<34} {'plain':>10} {'recorded':>10} {'ratio':>7}")
    for name, figure in figures.items():
        print(
            f"{name:<34} {figure['plain']:>7.1f} us {figure['recorded']:>7.1f} us "
            f"{figure['ratio']:>7.2f}"
        )
    for name, figure in figures.items():
        if "kilobytes" in figure:
            print(f"{name}: a result of {figure['kilobytes']:.0f} kB")
    if "VizTracer" not in figures:
        print("VizTracer is not installed, so it was not measured.")


async def measure() -> dict[str, Any]:
    """Return the microseconds of each case, with and without recording."""
    figures: dict[str, Any] = {}
    for name, (code, times) in MEASURED.items():
        last: deque[Recording] = deque(maxlen=1)

        async def recorded(
            client: httpx2.AsyncClient, code: Code = code, last: deque[Recording] = last
        ) -> None:
            async with record() as recording:
                await code(client)
            last.append(recording)

        figures[name] = await compare(code, recorded, times)
        if code is two_requests:
            # Making the timeline comes afterwards, and is not part of the cost.
            result = json.dumps(last[-1].timeline.as_json())
            figures[name]["kilobytes"] = len(result) / 1000
    return figures


async def viztracer() -> dict[str, Any]:
    """Return the same for VizTracer with `log_async`."""
    from viztracer import VizTracer  # type: ignore[import-untyped,import-not-found,unused-ignore]

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "result.json"
        tracer = VizTracer(log_async=True, verbose=0, output_file=str(file))

        async def recorded(client: httpx2.AsyncClient) -> None:
            tracer.clear()
            tracer.start()
            try:
                await two_requests(client)
            finally:
                tracer.stop()

        figures = await compare(two_requests, recorded, 1)
        tracer.save()
        figures["kilobytes"] = file.stat().st_size / 1000
        return figures


async def compare(plainly: Code, recorded: Code, times: int) -> dict[str, Any]:
    """Return microseconds for each of *times*: plain, recorded, and their ratio."""
    transport = httpx2.ASGITransport(app=NameRequests(app))
    taken: dict[Code, list[float]] = {plainly: [], recorded: []}
    async with httpx2.AsyncClient(transport=transport, base_url="http://b") as client:
        for number in range(ROUNDS + 1):
            for code, seconds in taken.items():
                began = time.process_time()
                await code(client)
                if number:  # the first round warms up
                    seconds.append((time.process_time() - began) * 1e6 / times)
    without, with_it = (statistics.median(taken[code]) for code in (plainly, recorded))
    return {"plain": without, "recorded": with_it, "ratio": with_it / without}


if __name__ == "__main__":
    main(sys.argv[1:])
