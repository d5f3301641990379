"""Do in advance what Python and the libraries do only at a first request."""

from __future__ import annotations

import asyncio
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx2

SAMPLE = Path(__file__).with_name("sample.py")


def warm_up() -> None:
    """Send requests to the sample app.

    FastAPI imports a part of pydantic at the first route, and much is looked up and
    cached at the first request, also the lines that a traceback shows. No thread is
    started.
    """
    import httpx2

    from workshop.grading.sample import app
    from workshop.testing.app.loading import empty_caches

    async def ask() -> None:
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(
            transport=transport, base_url="http://box-office"
        ) as client:
            await _ask(client)
            try:
                await client.get("/broken")
            except RuntimeError as error:
                traceback.format_exception(error)

    asyncio.run(ask())
    empty_caches()


def rehearse() -> None:
    """Do what a test does with the sample app: load it, send requests, shut it down.

    A forked process gets a copy of each page of memory when it first writes to it, and
    Python writes to all objects that it uses. That takes half the time of a small test,
    so do it before a verdict is wanted. A thread of the test kit may keep running.
    """
    from workshop.testing.app.application import running
    from workshop.testing.app.exchange import exchange
    from workshop.testing.app.failure_recording import (
        choose_recording,
        forget_recording,
        recording_as_json,
    )
    from workshop.testing.app.loading import empty_caches
    from workshop.testing.time.event_loop import LessonLoop

    async def play() -> None:
        async with running(SAMPLE) as app:
            await exchange(app, "GET", "/nowhere").finished()
            async with app.client() as client:
                await _ask(client)
            recording_as_json()

    choose_recording(True)
    with asyncio.Runner(loop_factory=LessonLoop) as runner:
        runner.run(play())
    forget_recording()
    empty_caches()


async def _ask(client: httpx2.AsyncClient) -> None:
    await client.post("/shows/1", json={"seat": "A1"})
    await client.get("/nowhere")


def warm_up_database() -> None:
    """Store and find a row in a temporary database.

    SQLAlchemy prepares each kind of statement when it first occurs.
    """
    from sqlalchemy import create_engine, select
    from sqlalchemy.orm import Session, joinedload

    from workshop.grading.sample_tables import Base, Order, Show

    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        Base.metadata.create_all(connection)
    with Session(engine) as session:
        session.add(Order(seat="A1", show=Show(id=1)))
        session.commit()
        wanted = select(Order).where(Order.seat == "A1")
        order = session.scalars(wanted.options(joinedload(Order.show))).one()
        order.seat = "A2"
        session.flush()
        session.delete(order)
        session.rollback()
    engine.dispose()
