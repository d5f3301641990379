"""Play scenes in this process and record them: the worker's side of `play`."""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import os
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import replace
from enum import Enum, auto
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, Any

import anyio.to_thread
import httpx2

from workshop.scenario.moments import marked_cache_reads, marked_transactions
from workshop.scenario.redis import modelled_redis
from workshop.scenario.source import loaded
from workshop.scenario.sqlite import modelled_sqlite
from workshop.scenario.stage import Stage
from workshop.scenario.transport import RequestRun, StreamingTransport
from workshop.services import ServiceError
from workshop.services.redis import CLAIM_VARIABLE, empty_database
from workshop.testing.app.application import running
from workshop.testing.reporting.failures import (
    AppLoadError,
    ShutdownError,
    StartupError,
)
from workshop.testing.reporting.source import line_of_error
from workshop.testing.time.event_loop import LessonLoop
from workshop.timeline import NameRequests, Span, Timeline, record, virtual
from workshop.timeline.strain import unexplained_wait
from workshop.timeline.words import time

if TYPE_CHECKING:
    from workshop.sandbox.event_channel import EventChannel

_REHEARSAL_SECONDS = 1.0

_STRAIN = 50.0
"""If a lane waits this many milliseconds for a free loop, the machine is too busy."""

_IN_WORDS = (
    AppLoadError,
    AssertionError,
    ServiceError,
    ShutdownError,
    StartupError,
    virtual.VirtualTimeError,
)
"""Exceptions whose message alone says what is wrong with the app."""


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
        except Exception as problem:  # noqa: BLE001 -- whatever the app did
            words = f"{type(problem).__name__}: {problem}"
            channel.send("refused", number=number, words=words)
        else:
            channel.send("played", number=number, timeline=timeline.as_json())
        finally:
            faulthandler.cancel_dump_traceback_later()


def perform(
    script: Path, scene: str, answer: Path, *, exact: bool, seconds: float
) -> Timeline:
    """Play the *scene* of *script* with the app in the file *answer*.

    The scene ends after *seconds* of the loop's time. Requests that have no response by
    then are unfinished. *exact* uses virtual time, which always gives the same
    timeline.
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
        # Imports and the like happen only once, so they happen in the rehearsal.
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
        transport.runs.clear()
        stage = Stage(app, client, transport)
        stack.push_async_callback(stage.clear)
        stack.enter_context(marked_transactions())
        stack.enter_context(marked_cache_reads())
        async with record(here=None, prefer=answer) as recording:
            end = await _until_time_limit(
                _hidden(getattr(script, scene)), stage, seconds
            )
        headline = stage.headline_words()
    notes = [_failure(run, run.failure) for run in transport.runs if run.failure]
    if end is _End.BY_SCENE_ERROR:
        notes.append("The scene ended early because it could not use a response.")
    if end is _End.BY_TIME_LIMIT:
        notes.append(f"The recording was ended after {time(seconds * 1000)}.")
    if unexplained_wait(recording.timeline) > _STRAIN:
        notes.append(
            "This machine was busy: a lane waited although the event loop was free. "
            "Record again."
        )
    timeline, hidden = _without(recording.timeline, stage.left_out)
    notes += [f"Not shown: {', '.join(hidden)}."] if hidden else []
    timeline = _with_names_of_app(timeline, script, answer)
    return replace(
        timeline,
        notes=(*timeline.notes, *dict.fromkeys(notes)),
        headline=headline,
    )


def _failure(run: RequestRun, failure: Exception) -> str:
    """Return a sentence about a request for which the app raised *failure*."""
    customer = run.customer or "the client"
    what = f"{type(failure).__name__}: {failure}".strip().rstrip(":.").splitlines()[0]
    line = line_of_error(failure)
    where = f" at app.py:{line.line}" if line else ""
    if run.begun.done() and not run.begun.cancelled() and run.begun.result().is_error:
        result = f"{customer} got a {run.begun.result().status_code}"
    else:
        result = f"{customer} did not get a complete response"
    return f"{run.name} raised {what}{where}, so {result}."


def _hidden(scene: Any) -> Any:
    """Return *scene* as a function without a file, so that it has no lane."""
    code = scene.__code__.replace(co_filename="<frozen scene>")
    return FunctionType(code, scene.__globals__, scene.__name__)


def _with_names_of_app(timeline: Timeline, script: Any, answer: Path) -> Timeline:
    """Return *timeline* with *answer* called app.py, and without lines of *script*.

    The file may be a starter such as `steps/0.py`. Learners do not edit stand-ins, so
    their lines would not help.
    """
    own = f"{Path(script.__file__).name}:"

    def renamed(span: Span) -> Span:
        if span.where.startswith(own):
            return replace(span, label="", where="")
        name, _, line = span.where.rpartition(":")
        return replace(span, where=f"app.py:{line}") if name == answer.name else span

    lanes = (
        replace(lane, spans=tuple(renamed(span) for span in lane.spans))
        for lane in timeline.lanes
    )
    return replace(timeline, lanes=tuple(lanes))


def _without(
    timeline: Timeline, functions: Collection[str]
) -> tuple[Timeline, list[str]]:
    """Return *timeline* without the lanes of *functions*, and the names of those."""
    hidden = [
        lane
        for lane in timeline.lanes
        if lane.depth and lane.name.partition("(")[0].rpartition(".")[2] in functions
    ]
    shown = tuple(lane for lane in timeline.lanes if lane not in hidden)
    return replace(timeline, lanes=shown), sorted({lane.name for lane in hidden})


class _End(Enum):
    """How a scene ended."""

    AS_PLANNED = auto()
    BY_SCENE_ERROR = auto()
    BY_TIME_LIMIT = auto()


async def _until_time_limit(scene: Any, stage: Stage, seconds: float) -> _End:
    """Play *scene* until it ends, or until the time limit.

    A scene cannot continue if it does not get the response that it expects. This is not
    an error of the recording.
    """

    async def whole() -> _End:
        end = _End.AS_PLANNED
        try:
            await scene(stage)
        except _IN_WORDS:
            raise
        except Exception:  # noqa: BLE001 -- whatever the scene does with a response
            end = _End.BY_SCENE_ERROR
        await stage.ended()
        return end

    task = asyncio.get_running_loop().create_task(whole())
    await asyncio.wait({task}, timeout=seconds)
    if not task.done():
        task.cancel()
        return _End.BY_TIME_LIMIT
    return task.result()


@contextmanager
def _no_garbage_collected() -> Iterator[None]:
    """Turn the garbage collector off in the block.

    A connection that the app has lost is closed when it is collected. A picture must
    not depend on when that happens.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


async def _warm_up(client: httpx2.AsyncClient) -> None:
    """Run code before the recording that is slow only the first time."""
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
