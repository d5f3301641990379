"""The pytest plugin: the fixtures of lesson tests, and what a report says."""

from __future__ import annotations

import functools
import gc
import inspect
import os
import tempfile
import traceback
import warnings
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from workshop.testing.app.application import (
    RunningApp,
    raise_exits,
    running,
    running_apps,
)
from workshop.testing.app.exits import as_app_exit
from workshop.testing.app.failure_recording import (
    choose_recording,
    end_recording,
    forget_recording,
    recording_as_json,
)
from workshop.testing.app.leaks import Leaks
from workshop.testing.reporting.exception_groups import full_name, in_its_group, leaves
from workshop.testing.reporting.failures import AppExit
from workshop.testing.reporting.never_awaited import unawaited_in
from workshop.testing.reporting.shortened import counted
from workshop.testing.reporting.source import is_mistake, line_of_error
from workshop.testing.sync.gate import first_held, forget_gates, open_all_gates
from workshop.testing.sync.rendezvous import (
    first_held_meeting,
    forget_meetings,
    release_all_meetings,
)
from workshop.testing.sync.spy import first_held_call, forget_spies
from workshop.testing.time.clock import Clock, ManualClockLoop
from workshop.testing.time.debugging import lift_limits
from workshop.testing.time.event_loop import LessonLoop

if TYPE_CHECKING:
    import httpx2

    from workshop.services import Service
    from workshop.testing.app.server import Server
    from workshop.testing.app.server_process import ServerProcess
    from workshop.testing.app.thread_pool import ThreadPool
    from workshop.testing.services.database import Database
    from workshop.testing.services.redis import RedisServer

# How many different errors are reported. Nobody reads the last of more than that.
_MOST = 8

Serve = Callable[..., AbstractAsyncContextManager["Server"]]
ServeProcess = Callable[..., AbstractAsyncContextManager["ServerProcess"]]
RunApp = Callable[..., AbstractAsyncContextManager[RunningApp]]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--app` and `--database`."""
    group = parser.getgroup("workshop")
    group.addoption("--app", metavar="FILE", help="the file under test")
    group.addoption(
        "--database",
        choices=["sqlite", "postgres"],
        help="the database of the lessons; by default WORKSHOP_DATABASE_URL, or SQLite",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the lessons' markers where the project's settings are not read."""
    config.addinivalue_line(
        "markers", "step(number): the lesson step that this test belongs to"
    )
    config.addinivalue_line(
        "markers", "timeline: show with its failure who waited for whom, in order"
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep a learner's warnings warnings, however strict the settings are."""
    for item in items:
        if item.get_closest_marker("step") is not None:
            item.add_marker(pytest.mark.filterwarnings("default"))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Leave it to the tests to report what a learner's app did not close.

    If it were collected later, it would be an error of the whole run where warnings are
    errors.
    """
    if any(item.get_closest_marker("step") for item in session.items):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            gc.unfreeze()
            gc.collect()


def pytest_enter_pdb() -> None:
    """Lift all time limits from now on, because a person is looking at the app."""
    lift_limits()


@pytest.fixture
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """Run async tests on asyncio, on a loop of their own."""
    if "clock" in request.fixturenames:
        return "asyncio", {"loop_factory": ManualClockLoop}
    return "asyncio", {"loop_factory": LessonLoop}


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still until the test moves it."""
    return Clock()


@pytest.fixture
def app_file(request: pytest.FixtureRequest) -> Path:
    """The file under test: --app, else WORKSHOP_APP, else app.py beside the test."""
    given = request.config.getoption("--app") or os.environ.get("WORKSHOP_APP")
    return Path(given).resolve() if given else request.path.with_name("app.py")


@pytest.fixture
def surroundings(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """What must exist before the app is loaded, above all its database."""
    with tempfile.TemporaryDirectory(
        prefix="workshop-", ignore_cleanup_errors=True
    ) as folder:
        if "database" not in request.fixturenames:
            # Never the learner's own file, also where a test asks for no database.
            file = Path(folder, "box_office.db").as_posix()
            monkeypatch.setenv("DATABASE_URL", f"sqlite+aiosqlite:///{file}")
        for name in ("database", "redis"):
            if name in request.fixturenames:
                request.getfixturevalue(name)
        yield


@pytest.fixture(scope="session")
def database_service(request: pytest.FixtureRequest) -> Iterator[Service]:
    """The database server of this session, started when first needed."""
    from workshop.services import database_server

    with database_server(request.config.getoption("--database")) as service:
        yield service


@pytest.fixture(scope="session")
def redis_service() -> Iterator[Service]:
    """The Redis of this session, started when first needed."""
    from workshop.services import redis_server

    with redis_server() as service:
        yield service


@pytest.fixture
async def redis(
    redis_service: Service, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[RedisServer]:
    """An empty Redis for this test, named in REDIS_URL."""
    from workshop.testing.services.redis import empty_redis

    async with empty_redis(redis_service) as server:
        monkeypatch.setenv("REDIS_URL", server.url)
        yield server


@pytest.fixture
async def database(
    database_service: Service, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Database]:
    """A database for this test alone, and a second connection to look into it."""
    from workshop.testing.services.database import fresh_database

    with tempfile.TemporaryDirectory(
        prefix="workshop-", ignore_cleanup_errors=True
    ) as folder:
        async with fresh_database(
            database_service.url, Path(folder), database_service.claim
        ) as database:
            monkeypatch.setenv("DATABASE_URL", database.url)
            yield database


@pytest.fixture
async def app(app_file: Path, surroundings: None) -> AsyncIterator[RunningApp]:
    """The app under test, loaded anew and started; shut down after the test."""
    async with running(app_file) as app:
        yield app


@pytest.fixture
def run_app(app_file: Path, surroundings: None, anyio_backend: object) -> RunApp:
    """Loads and starts the app when the test asks for it.

    `async with run_app(replace={…}, env={…}, start=True) as app:`
    """
    return functools.partial(running, app_file)


@pytest.fixture
async def client(app: RunningApp) -> AsyncIterator[httpx2.AsyncClient]:
    """An in-process client of `app`."""
    async with app.client() as client:
        yield client


@pytest.fixture
def serve(anyio_backend: object) -> Serve:
    """Serves an app with a real uvicorn.

    `async with serve(app) as server:`
    """
    from workshop.testing.app.server import serving

    return serving


@pytest.fixture
def serve_process(anyio_backend: object) -> ServeProcess:
    """Serves the app in a file with uvicorn in a process of its own.

    `async with serve_process(file, workers=1, env={…}) as server:`
    """
    from workshop.testing.app.server_process import serving_process

    return serving_process


@pytest.fixture
def thread_pool(anyio_backend: object) -> ThreadPool:
    """The thread pool that `def` routes share."""
    from workshop.testing.app.thread_pool import ThreadPool

    return ThreadPool()


@pytest.fixture
def leaks() -> Leaks:
    """What the app has left behind."""
    return Leaks()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Prevent the app from ending the test, whether as passed or as skipped."""
    if inspect.iscoroutinefunction(pyfuncitem.obj):
        pyfuncitem.obj = _guarded(pyfuncitem.obj)
    return (yield)


def _guarded(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    async def guarded(**arguments: Any) -> None:
        try:
            await function(**arguments)
        except BaseException as exc:
            # A test may skip itself. The app may not skip the test.
            if line_of_error(exc) and (ended := as_app_exit(exc, "during the test")):
                raise ended from exc
            raise
        raise_exits()

    return guarded


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Record the test if it asks for it."""
    choose_recording(item.get_closest_marker("timeline") is not None)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown() -> None:
    """Release every caller that still waits in a thread or in the loop."""
    open_all_gates()
    release_all_meetings()


def pytest_runtest_logfinish() -> None:
    """Drop the recording of the test that has ended."""
    forget_recording()
    forget_gates()
    forget_meetings()
    forget_spies()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Report as properties what explains a failure: line, errors, attempts to exit."""
    if call.when != "setup":
        end_recording()
    failed = call.excinfo is not None and not isinstance(
        call.excinfo.value, pytest.skip.Exception
    )
    if failed:
        # A forgotten task found by the garbage collector prints its traceback. In the
        # middle of pytest's own reading of the source that upsets Python 3.11.
        gc.collect()
    report = yield
    if failed:
        assert call.excinfo is not None
        item.user_properties += _app_properties()
        line = _learner_line(call.excinfo.value)
        if line and not any(name == "learner_line" for name, _ in item.user_properties):
            item.user_properties.append(("learner_line", line))
        if call.when == "call" and (timeline := recording_as_json()):
            item.user_properties.append(("timeline", timeline))
        report.user_properties = item.user_properties
    return report


def _app_properties() -> list[tuple[str, object]]:
    """Return what the running apps have raised, and whether one tried to exit."""
    properties: list[tuple[str, object]] = []
    for app in running_apps():
        for error in app.errors:
            if isinstance(error, AppExit):
                properties.append(("app_exit", str(error).partition("\n")[0]))
        raised = [error for error in app.errors if not isinstance(error, AppExit)]
        properties += [("app_error", text) for text in _described(raised)]
        if any(is_mistake(leaf) for error in raised for leaf in leaves(error)):
            properties.append(("app_mistake", True))
        wholes = [
            "".join(traceback.format_exception(error)).rstrip() for error in raised
        ]
        properties += [("app_traceback", text) for text in counted(wholes, _MOST)]
        # SQLAlchemy's refusal to wait leaves a coroutine of its own behind.
        if not any("MissingGreenlet" in str(error) for error in app.errors):
            known = list(app.forgotten.coroutines)
            for error in raised:
                known += [it for leaf in leaves(error) for it in unawaited_in(leaf)]
            made = [it for it in known if " made in " in it]
            properties += [("app_forgot", it) for it in dict.fromkeys(made)]
    return properties


def _described(errors: list[BaseException]) -> list[str]:
    """Describe each of *errors* in a line; for a group, what it contains."""
    texts = []
    for error in errors:
        for leaf in leaves(error):
            ours = type(leaf).__module__.startswith("workshop.")
            text = ": ".join(filter(None, ("" if ours else full_name(leaf), str(leaf))))
            place = line_of_error(leaf) or line_of_error(error)
            where = f" ({place.short})" if place else ""
            short = " ".join(text.split())[:300]
            texts.append(f"{short}{where}{in_its_group(leaf, error)}")
    return counted(texts, _MOST)


def _learner_line(error: BaseException) -> str | None:
    held = first_held() or first_held_meeting() or first_held_call()
    place = held or line_of_error(error)
    if place is None:
        lines = [app.learner_line() for app in running_apps()]
        place = next((line for line in reversed(lines) if line), None)
    return place.labelled if place else None
