"""What an app leaves behind."""

import httpx2

from workshop.testing import Leaks, RunningApp, settle
from workshop.testing.plugin import RunApp

APP = """
import asyncio
from contextlib import asynccontextmanager
from fastapi import FastAPI


async def fetch_prices():
    await asyncio.sleep(3600)


async def refresh():
    while True:
        await fetch_prices()


@asynccontextmanager
async def lifespan(app):
    app.state.refresher = asyncio.create_task(refresh())
    yield
    if app.state.tidy:
        app.state.refresher.cancel()


app = FastAPI(lifespan=lifespan)
app.state.tidy = True


async def audit(order):
    return order


@app.get("/forget")
async def forget():
    audit(7)
    return "thanks"


@app.get("/forget-in-thread")
def forget_in_thread():
    audit(7)
    return "thanks"


@app.get("/open")
async def open_():
    open(__file__)
    return "thanks"


@app.get("/spawn")
async def spawn():
    async def inner():
        app.state.second = asyncio.get_running_loop().create_task(fetch_prices())

    await asyncio.create_task(inner())
    return "thanks"
"""


async def test_a_running_task_is_reported_with_its_line(
    app: RunningApp, leaks: Leaks
) -> None:
    app.module.app.state.tidy = False
    await app.shutdown()

    assert await leaks.tasks() == [
        "task refresh() at app.py:8: await asyncio.sleep(3600)"
    ]


async def test_a_finished_task_is_not_reported(app: RunningApp, leaks: Leaks) -> None:
    await app.shutdown()

    assert await leaks.tasks() == []


async def test_a_task_created_by_a_task_belongs_to_the_app_too(
    app: RunningApp, client: httpx2.AsyncClient, leaks: Leaks
) -> None:
    await client.get("/spawn")
    await app.shutdown()

    assert len(await leaks.tasks()) == 1


async def test_the_tests_own_tasks_are_not_reported(
    app: RunningApp, client: httpx2.AsyncClient, leaks: Leaks
) -> None:
    import asyncio

    own = asyncio.create_task(asyncio.Event().wait())
    await app.shutdown()

    assert await leaks.tasks() == []
    own.cancel()


async def test_an_unawaited_coroutine_is_reported_with_its_line(
    client: httpx2.AsyncClient, leaks: Leaks
) -> None:
    await client.get("/forget")

    assert leaks.never_awaited() == ["audit() made in app.py:34 in forget(): audit(7)"]


async def test_in_a_thread_it_is_reported_with_its_definition(
    client: httpx2.AsyncClient, leaks: Leaks
) -> None:
    """Python does not keep track of where coroutines are made in other threads."""
    await client.get("/forget-in-thread")

    assert leaks.never_awaited() == [
        "audit() defined at app.py:28  async def audit(order):"
    ]


async def test_an_open_file_is_reported(
    client: httpx2.AsyncClient, leaks: Leaks
) -> None:
    await client.get("/open")

    (words,) = leaks.unclosed()
    assert words.startswith("unclosed file")


async def test_a_clean_app_has_no_leaks(
    app: RunningApp, client: httpx2.AsyncClient, leaks: Leaks
) -> None:
    await client.get("/docs")
    await app.shutdown()
    await settle()

    assert (await leaks.tasks(), leaks.never_awaited(), leaks.unclosed()) == (
        [],
        [],
        [],
    )


async def test_a_finished_app_is_not_reported_again(
    run_app: RunApp, leaks: Leaks
) -> None:
    async with run_app() as app, app.client() as client:
        await client.get("/forget")

    assert leaks.never_awaited() == []
