"""The spy."""

import asyncio
from concurrent.futures import ProcessPoolExecutor

from workshop.testing import RunningApp, Spy

APP = """
import asyncio
from concurrent.futures import ProcessPoolExecutor
from fastapi import FastAPI

app = FastAPI()


def draw(seats):
    return seats * 2


@app.get("/held")
async def held():
    return draw(21)


@app.get("/thread")
def thread():
    return draw(21)


@app.get("/process")
async def process():
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(1) as pool:
        return await loop.run_in_executor(pool, draw, 21)
"""


async def watched(app: RunningApp, path: str) -> tuple[Spy, object]:
    spy = Spy(app.module.draw, "the drawing")
    app.replace("draw", spy)
    async with app.client() as client:
        return spy, (await client.get(path)).json()


async def test_a_call_on_the_loop_names_its_line(app: RunningApp) -> None:
    spy, answer = await watched(app, "/held")

    assert (answer, spy.count, spy.calls) == (42, 1, [((21,), {})])
    assert str(spy.held) == "app.py:15 in held(): return draw(21)"


async def test_a_call_in_a_thread_does_not_block_the_loop(app: RunningApp) -> None:
    spy, answer = await watched(app, "/thread")

    assert (answer, spy.count, spy.held) == (42, 1, None)


async def test_a_call_in_another_process_runs_the_original_and_is_counted(
    app: RunningApp,
) -> None:
    spy, answer = await watched(app, "/process")

    assert (answer, spy.count, spy.handed_over, spy.held) == (42, 1, 1, None)


async def test_a_new_process_finds_the_original_by_its_name(app: RunningApp) -> None:
    import multiprocessing

    spy = Spy(app.module.draw, "the drawing")
    app.replace("draw", spy)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        drawing = asyncio.get_running_loop().run_in_executor(pool, spy, 21)
        assert await drawing == 42
