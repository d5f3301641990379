"""The pool of threads that `def` routes share."""

import asyncio

import pytest

from tests.testing.conftest import WriteApp
from workshop.testing import Gate, ThreadPool, exchange, settle
from workshop.testing.app.application import running

APP = """
import asyncio
import anyio
from anyio.to_thread import current_default_thread_limiter
from contextlib import asynccontextmanager
from fastapi import FastAPI

own = anyio.CapacityLimiter(2)


def archive():
    return "written"


@asynccontextmanager
async def lifespan(app):
    LIFESPAN
    yield


app = FastAPI(lifespan=lifespan)


@app.get("/health")
HEALTH():
    return "ok"


@app.get("/export")
EXPORT
"""

SHARED = "def export():\n    return archive()"
ANSWERS = {
    "as it was": ("pass", "def health", SHARED, False),
    "a bigger pool": (
        "current_default_thread_limiter().total_tokens = 500",
        "def health",
        SHARED,
        False,
    ),
    "async health": ("pass", "async def health", SHARED, True),
    "a limiter of their own": (
        "pass",
        "def health",
        "async def export():\n"
        "    return await anyio.to_thread.run_sync(archive, limiter=own)",
        True,
    ),
    "asyncio's own pool": (
        "pass",
        "def health",
        "async def export():\n    return await asyncio.to_thread(archive)",
        True,
    ),
}


@pytest.mark.parametrize("answer", ANSWERS)
async def test_an_exhausted_pool_is_detected_by_its_queue(
    write_app: WriteApp, thread_pool: ThreadPool, answer: str
) -> None:
    lifespan, health_, export, right = ANSWERS[answer]
    text = APP.replace("LIFESPAN", lifespan).replace("HEALTH", health_)
    archive = Gate("the archive", result="written")
    async with running(write_app(text.replace("EXPORT", export))) as app:
        app.replace("archive", archive.blocking)
        thread_pool.shrink(3)
        exports = [exchange(app, "GET", "/export") for _ in range(5)]
        await archive.entered()
        await settle()
        queue = thread_pool.waiting
        health = exchange(app, "GET", "/health")
        await settle()

        assert (thread_pool.waiting == queue) is right
        if right:
            await health.response_complete()
        else:
            assert (thread_pool.tokens, thread_pool.busy, queue) == (3, 3, 2)
        archive.open()
        await asyncio.gather(*(each.finished() for each in [*exports, health]))
        assert [each.status for each in [*exports, health]] == [200] * 6
