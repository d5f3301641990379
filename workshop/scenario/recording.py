"""Run scenes in this process and record them: the worker's side of `play`."""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, Any

import anyio.to_thread
import httpx2

from workshop.scenario.redis import modelled_redis
from workshop.scenario.source import loaded
from workshop.scenario.sqlite import modelled_sqlite
from workshop.scenario.stage import Answer, Stage
from workshop.scenario.transport import StreamingTransport
from workshop.services import ServiceError
from workshop.services.redis import CLAIM_VARIABLE, empty_database
from workshop.testing.app.application import running
from workshop.testing.reporting.failures import (
    AppLoadError,
    ShutdownError,
    StartupError,
)
from workshop.testing.time.event_loop import LessonLoop
from workshop.timeline import NameRequests, Span, Timeline, record, virtual
from workshop.timeline.strain import unexplained_wait
from workshop.timeline.words import time

if TYPE_CHECKING:
    from workshop.sandbox.event_channel import EventChannel

_REHEARSAL_SECONDS = 1.0

_STRAIN = 50.0
"""A lane that waits this many milliseconds for a free loop shows a busy machine."""

_EARLY = 1.0
"""A response this many milliseconds before the app has finished counts as early."""

_IN_WORDS = (
    AppLoadError,
    AssertionError,
    ServiceError,
    ShutdownError,
    StartupError,
    virtual.VirtualTimeError,
)
"""Exceptions whose message alone says what is wrong with an answer."""


def do(job: Mapping[str, Any], channel: EventChannel) -> None:
    """Record the runs of *job*, and report each of them over *channel*."""
    for number, play in enumerate(job["plays"]):
        channel.mark(str(number))
        channel.send("start", number=number)
        faulthandler.dump_traceback_later(job["test_seconds"], file=channel.stream)
        try:
            timeline = perform(
                Path(play["scenario"]),
                play["scene"],
                Path(play["answer"]),
                exact=job["exact"],
                seconds=job["seconds"],
            )
        except _IN_WORDS as problem:
            channel.send("refused", number=number, words=str(problem))
        except Exception as problem:  # noqa: BLE001 -- whatever the answer did
            words = f"{type(problem).__name__}: {problem}"
            channel.send("refused", number=number, words=words)
        else:
            channel.send("played", number=number, timeline=timeline.as_json())
        finally:
            faulthandler.cancel_dump_traceback_later()


def perform(
    script: Path, scene: str, answer: Path, *, exact: bool, seconds: float
) -> Timeline:
    """Run the *scene* of *script* with the app in the file *answer*.

    The scene ends after *seconds* of the loop's time; requests that still wait are
    unfinished. *exact* means virtual time: the same timeline each time.
    """
    module = loaded(script, "scenario")

    def once(seconds: float) -> Timeline:
        with ExitStack() as stack:
            environment = stack.enter_context(_surroundings())

            async def play() -> Timeline:
                return await _play(module, scene, answer, environment, seconds)

            if exact:
                stack.enter_context(_no_garbage_collected())
                stack.enter_context(modelled_sqlite())
                stack.enter_context(modelled_redis())
                return virtual.run(play, threads="modelled")
            runner = stack.enter_context(asyncio.Runner(loop_factory=LessonLoop))
            return runner.run(play())

    if not exact and not os.environ.get("DATABASE_URL", "").startswith("postgres"):
        # What happens only once, such as imports, happens in the rehearsal.
        once(_REHEARSAL_SECONDS)
    return once(seconds)


async def _play(
    script: Any,
    scene: str,
    answer: Path,
    environment: Mapping[str, str],
    seconds: float,
) -> Timeline:
    async with AsyncExitStack() as stack:
        world = getattr(script, "WORLD", {})
        app = await stack.enter_async_context(
            running(answer, replace=world, env=environment)
        )
        transport = StreamingTransport(NameRequests(app.asgi))
        client = await stack.enter_async_context(
            httpx2.AsyncClient(transport=transport, base_url="http://box-office")
        )
        await _warm_up(client)
        stage = Stage(app, client, transport)
        stack.push_async_callback(stage.clear)
        async with record(here=None, prefer=answer) as recording:
            over = await _until_time_limit(
                _hidden(getattr(script, scene)), stage, seconds
            )
    notes = [f"At {time(at)}, {words}." for words, at in stage.told]
    notes += [note for it in stage.answers if (note := _note(it))]
    if unexplained_wait(recording.timeline) > _STRAIN:
        notes.append(
            "This machine was busy with something else: a lane waited although the "
            "loop was free. Record again."
        )
    if not over:
        notes.append(f"The recording was ended after {time(seconds * 1000)}.")
    timeline = _told_of_app(recording.timeline, script, answer)
    return replace(timeline, notes=(*timeline.notes, *dict.fromkeys(notes)))


def _note(answer: Answer) -> str:
    """Return what the lanes do not show: that a response failed, or came early."""
    words = f"{answer.request} was answered {answer.status}"
    if answer.over is not None and answer.over - answer.at > _EARLY:
        return f"{words} at {time(answer.at)}, and went on until {time(answer.over)}."
    return f"{words}." if answer.status >= 400 else ""


def _hidden(scene: Any) -> Any:
    """Return *scene* as if it were in no file, so that the caller is not recorded."""
    code = scene.__code__.replace(co_filename="<frozen scene>")
    return FunctionType(code, scene.__globals__, scene.__name__)


def _told_of_app(timeline: Timeline, script: Any, answer: Path) -> Timeline:
    """Return *timeline* with *answer* called app.py, and no line of *script* quoted.

    Learners do not edit stand-ins, and `steps/0.py` is a starter.
    """
    own = f"{Path(script.__file__).name}:"

    def told(span: Span) -> Span:
        if span.where.startswith(own):
            return replace(span, label="", where="")
        name, _, line = span.where.rpartition(":")
        return replace(span, where=f"app.py:{line}") if name == answer.name else span

    lanes = (
        replace(lane, spans=tuple(told(span) for span in lane.spans))
        for lane in timeline.lanes
    )
    return replace(timeline, lanes=tuple(lanes))


async def _until_time_limit(scene: Any, stage: Stage, seconds: float) -> bool:
    """Run *scene* to its end, or up to the time limit; return whether it ended.

    Raises what the scene itself raises.
    """

    async def whole() -> None:
        await scene(stage)
        await stage.ended()

    task = asyncio.get_running_loop().create_task(whole())
    await asyncio.wait({task}, timeout=seconds)
    if not task.done():
        task.cancel()
        return False
    task.result()
    return True


@contextmanager
def _no_garbage_collected() -> Iterator[None]:
    """Turn the garbage collector off in the block.

    A connection that an answer has lost is closed when it is collected, and a picture
    must not depend on what else this process has done.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


async def _warm_up(client: httpx2.AsyncClient) -> None:
    """Do before the recording what happens only once in a process."""
    await client.get("/is/anybody/there")
    await anyio.to_thread.run_sync(_nothing)


def _nothing() -> None: ...


@contextmanager
def _surroundings() -> Iterator[dict[str, str]]:
    """Yield an environment with an empty database, and a folder for files."""
    redis_url = os.environ.get("REDIS_URL", "")
    if redis_url:
        # Without a claim, this leaves the database as it is.
        empty_database(redis_url, os.environ.get(CLAIM_VARIABLE, ""))
    with tempfile.TemporaryDirectory(
        prefix="workshop-", ignore_cleanup_errors=True
    ) as folder:
        url = os.environ.get("DATABASE_URL", "")
        if url.startswith("sqlite") or not url:
            # An empty box office for each run, and never the learner's own.
            url = f"sqlite+aiosqlite:///{Path(folder, 'box_office.db').as_posix()}"
        yield {"DATABASE_URL": url, "REDIS_URL": redis_url}
