"""Apps that would end the test, or never end themselves, if they were let."""

from pathlib import Path

import pytest

from tests.testing.nested import Told, run_lesson

APP = """
import asyncio
import sys
import threading
from contextlib import asynccontextmanager

import pytest
from fastapi import BackgroundTasks, Depends, FastAPI


@asynccontextmanager
async def lifespan(app):
    yield
    if app.state.exit_at_shutdown:
        sys.exit(5)


app = FastAPI(lifespan=lifespan)
app.state.exit_at_shutdown = False


@app.get("/exit")
async def exit_():
    sys.exit(0)


@app.get("/exit-thread")
def exit_thread():
    sys.exit(0)


def leave():
    sys.exit(0)
    yield


@app.get("/exit-dependency")
async def exit_dependency(left: object = Depends(leave)):
    return left


@app.get("/exit-background")
async def exit_background(background: BackgroundTasks):
    background.add_task(sys.exit, 0)
    return "thanks"


async def quit_():
    sys.exit(0)


@app.get("/exit-task")
async def exit_task():
    app.state.task = asyncio.create_task(quit_())
    return "thanks"


@app.get("/exit-group")
async def exit_group():
    async with asyncio.TaskGroup() as group:
        group.create_task(quit_())


@app.get("/exit-callback")
async def exit_callback():
    asyncio.get_running_loop().call_soon(sys.exit, 0)
    return "thanks"


@app.get("/skip")
async def skip():
    pytest.skip("I would rather not")


@app.get("/xfail")
async def xfail():
    pytest.xfail("as expected")


@app.get("/stop")
async def stop():
    pytest.exit("enough")


@app.get("/interrupt")
async def interrupt():
    raise KeyboardInterrupt


def helper():
    pytest.skip("called by the test itself")


async def stay():
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            pass


@app.get("/stubborn")
async def stubborn():
    app.state.task = asyncio.create_task(stay())
    return "thanks"


@app.get("/warn")
async def warn():
    import warnings

    warnings.warn("old", DeprecationWarning)
    return "thanks"


async def audit():
    pass


@app.get("/forget")
async def forget():
    audit()
    open(__file__)
    return "thanks"


def slow():
    pass


@app.get("/thread")
def thread():
    slow()
    return "thanks"
"""

PATHS = [
    "exit",
    "exit-thread",
    "exit-dependency",
    "exit-background",
    "exit-task",
    "exit-group",
    "exit-callback",
    "skip",
    "xfail",
    "stop",
    "interrupt",
]

TESTS = (
    """
import asyncio
import gc

import pytest

from workshop.testing import Gate, settle
"""
    + "".join(
        f"""

async def test_{path.replace("-", "_")}(client):
    await client.get("/{path}")
    await settle()
"""
        for path in PATHS
    )
    + """

async def test_helper(app):
    app.module.helper()


async def test_exit_at_shutdown(app):
    app.module.app.state.exit_at_shutdown = True


async def test_stubborn(client):
    assert (await client.get("/stubborn")).json() == "thanks"


async def test_after_the_stubborn(client):
    assert (await client.get("/warn")).json() == "thanks"


@pytest.mark.step(1)
async def test_a_warning_is_no_error(client):
    assert (await client.get("/warn")).json() == "thanks"


async def test_forget(client):
    assert (await client.get("/forget")).json() == "thanks"


async def test_after_the_forgetful(client):
    gc.collect()


async def test_fail_while_a_thread_waits(app, client):
    gate = Gate("the archive")
    app.replace("slow", gate.blocking)
    request = asyncio.create_task(client.get("/thread"))
    await gate.entered()
    assert False, "while a thread is waiting"


async def test_the_test_skips_itself(client):
    pytest.skip("not on this machine")


async def test_last(client):
    assert (await client.get("/thread")).json() == "thanks"
"""
)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    """What is said of each of the tests above, which run once, in this order."""
    return run_lesson(tmp_path_factory.mktemp("hostile"), APP, TESTS)


@pytest.mark.parametrize(
    ("path", "action"),
    [
        ("exit", "ended the process (sys.exit() or SystemExit) in GET /exit"),
        (
            "exit-thread",
            "ended the process (sys.exit() or SystemExit) in GET /exit-thread",
        ),
        (
            "exit-dependency",
            "ended the process (sys.exit() or SystemExit) in GET /exit-dependency",
        ),
        (
            "exit-background",
            "ended the process (sys.exit() or SystemExit) in GET /exit-background",
        ),
        (
            "exit-task",
            "ended the process (sys.exit() or SystemExit) in a task or callback",
        ),
        (
            "exit-group",
            "ended the process (sys.exit() or SystemExit) in a task or callback",
        ),
        (
            "exit-callback",
            "ended the process (sys.exit() or SystemExit) in a task or callback",
        ),
        ("skip", "called pytest.skip() in GET /skip"),
        ("xfail", "called pytest.xfail() in GET /xfail"),
        ("stop", "called pytest.exit() in GET /stop"),
        ("interrupt", "raised KeyboardInterrupt in GET /interrupt"),
        ("helper", "called pytest.skip() during the test"),
    ],
)
def test_an_app_that_would_end_the_test_fails_it(
    told: dict[str, Told], path: str, action: str
) -> None:
    report = told[f"test_{path.replace('-', '_')}"]

    assert report.verdict == "failed in call"
    assert f"AppExit: app.py {action}. An app must not end the process" in report.words


def test_the_line_that_would_end_the_test_is_named(told: dict[str, Told]) -> None:
    assert told["test_exit"].learner_line == "app.py:24  sys.exit(0)"
    assert told["test_skip"].learner_line.endswith('pytest.skip("I would rather not")')


def test_a_shutdown_that_would_end_the_process_is_an_error(
    told: dict[str, Told],
) -> None:
    assert told["test_exit_at_shutdown"].verdict == "failed in teardown"
    assert "app.py ended the process (sys.exit() or SystemExit) in its lifespan" in (
        told["test_exit_at_shutdown"].words
    )


def test_a_task_that_swallows_its_cancellation_is_named_and_abandoned(
    told: dict[str, Told],
) -> None:
    report = told["test_stubborn"]

    assert report.verdict == "failed in teardown"
    assert "task stay() at app.py:97: await asyncio.sleep(60) never ended" in (
        report.words
    )


@pytest.mark.parametrize(
    "name",
    [
        "test_a_warning_is_no_error",
        "test_forget",
        "test_after_the_forgetful",
        "test_last",
    ],
)
def test_leftovers_of_one_app_do_not_affect_another_test(
    told: dict[str, Told], name: str
) -> None:
    assert told[name].verdict == "passed", told[name].words


def test_outside_lessons_warnings_follow_the_settings(
    told: dict[str, Told],
) -> None:
    """Here they say that it is an error, so the request that warned is a 500."""
    assert told["test_after_the_stubborn"].verdict == "failed in call"
    assert "DeprecationWarning: old" not in told["test_last"].words


def test_a_test_that_fails_while_a_thread_waits_fails_for_its_own_reason(
    told: dict[str, Told],
) -> None:
    report = told["test_fail_while_a_thread_waits"]

    assert report.outcomes == {
        "setup": "passed",
        "call": "failed",
        "teardown": "passed",
    }
    assert "while a thread is waiting" in report.words


def test_a_test_may_skip_itself(told: dict[str, Told]) -> None:
    assert told["test_the_test_skips_itself"].verdict == "skipped in call"


def test_every_test_was_run_once(told: dict[str, Told], tmp_path: Path) -> None:
    assert len(told) == TESTS.count("async def test_")
