"""Scenes played with answers of every kind."""

from __future__ import annotations

from pathlib import Path

import pytest

from workshop.grading import Limits
from workshop.scenario import (
    NotRecorded,
    Recorded,
    ScenarioRun,
    ScriptError,
    play,
    read_scenes,
)
from workshop.timeline import State, Timeline

SCRIPT = '''
import time

async def two(stage):
    """A report, and somebody in a hurry. More words."""
    stage.request("GET", "/report")
    stage.request("GET", "/ping", at=10)

async def _private(stage): ...
async def no_scene(other): ...
def neither(stage): ...

def ask():
    time.sleep(0.1)

WORLD = {"ask": ask}
'''
APP = """
from fastapi import FastAPI
app = FastAPI()

@app.get("/ping")
async def ping(): ...

@app.get("/report")
async def report():
    ask()

def ask(): ...
"""
WRONG = {
    "no python": "def",
    "no app": "print('hello')",
    "ends the process": "raise SystemExit(3)",
    "no ask": APP.replace("def ask", "def asks"),
    "another ask": APP.replace("def ask", "async def ask"),
    "no start": APP.replace("FastAPI()", "FastAPI(lifespan=lambda app: 1 / 0)"),
    "no end": APP.replace("    ask()", "    await __import__('asyncio').sleep(99)"),
    "an error": APP.replace("    ask()", "    return 1 / 0"),
}


# A client in the same process would hide both, but a server does not.
OUTSIDE = '''
async def customer(stage):
    """A customer has an answer, and another one leaves."""
    await stage.request("GET", "/early")
    async with stage.client.stream("GET", "/board") as board:
        async for line in board.aiter_lines():
            break
    stage.request("GET", "/left")
'''
SERVED = """
import asyncio
from fastapi import BackgroundTasks, FastAPI, Request, Response
from fastapi.responses import StreamingResponse
app = FastAPI()
left = []

@app.get("/early")
async def early(background: BackgroundTasks):
    background.add_task(asyncio.sleep, 0.5)

@app.get("/board")
async def board():
    async def lines():
        try:
            while True:
                yield "sold\\n"
                await asyncio.sleep(0.1)
        finally:
            left.append(1)
    return StreamingResponse(lines())

@app.get("/left")
async def who_left():
    await asyncio.sleep(0.2)
    return Response(status_code=410 if left else 500)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scenes")


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name.replace(" ", "_") / "app.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def script(folder: Path) -> Path:
    path = folder / "scenario.py"
    path.write_text(SCRIPT, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def played(folder: Path, script: Path) -> dict[str, Recorded | NotRecorded]:
    """What came of every answer, all in one process and in virtual time."""
    answers = {"right": APP, "again": APP, **WRONG}
    plays = [
        ScenarioRun(script, "two", written(folder, name, text))
        for name, text in answers.items()
    ]
    outside = folder / "outside.py"
    outside.write_text(OUTSIDE, encoding="utf-8")
    plays.append(ScenarioRun(outside, "customer", written(folder, "served", SERVED)))
    return dict(zip([*answers, "served"], play(plays, exact=True), strict=True))


def timeline_of(found: Recorded | NotRecorded) -> Timeline:
    assert isinstance(found, Recorded), found.words
    return found.timeline


Played = dict[str, Recorded | NotRecorded]


def test_a_scene_is_a_public_coroutine_with_a_stage(script: Path) -> None:
    (scene,) = read_scenes(script)

    assert scene.name == "two"
    assert scene.title == "A report, and somebody in a hurry. More words"


@pytest.mark.parametrize("text", ["", "async def", "async def other(): ..."])
def test_a_file_without_a_scene_is_reported(tmp_path: Path, text: str) -> None:
    path = tmp_path / "scenario.py"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(ScriptError, match=r"scenario\.py"):
        read_scenes(path)


def test_a_missing_file_can_be_restored(tmp_path: Path) -> None:
    with pytest.raises(ScriptError, match="git checkout"):
        read_scenes(tmp_path / "scenario.py")


def test_requests_wait_while_the_loop_is_blocked(played: Played) -> None:
    report, ping = timeline_of(played["right"]).lanes

    assert report.name == "#1 GET /report"
    assert report.spans[0].state is State.BLOCKING
    assert ping.name == "#2 GET /ping"
    assert ping.spans[0].state is State.READY
    assert (ping.spans[0].start, ping.spans[0].end) == (10, 100)


def test_virtual_time_always_gives_the_same_timeline(played: Played) -> None:
    assert timeline_of(played["right"]) == timeline_of(played["again"])


def test_an_error_in_the_app_is_a_failed_lane(played: Played) -> None:
    timeline = timeline_of(played["an error"])

    assert timeline.lanes[0].reason == "ZeroDivisionError: division by zero"
    assert [mark.label for mark in timeline.lanes[0].marks] == ["response 500"]
    (note,) = timeline.notes
    assert "ZeroDivisionError: division by zero at app.py:10" in note
    assert "500" in note


# Each scene uses a response that a broken app does not give.
USES = '''
async def buys(stage):
    """Ann buys, and opens her order."""
    stage.headline(lambda: f"{stage.wait_of('Ann')} {order['code']}")
    order = (await stage.request("POST", "/orders", customer="Ann")).json()
    stage.request("GET", f"/orders/{order['code']}", customer="Ann")

async def reads(stage):
    """Ann reads a stream that breaks off."""
    async with stage.client.stream("GET", "/stream") as stream:
        async for line in stream.aiter_lines():
            pass
'''
BROKEN = """
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
app = FastAPI()

@app.post("/orders")
async def orders():
    raise LookupError("no such show")

@app.get("/stream")
async def stream():
    async def lines():
        yield "one"
        raise OSError("line is dead")
    return StreamingResponse(lines())
"""


@pytest.mark.parametrize(
    ("scene", "words"),
    [
        ("buys", "POST /orders raised LookupError: no such show at app.py:8"),
        ("reads", "GET /stream raised OSError: line is dead at app.py:14"),
    ],
)
def test_a_scene_that_cannot_use_a_response_is_recorded_up_to_there(
    folder: Path, scene: str, words: str
) -> None:
    script = folder / "uses.py"
    script.write_text(USES, encoding="utf-8")
    answer = written(folder, "broken", BROKEN)
    (found,) = play([ScenarioRun(script, scene, answer)], exact=True)

    timeline = timeline_of(found)
    assert len(timeline.lanes) == 1
    assert timeline.lanes[0].outcome == "failed"
    assert timeline.notes[0].startswith(words)
    assert timeline.headline == ""


MARKED = '''
from workshop.scenario import external_call
from workshop.timeline import mark

async def buys(stage):
    """Ann buys."""
    stage.headline(lambda: stage.wait_of("ann"))
    stage.request("POST", "/orders", customer="ann", at=10)

@external_call
async def ask(venue):
    import asyncio
    await asyncio.sleep(0.1)
    mark("asked")

WORLD = {"ask": ask}
'''
STORES = """
import os
from contextlib import asynccontextmanager
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
engine = create_async_engine(os.environ["DATABASE_URL"])

@asynccontextmanager
async def lifespan(app):
    yield
    await engine.dispose()

app = FastAPI(lifespan=lifespan)

@app.post("/orders", status_code=201)
async def orders():
    await ask("Apollo")
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE orders (code TEXT)"))

async def ask(venue): ...
"""


def test_customers_calls_commits_and_responses_are_shown(folder: Path) -> None:
    script = folder / "marked.py"
    script.write_text(MARKED, encoding="utf-8")
    answer = written(folder, "stores", STORES)
    (found,) = play([ScenarioRun(script, "buys", answer)], exact=True)

    timeline = timeline_of(found)
    request, call = timeline.lanes
    assert request.name == "ann: POST /orders"
    assert [it.label for it in request.marks] == ["asked", "commit", "response 201"]
    assert (call.name, call.start, call.end) == ("ask('Apollo')", 10, 110)
    assert timeline.headline.startswith("Ann waited 10")


WAITS = """
import asyncio
from fastapi import FastAPI
app = FastAPI()

async def works():
    await asyncio.sleep(0.1)

async def watches():
    await asyncio.sleep(9)

@app.get("/report")
async def report():
    watching = asyncio.create_task(watches())
    await asyncio.create_task(works())
    watching.cancel()
"""


def test_a_scene_can_leave_out_tasks_that_only_wait(folder: Path) -> None:
    script = folder / "leaves_out.py"
    script.write_text(
        "async def report(stage):\n"
        "    'A report.'\n"
        "    stage.leave_out('watches', 'nothing')\n"
        "    stage.request('GET', '/report')\n",
        encoding="utf-8",
    )
    answer = written(folder, "waits", WAITS)
    (found,) = play([ScenarioRun(script, "report", answer)], exact=True)

    timeline = timeline_of(found)
    assert [lane.name for lane in timeline.lanes] == ["#1 GET /report", "works()"]
    assert timeline.notes == ("Not shown: watches().",)


def test_a_request_without_a_response_is_unfinished_at_the_time_limit(
    played: Played,
) -> None:
    timeline = timeline_of(played["no end"])

    assert timeline.lanes[0].outcome == "unfinished"
    assert timeline.notes == ("The recording was ended after 6000 ms.",)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("no python", "app.py is not valid Python"),
        ("no app", "app.py has no FastAPI object called `app`"),
        ("ends the process", "app.py ended the process (sys.exit() or SystemExit)"),
        ("no ask", "app.py has no ask any more"),
        ("another ask", "belongs to the outside world and was `def`"),
        ("no start", "app.py failed in its start-up"),
    ],
)
def test_a_file_that_cannot_be_recorded_is_reported(
    played: Played, name: str, words: str
) -> None:
    found = played[name]

    assert isinstance(found, NotRecorded)
    assert words in found.words


def test_a_killed_process_is_reported(folder: Path, script: Path) -> None:
    text = APP.replace("    ask()", "    __import__('os')._exit(7)")
    (found,) = play([ScenarioRun(script, "two", written(folder, "gone", text))])

    assert isinstance(found, NotRecorded)
    assert "exit code 7" in found.words


def test_an_endlessly_blocked_loop_is_ended_and_its_line_named(
    folder: Path, script: Path
) -> None:
    text = APP.replace("    ask()", "    while True: ask()")
    answer = written(folder, "held", text)
    limits = Limits(test_seconds=5)
    (found,) = play([ScenarioRun(script, "two", answer)], limits=limits)

    assert isinstance(found, NotRecorded)
    assert "There was no end after 5 s" in found.words
    assert "app.py:10  while True: ask()" in found.words


def test_a_client_is_served_as_by_a_real_server(played: Played) -> None:
    timeline = timeline_of(played["served"])
    early, *_, left = timeline.lanes

    assert [(it.at, it.label) for it in early.marks] == [(0, "response 200")]
    assert early.end == 500
    assert [it.label for it in left.marks] == ["response 410"]
