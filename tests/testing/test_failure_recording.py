"""The timeline that a failing lesson test shows of its own run."""

import pickle
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.testing.nested import Told, run_lesson
from tests.tiers import answers_at_once, sampled
from workshop.grading import Limits
from workshop.grading.engine import WORKER, make_job, run_job
from workshop.lesson import Catalogue, Lesson
from workshop.sandbox.worker_process import WorkerProcess
from workshop.testing import Gate
from workshop.testing.app.failure_recording import (
    OFF,
    choose_recording,
    forget_recording,
    record_calls,
)
from workshop.timeline import Outcome, State, Timeline, text

ROOT = Path(__file__).resolve().parents[2]
LESSONS = Catalogue(ROOT).lessons()

APP = """
import asyncio
from fastapi import FastAPI

app = FastAPI()


@app.get("/stairs")
async def stairs():
    return [await ask(venue) for venue in ("Apollo", "Bijou")]


@app.get("/abreast")
async def abreast():
    return await asyncio.gather(ask("Apollo"), ask("Bijou"))


@app.get("/held")
async def held():
    return draw("hall")


@app.get("/thread")
async def thread():
    return await asyncio.to_thread(draw, "hall")


@app.get("/forgotten")
async def forgotten():
    ask("Apollo")


async def ask(venue):
    '''The outside world.'''


def draw(what):
    '''The outside world.'''
"""

TESTS = """
import asyncio
import pytest
from workshop.testing import Gate, Rendezvous, exchange, settle

show = pytest.mark.timeline

@show
async def test_stairs(app, client):
    app.replace("ask", Rendezvous(2, "venues"))
    await client.get("/stairs")
    assert False, "no"

@show
async def test_abreast(app, client):
    app.replace("ask", Rendezvous(2, "venues"))
    await client.get("/abreast")
    assert False, "no"

@show
async def test_waiting(app):
    app.replace("ask", Gate("a venue"))
    exchange(app, "GET", "/stairs")
    await settle()
    assert False, "no"

@show
async def test_held(app, client):
    gate = Gate("the pen")
    app.replace("draw", gate.blocking)
    await client.get("/held")
    assert gate.held is None, "held"

@show
async def test_thread(app, client):
    gate = Gate("the pen")
    app.replace("draw", gate.blocking)
    drawing = asyncio.create_task(client.get("/thread"))
    await gate.entered()
    assert False, "no"

@show
async def test_forgotten(app, client, leaks):
    async def ask(venue):
        return 3
    app.replace("ask", ask)
    await client.get("/forgotten")
    assert not leaks.never_awaited(), leaks.never_awaited()

@show
async def test_crowd(app):
    app.replace("ask", Gate("a venue"))
    for _ in range(30):
        exchange(app, "GET", "/stairs")
    await settle()
    assert False, "no"

@show
async def test_passes(app, client):
    assert (await client.get("/stairs")).json() == [None, None]

async def test_not_marked(app, client):
    app.replace("ask", Rendezvous(2, "venues"))
    await client.get("/stairs")
    assert False, "no"
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    return run_lesson(tmp_path_factory.mktemp("recording"), APP, TESTS)


def lanes(told: Told) -> dict[str, tuple[float, float]]:
    assert told.timeline is not None
    return {lane.name: (lane.start, lane.end) for lane in told.timeline.lanes}


def test_sequential_calls_look_like_stairs(told: dict[str, Told]) -> None:
    found = lanes(told["test_stairs"])

    assert list(found) == [
        "#1 GET /stairs",
        "ask('Apollo')",
        "ask('Bijou')",
        "response 200",
    ]
    assert found["ask('Apollo')"][1] <= found["ask('Bijou')"][0]


def test_concurrent_calls_are_shown_side_by_side(told: dict[str, Told]) -> None:
    found = lanes(told["test_abreast"])

    assert found["ask('Apollo')"] == found["ask('Bijou')"]


def test_a_call_waiting_at_a_gate_is_unfinished(told: dict[str, Told]) -> None:
    timeline = told["test_waiting"].timeline
    assert timeline is not None
    call = next(lane for lane in timeline.lanes if lane.name == "ask('Apollo')")

    assert [span.state for span in call.spans] == [State.AWAITING]
    assert call.outcome is Outcome.UNFINISHED


def test_a_blocking_call_at_a_gate_blocks_to_the_end(
    told: dict[str, Told],
) -> None:
    timeline = told["test_held"].timeline
    assert timeline is not None
    request, others = timeline.lanes

    assert request.spans[-1].state is State.BLOCKING
    assert request.spans[-1].label == 'draw("hall")'
    assert [span.state for span in others.spans] == [State.READY]


def test_a_call_in_a_thread_is_shown_as_thread_work(told: dict[str, Told]) -> None:
    timeline = told["test_thread"].timeline
    assert timeline is not None
    call = next(lane for lane in timeline.lanes if lane.name == "draw('hall')")

    assert [span.state for span in call.spans] == [State.THREAD]


def test_a_stand_in_that_was_never_awaited_keeps_its_name(
    told: dict[str, Told],
) -> None:
    assert "['ask() made in app.py:30 in forgotten()" in told["test_forgotten"].words


def test_many_calls_are_cut_to_fit_a_terminal(told: dict[str, Told]) -> None:
    timeline = told["test_crowd"].timeline
    assert timeline is not None

    names = [lane.name for lane in timeline.lanes]
    assert len(names) == 6
    # All but one of each kind, of thirty requests and their thirty calls.
    counts = [int(name.split()[0]) for name in names if " more " in name]
    assert sum(counts) + len(names) - len(counts) == 60
    assert len(text(timeline).splitlines()) <= 8


def test_only_a_marked_failing_test_has_a_recording(told: dict[str, Told]) -> None:
    assert told["test_passes"].timeline is None
    assert told["test_not_marked"].timeline is None


def test_a_stand_in_can_be_pickled() -> None:
    choose_recording(True)
    try:
        assert pickle.loads(pickle.dumps(record_calls("largest", max))) is max
    finally:
        forget_recording()


def test_an_object_without_calls_is_left_alone() -> None:
    choose_recording(True)
    try:
        assert record_calls("venues", 5) == 5
        assert record_calls("Gate", Gate) is Gate
    finally:
        forget_recording()


@pytest.mark.one_python
@pytest.mark.parametrize("lesson", sampled(LESSONS), ids=lambda it: it.slug)
def test_recording_changes_no_verdict_and_no_message(lesson: Lesson) -> None:
    # Side by side they must not count each other's keys and connections: each run
    # starts an embedded Redis of its own.
    alone = {"WORKSHOP_REDIS_URL": ""}
    answers = (lesson.state_file(0), lesson.solution_file)
    runs = [(it, env) for it in answers for env in (alone, off(alone))]
    with ThreadPoolExecutor(answers_at_once()) as pool:
        told = list(pool.map(lambda run: _verdicts(lesson, *run), runs))

    for recorded, plain in (told[:2], told[2:]):
        assert [it[:2] for it in recorded] == [it[:2] for it in plain]
        assert not any(it[2] for it in plain)
        assert all(it[2] for it in recorded if it[0] == "failed")


def off(environment: dict[str, str]) -> dict[str, str]:
    return {**environment, OFF: "1"}


def _verdicts(
    lesson: Lesson, answer: Path, environment: dict[str, str]
) -> list[tuple[str, str, Timeline | None]]:
    """Grade *answer* by those tests of *lesson* that show a timeline."""
    job = make_job(lesson, answer)
    source = lesson.test_file.read_text(encoding="utf-8")
    job["tests"] = re.findall(r"mark\.timeline\n(?:async )?def (\w+)", source)
    assert job["tests"], "no test of this lesson shows its timeline"
    with WorkerProcess(WORKER, environment) as worker:
        (part,) = run_job(worker, job, lesson, answer, limits=Limits())
    return [
        (str(it.verdict), re.sub(r"\d+", "0", it.message), it.timeline)
        for it in map(part.judged.__getitem__, job["tests"])
    ]
