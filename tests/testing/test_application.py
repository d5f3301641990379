"""The app under test, from its loading to its end."""

import asyncio
import gc
import os
import sys
import weakref
from collections.abc import AsyncIterator
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx2
import pytest

from tests.testing.conftest import WriteApp, shortened
from workshop.testing import (
    Gate,
    Rendezvous,
    RunApp,
    RunningApp,
    ShutdownError,
    Spy,
    StartupError,
    TimeLimitExceeded,
    settle,
)
from workshop.testing.app.application import running
from workshop.testing.sync.idle import wait_until_idle

APP = '''
import asyncio
import os
from contextlib import asynccontextmanager
from fastapi import FastAPI, Request

log = []


async def fetch():
    """The outside world."""
    return "fetched"


def ask():
    return "asked"


async def stream():
    yield "streamed"


LIMIT = 10


@asynccontextmanager
async def lifespan(app):
    log.append("up")
    yield {"greeting": await fetch(), "url": os.environ.get("DATABASE_URL")}
    log.append("down")


app = FastAPI(lifespan=lifespan)


@app.get("/")
async def home(request: Request):
    return request.state.greeting


@app.get("/boom")
async def boom():
    raise LookupError("no such show")


@app.get("/whoami")
async def whoami(request: Request):
    return request.client.host


@app.get("/wait")
async def wait():
    return await fetch()


@app.get("/wait-in-a-thread")
def wait_in_a_thread():
    return ask()


@app.get("/stuck")
async def stuck():
    await asyncio.Event().wait()


@app.get("/forget")
async def forget():
    async def job():
        raise OSError("mail server is down")

    app.state.job = asyncio.create_task(job())
    return "thanks"
'''


async def test_startup_has_run_and_requests_see_its_state(
    app: RunningApp, client: httpx2.AsyncClient
) -> None:
    assert app.module.log == ["up"]
    assert (await client.get("/")).json() == "fetched"


async def test_a_client_may_come_from_any_address(app: RunningApp) -> None:
    async with app.client(client=("203.0.113.1", 50000)) as client:
        assert (await client.get("/whoami")).json() == "203.0.113.1"


async def test_shutdown_runs_once(app: RunningApp) -> None:
    log = app.module.log
    await app.shutdown()
    await app.shutdown()

    assert log == ["up", "down"]


async def test_shutdown_runs_at_the_end_of_the_test_by_default(
    run_app: RunApp,
) -> None:
    async with run_app() as app:
        log = app.module.log

    assert log == ["up", "down"]


async def test_each_instance_is_separate_and_leaves_nothing_behind(
    run_app: RunApp,
) -> None:
    async with run_app() as app:
        first = weakref.ref(app.module)
        fastapi_app = weakref.ref(app.module.app)
        async with app.client() as client:
            await client.get("/")
    async with run_app() as app:
        assert app.module is not first()

    assert (first(), fastapi_app()) == (None, None)
    assert "app" not in sys.modules


async def test_the_database_is_never_the_learners_own_file(
    app: RunningApp,
) -> None:
    """Although this test asks for no database."""
    assert app.state["url"].startswith("sqlite+aiosqlite:///")
    assert Path(app.state["url"].partition(":///")[2]).is_absolute()


async def test_stand_ins_may_be_installed_before_startup(run_app: RunApp) -> None:
    gate = Gate("the greeting", result="faked")
    gate.open()
    async with run_app(replace={"fetch": gate}) as app:
        assert app.state["greeting"] == "faked"


async def test_the_environment_is_set_for_startup_and_restored(
    run_app: RunApp,
) -> None:
    before = os.environ["DATABASE_URL"]
    async with run_app(env={"DATABASE_URL": "elsewhere"}) as app:
        assert app.state["url"] == "elsewhere"

    assert os.environ["DATABASE_URL"] == before


async def test_the_test_may_run_startup_itself(run_app: RunApp) -> None:
    async with run_app(start=False) as app:
        assert (app.module.log, app.started) == ([], False)
        await app.startup()
        assert (app.module.log, app.started) == (["up"], True)


async def test_errors_are_kept_and_logged(
    app: RunningApp, client: httpx2.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    assert (await client.get("/boom")).status_code == 500
    assert [str(error) for error in app.errors] == ["no such show"]
    assert "Exception in GET /boom" in caplog.text
    assert str(app.learner_line()).endswith('raise LookupError("no such show")')


async def test_an_exception_of_a_forgotten_task_is_kept_too(
    app: RunningApp, client: httpx2.AsyncClient
) -> None:
    """It does not become the failure of whatever runs when it is collected."""
    await client.get("/forget")
    del app.module.app.state.job
    gc.collect()

    assert [str(error) for error in app.errors] == ["mail server is down"]


async def test_a_request_without_a_response_fails_with_a_message(
    client: httpx2.AsyncClient,
) -> None:
    no_response = r"^GET /stuck never got a response\. Expected"
    with shortened(), pytest.raises(TimeLimitExceeded, match=no_response):
        await client.get("/stuck")


async def test_requests_in_flight_at_the_end_are_cancelled(run_app: RunApp) -> None:
    async with run_app() as app, app.client() as client:
        request = asyncio.create_task(client.get("/stuck"))
        await settle()
        assert not request.done()

    assert request.cancelled()


async def test_a_missing_name_is_reported(app: RunningApp) -> None:
    with pytest.raises(AssertionError, match=r"app.py has no mainframe any more.*back"):
        app.replace("mainframe", Gate("it"))


async def _stream() -> AsyncIterator[str]:
    yield ""


@pytest.mark.parametrize(
    ("name", "fake", "was", "now"),
    [
        ("ask", Gate("it"), "async def", "def"),
        ("ask", Rendezvous(2, "calls"), "async def", "def"),
        ("fetch", Gate("it").blocking, "def", "async def"),
        ("fetch", Spy(len, "it"), "def", "async def"),
        ("stream", Gate("it"), "async def", "async def … yield"),
        ("fetch", _stream, "async def … yield", "async def"),
    ],
)
async def test_a_stand_in_of_another_kind_is_an_error(
    app: RunningApp, name: str, fake: object, was: str, now: str
) -> None:
    with pytest.raises(AssertionError) as failure:
        app.replace(name, fake)

    assert f"was `{was}`; now it is `{now}`. Put it back" in str(failure.value)


async def test_stand_ins_of_the_same_kind_are_installed(app: RunningApp) -> None:
    fakes = {
        "fetch": Gate("it"),
        "ask": Rendezvous(2, "calls").blocking,
        "stream": _stream,
        "LIMIT": 3,
    }
    for name, fake in fakes.items():
        app.replace(name, fake)

    assert {name: getattr(app.module, name) for name in fakes} == fakes


STARTUP_FAILS = """
from contextlib import asynccontextmanager
from fastapi import FastAPI

@asynccontextmanager
async def lifespan(app):
    raise ConnectionError("no database")
    yield

app = FastAPI(lifespan=lifespan)
"""


async def test_a_failed_startup_says_why_and_where(write_app: WriteApp) -> None:
    with pytest.raises(StartupError) as failure:
        async with running(write_app(STARTUP_FAILS)):
            pytest.fail("it has not started")

    assert "app.py failed in its start-up: ConnectionError('no database')" in str(
        failure.value
    )
    assert 'app.py:7  raise ConnectionError("no database")' in str(failure.value)
    assert isinstance(failure.value.__cause__, ConnectionError)


async def test_an_app_that_ignores_its_lifespan_is_told_what_to_do(
    write_app: WriteApp,
) -> None:
    text = "async def app(scope, receive, send):\n    pass\n"
    with pytest.raises(StartupError, match="pass on scopes of the type 'lifespan'"):
        async with running(write_app(text)):
            pytest.fail("it has not started")


async def test_an_endless_startup_fails_with_a_message(
    write_app: WriteApp, short_limit: None
) -> None:
    text = STARTUP_FAILS.replace(
        'raise ConnectionError("no database")',
        "import asyncio; await asyncio.Event().wait()",
    )
    with pytest.raises(
        TimeLimitExceeded, match=r"^app.py never finished its start-up.$"
    ):
        async with running(write_app(text)):
            pytest.fail("it has not started")


async def test_a_failed_shutdown_says_why(write_app: WriteApp) -> None:
    text = STARTUP_FAILS.replace("    yield\n", "").replace(
        "    raise", "    yield\n    raise"
    )
    with pytest.raises(ShutdownError, match=r"shutdown: ConnectionError"):
        async with running(write_app(text)) as app:
            await app.shutdown()


async def test_an_endless_shutdown_fails_with_a_message(write_app: WriteApp) -> None:
    text = STARTUP_FAILS.replace("    yield\n", "").replace(
        '    raise ConnectionError("no database")',
        "    yield\n    import asyncio; await asyncio.Event().wait()",
    )
    never_finished = r"^app.py never finished its shutdown.$"
    with ExitStack() as started, pytest.raises(TimeLimitExceeded, match=never_finished):
        async with running(write_app(text)):
            started.enter_context(shortened())


async def ask_for(app: RunningApp, path: str) -> str:
    """Return what a customer of *app* is answered."""
    async with app.client() as client:
        return str((await client.get(path)).json())


async def test_a_task_that_is_started_again_and_again_is_reported(
    write_app: WriteApp,
) -> None:
    file = write_app(
        """\
        import asyncio
        from fastapi import FastAPI

        app = FastAPI()


        def start(done=None):
            task = asyncio.create_task(asyncio.sleep(60))
            task.add_done_callback(start)


        @app.get("/start")
        async def begin():
            start()
        """
    )
    again = r"was started again each time that it was cancelled"
    with pytest.raises(TimeLimitExceeded, match=again):
        async with running(file) as app, app.client() as client:
            await client.get("/start")


async def test_a_lifespan_that_ended_early_does_not_end_the_next_one(
    write_app: WriteApp,
) -> None:
    file = write_app(
        """\
        import asyncio
        from contextlib import asynccontextmanager
        from fastapi import FastAPI

        cut = []


        @asynccontextmanager
        async def lifespan(app):
            cut.append(asyncio.current_task())
            yield


        app = FastAPI(lifespan=lifespan)
        """
    )
    async with running(file) as app:
        app.module.cut[0].cancel()
        await settle()
        with pytest.raises(ShutdownError):
            await app.shutdown()
        await app.startup()
        await settle()

        assert not app.module.cut[1].done()


@pytest.mark.parametrize("path", ["/wait", "/wait-in-a-thread"])
async def test_the_end_of_an_app_releases_no_caller_of_another(
    run_app: RunApp, path: str
) -> None:
    """Also when it ends because the test has failed."""
    venue = Gate("the venue", result="late")
    fakes = {"fetch": venue, "ask": venue.blocking}
    async with run_app(start=False, replace=fakes) as outer:
        with suppress(ValueError):
            async with run_app(start=False, replace=fakes) as inner:
                outers = asyncio.create_task(ask_for(outer, path))
                inners = asyncio.create_task(ask_for(inner, path))
                await venue.entered(2)
                raise ValueError("the test failed")

        await asyncio.wait({inners})
        # A thread that was let go may not have had its turn yet.
        await wait_until_idle(lambda: venue.waiting, until=lambda: venue.waiting < 2)
        assert (venue.waiting, venue.is_open, outers.done()) == (1, False, False)
        venue.open("opened")
        assert await outers == "opened"


async def test_the_end_of_an_app_releases_no_rendezvous_of_another(
    run_app: RunApp,
) -> None:
    venues = Rendezvous(3, "venue calls", result="met")
    async with run_app(start=False, replace={"fetch": venues}) as outer:
        async with run_app(start=False, replace={"fetch": venues}) as inner:
            outers = asyncio.create_task(ask_for(outer, "/wait"))
            inners = asyncio.create_task(ask_for(inner, "/wait"))
            while venues.count < 2:
                await settle(1)

        await asyncio.wait({inners})
        assert (venues.waiting, outers.done()) == (1, False)
        venues.release()
        assert await outers == "met"


async def test_the_end_of_an_app_cancels_nothing_in_another(
    run_app: RunApp,
) -> None:
    async with run_app() as outer, outer.client() as client:
        async with run_app() as inner:
            outers = asyncio.create_task(client.get("/stuck"))
            inners = asyncio.create_task(ask_for(inner, "/stuck"))
            tests_own = asyncio.create_task(settle(1000))
            await settle()
        await settle()

        assert inners.cancelled()
        assert not outers.done()
        await tests_own
    assert outers.cancelled()


async def test_each_app_tracks_its_tasks_after_another_has_ended(
    run_app: RunApp,
) -> None:
    loop = asyncio.get_running_loop()
    handler = loop.get_exception_handler()
    async with run_app() as outer:
        async with run_app():
            pass
        await ask_for(outer, "/forget")
        del outer.module.app.state.job
        gc.collect()

        assert [str(error) for error in outer.errors] == ["mail server is down"]
    assert loop.get_exception_handler() == handler
