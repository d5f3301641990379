"""The app under test: loaded anew, started, observed and shut down."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import inspect
import logging
import os
import weakref
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, MutableMapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any

from workshop.private_apis.event_loop import forget_task, has_lost_its_wakeup
from workshop.testing.app.exchange import Message, Receive, Send
from workshop.testing.app.exits import as_app_exit
from workshop.testing.app.failure_recording import (
    end_recording,
    name_requests,
    record_calls,
    start_recording,
)
from workshop.testing.app.loading import LoadedFile
from workshop.testing.app.messages import plain
from workshop.testing.app.tasks import describe
from workshop.testing.reporting.failures import (
    AppExit,
    ShutdownError,
    StartupError,
    TimeLimitExceeded,
)
from workshop.testing.reporting.never_awaited import Forgotten, forgotten_things
from workshop.testing.reporting.source import SourceLine, line_of_code, line_of_error
from workshop.testing.sync.gate import let_go_at_gates, open_all_gates
from workshop.testing.sync.idle import wait_until_idle
from workshop.testing.sync.rendezvous import let_go_at_meetings, release_all_meetings
from workshop.testing.sync.spy import Spy
from workshop.testing.time.event_loop import owner, settle
from workshop.testing.time.limits import end, fail_after

if TYPE_CHECKING:
    import httpx2

_log = logging.getLogger("uvicorn.error")

_running: list[RunningApp] = []

_IN_ITS_LIFESPAN = "in its lifespan"

# Ending tasks may start new ones. After this many rounds, those left are reported.
_ROUNDS = 20


class RunningApp:
    """One loaded instance of the app under test.

    Attributes:
        file: the file it was loaded from.
        module: the file as a module; tests put stand-ins into it with `replace`.
        errors: what requests, the lifespan and tasks that nobody awaited have raised.
        forgotten: coroutines never awaited and resources never closed so far.
        state: what the lifespan yielded.

    """

    def __init__(self, file: Path) -> None:
        """Load *file*. Use `running` instead, because it also cleans up.

        Raises:
            AppLoadError: if the file cannot be loaded; the message says why.

        """
        self.errors: list[BaseException] = []
        self.forgotten = Forgotten()
        self.state: dict[str, Any] = {}
        self.last_endpoint: CodeType | None = None
        self._codes: dict[str, CodeType] = {}
        self._before: set[asyncio.Task[Any]] = set()
        self._handler: Callable[..., object] | None = None
        self._served_by: weakref.WeakSet[asyncio.Task[Any]] = weakref.WeakSet()
        self._lifespan: asyncio.Task[None] | None = None
        self._to_app: asyncio.Queue[Message] = asyncio.Queue()
        self._from_app: asyncio.Queue[Message] = asyncio.Queue()
        token = owner.set(self)
        try:
            self._loaded = LoadedFile(file)
        finally:
            owner.reset(token)
        self.file = self._loaded.file
        self.module: ModuleType = self._loaded.module
        self._codes.update(_functions(self.module, str(self.file)))

    @property
    def started(self) -> bool:
        """Whether the lifespan has started and has not ended."""
        return self._lifespan is not None

    @property
    def exits(self) -> list[AppExit]:
        """The app's attempts to end the process or the test."""
        return [error for error in self.errors if isinstance(error, AppExit)]

    def forget_errors(self) -> None:
        """Do not report what the app has raised so far, except its attempts to exit."""
        self.errors[:] = self.exits

    async def asgi(
        self, scope: MutableMapping[str, Any], receive: Receive, send: Send
    ) -> None:
        """Call the app with the lifespan's state, and keep what it raises.

        `SystemExit` and the like become an ordinary `AppExit`, to which the framework
        responds with 500.
        """
        if scope["type"] != "lifespan":
            scope["state"] = {**scope.get("state", {}), **self.state}
        where = _request_words(scope)

        async def send_plain(message: Message) -> None:
            await send(plain(message))

        token = owner.set(self)
        if task := asyncio.current_task():
            self._served_by.add(task)
        try:
            await name_requests(self.module.app)(scope, receive, send_plain)
        except (asyncio.CancelledError, GeneratorExit):
            raise
        except BaseException as exc:
            noted = self._noted(exc, where)
            if noted is exc:
                raise
            raise noted from exc
        finally:
            owner.reset(token)
            if task:
                self._served_by.discard(task)
            endpoint = inspect.unwrap(scope.get("endpoint") or _nothing)
            self.last_endpoint = getattr(endpoint, "__code__", self.last_endpoint)

    def replace(self, name: str, fake: Any) -> None:
        """Replace the function *name* of the app's outside world with *fake*.

        Raises:
            AssertionError: if the app has no such name any more, or if it has become a
                function of another kind, so that *fake* would not fit.

        """
        file = self.file.name
        if not hasattr(self.module, name):
            raise AssertionError(
                f"{file} has no {name} any more. It belongs to the outside world, "
                "which the tests stand in for by that name. Put it back as it was."
            )
        real = getattr(self.module, name)
        if callable(real) and callable(fake) and not isinstance(real, type):
            was, now = _kind(fake), _kind(real)
            if was != now:
                raise AssertionError(
                    f"{name}() in {file} belongs to the outside world and was "
                    f"`{was}`; now it is `{now}`. Put it back as it was."
                )
        setattr(self.module, name, record_calls(name, fake))

    def client(self, **options: Any) -> httpx2.AsyncClient:
        """Return a new in-process client, whose requests keep the outer limit.

        *options* are those of httpx2, and `client=("203.0.113.1", 50000)`: the address
        from which the app sees its requests come.
        """
        from workshop.testing.app.client import in_process_client

        return in_process_client(self.asgi, **options)

    async def startup(self) -> None:
        """Run the lifespan's startup.

        Raises:
            StartupError: if it failed; the cause is what it raised.
            TimeLimitExceeded: if it was not complete within the outer limit.

        """
        # An app that is started again must not find what the last lifespan left unread.
        self._to_app, self._from_app = asyncio.Queue(), asyncio.Queue()
        # A context of its own: what the lifespan sets is not seen by the test.
        self._lifespan = asyncio.get_running_loop().create_task(
            self._run_lifespan(), context=contextvars.Context()
        )
        answer = await self._ask("startup", "start-up")
        if answer != "lifespan.startup.complete":
            error, self._lifespan = await self._lifespan_error(), None
            words = f"{self.file.name} failed in its start-up: {error!r}"
            if error is None:
                words = (
                    f"{self.file.name} failed in its start-up: it returned before the "
                    "startup was complete. A middleware must also pass on scopes of "
                    "the type 'lifespan'."
                )
            place = line_of_error(error) if error else None
            raise StartupError(
                f"{words}\n{place.labelled}" if place else words
            ) from error

    async def shutdown(self) -> None:
        """Run the lifespan's shutdown. Does nothing if the lifespan is not running.

        Raises:
            ShutdownError: if it failed; the cause is what it raised.
            TimeLimitExceeded: if it was not complete within the outer limit.

        """
        if self._lifespan is None:
            return
        try:
            answer = await self._ask("shutdown", "shutdown")
            error = await self._lifespan_error()
        finally:
            self._lifespan = None
        if error is not None or answer != "lifespan.shutdown.complete":
            words = f"{self.file.name} failed in its shutdown: {error!r}"
            if error is None:
                words = (
                    f"{self.file.name} failed in its shutdown: it returned before the "
                    "shutdown was complete."
                )
            raise ShutdownError(words) from error

    def learner_line(self) -> SourceLine | None:
        """Return the learner's line of the last error, else of the last endpoint."""
        for error in reversed(self.errors):
            if place := line_of_error(error):
                return place
        return line_of_code(self.last_endpoint) if self.last_endpoint else None

    async def _run_lifespan(self) -> None:
        scope = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": self.state,
        }
        await self.asgi(scope, self._to_app.get, self._from_app.put)

    async def _ask(self, what: str, in_words: str) -> str:
        assert self._lifespan is not None
        await self._to_app.put({"type": f"lifespan.{what}"})
        answer = asyncio.ensure_future(self._from_app.get())
        lifespan = self._lifespan
        try:
            await fail_after(
                asyncio.wait({answer, lifespan}, return_when=asyncio.FIRST_COMPLETED),
                never=f"{self.file.name} never finished its {in_words}.",
            )
        except BaseException:
            await end(lifespan)
            self._lifespan = None
            raise
        finally:
            if not answer.done():
                answer.cancel()
        return (
            str(answer.result()["type"])
            if not answer.cancelled() and answer.done()
            else ""
        )

    async def _lifespan_error(self) -> BaseException | None:
        assert self._lifespan is not None
        await fail_after(
            asyncio.wait({self._lifespan}),
            never=f"{self.file.name} never left its lifespan.",
        )
        if self._lifespan.cancelled():
            return asyncio.CancelledError()
        return self._lifespan.exception()

    def _noted(self, error: BaseException, where: str) -> BaseException:
        """Keep *error*, show it in the learner's output, return what to raise."""
        noted = as_app_exit(error, where) or error
        self.errors.append(noted)
        if isinstance(noted, AppExit):
            _log.error("%s", noted)
        else:
            if where == _IN_ITS_LIFESPAN:
                where = f"in the lifespan of {self.file.name}"
            _log.error("Exception %s", where, exc_info=error)
        return noted

    def note_exit(self, error: BaseException) -> bool:
        """Keep a `SystemExit` of a task or callback; return whether it was one."""
        exit_ = as_app_exit(error, "in a task or callback")
        if exit_ is not None:
            self._noted(exit_, "")
        return exit_ is not None

    def note_lost(
        self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]
    ) -> None:
        """Keep an exception that a task or a callback raised and nobody retrieved."""
        error = context.get("exception")
        if any(error in (known, known.__cause__) for known in self.errors):
            return
        if isinstance(error, BaseException):
            self._noted(error, "in a task or callback that nobody looked at")
        elif not context.get("message", "").startswith("Task was destroyed"):
            loop.default_exception_handler(context)

    def unload(self) -> None:
        """Forget the module and everything that only it kept alive."""
        self._loaded.unload()
        self._codes.clear()
        self.last_endpoint = None
        del self.module, self._loaded


@asynccontextmanager
async def running(
    file: Path,
    *,
    replace: Mapping[str, Any] | None = None,
    env: Mapping[str, str] | None = None,
    start: bool = True,
) -> AsyncIterator[RunningApp]:
    """Load *file*, put stand-ins in place and start the app; shut it down afterwards.

    With `start=False` the test, or a real server, runs the lifespan. *env* is set in
    the environment before the file is loaded, and restored afterwards.

    At the end all gates open, the shutdown runs unless it has run already, remaining
    tasks are cancelled, and the module is unloaded and garbage-collected. While another
    app is running, only the callers and tasks of this one are released and cancelled.

    Raises:
        AppLoadError, StartupError, ShutdownError: see `RunningApp`.
        AppExit: if the app tried to end the process in a task of its own.
        TimeLimitExceeded: if something did not end within the outer limit.

    """
    loop = asyncio.get_running_loop()
    codes: dict[str, CodeType] = {}
    before = set(getattr(loop, "tasks", ()))
    _ignore_older_garbage()
    with _environment(env or {}), forgotten_things(codes) as forgotten:
        app = RunningApp(file)
        app.forgotten, app._codes = forgotten, codes
        app._before = before
        app._handler = (
            _running[0]._handler if _running else loop.get_exception_handler()
        )
        codes.update(_functions(app.module, str(app.file)))
        _running.append(app)
        _report_errors_to(loop, app)
        try:
            for name, fake in (replace or {}).items():
                app.replace(name, fake)
            try:
                if start:
                    await app.startup()
                start_recording(app.file)
                yield app
            except BaseException:
                end_recording()
                # The test's own failure is the one to report.
                with contextlib.suppress(Exception):
                    await _finish(app)
                raise
            await _finish(app)
        finally:
            _running.remove(app)
            for other in _running:
                # What this one left to the others is older than they may be.
                other._before &= app._before
            _report_errors_to(loop, _running[-1] if _running else None)
            if not _running:
                loop.set_exception_handler(app._handler)


def _report_errors_to(loop: asyncio.AbstractEventLoop, app: RunningApp | None) -> None:
    """Report to *app* what is raised outside any request: in tasks and callbacks."""
    if app is not None:
        loop.set_exception_handler(app.note_lost)
    if hasattr(loop, "on_exit"):
        loop.on_exit = app.note_exit if app else None


def let_go(app: RunningApp) -> None:
    """Release blocked callers: all of them, or if several apps run, those of *app*."""
    if any(other is not app for other in _running):
        let_go_at_gates(app)
        let_go_at_meetings(app)
    else:
        open_all_gates()
        release_all_meetings()


async def _finish(app: RunningApp) -> None:
    end_recording()
    let_go(app)
    try:
        await app.shutdown()
    finally:
        stubborn = await _end_tasks(app)
        app.unload()
        gc.collect()
        await settle(2)
    if stubborn:
        raise TimeLimitExceeded(stubborn[0])


def _never_ended(task: asyncio.Task[Any]) -> str:
    reason = "Either it swallows CancelledError, or it waits for a thread."
    if has_lost_its_wakeup(task):
        reason = (
            "Another thread called an object of asyncio that the task waits for, and "
            "the call failed before it woke the task. Use `call_soon_threadsafe()`."
        )
    return f"{describe(task)} never ended, although it was cancelled. {reason}"


async def _end_tasks(app: RunningApp) -> list[str]:
    """Cancel the app's remaining tasks; return what to say of those that do not end.

    Tasks that start only then may end by themselves first. For example, SQLAlchemy
    closes a cancelled session in a task of its own, and a connection whose close is
    interrupted never responds.
    """
    stubborn: list[str] = []
    cancelled: set[asyncio.Task[Any]] = set()
    for _ in range(_ROUNDS):
        left = _left_of(app, app._before | cancelled)
        if cancelled and left:
            await wait_until_idle(lambda: None, until=_all_done(left))
        if not await end(*left):
            await wait_until_idle(_count_done(left), until=_all_done(left))
        for task in left:
            if not task.done():
                stubborn.append(_never_ended(task))
                forget_task(task)
        cancelled.update(left)
    for task in _left_of(app, app._before | cancelled):
        stubborn.append(
            f"{describe(task)} was started again each time that it was cancelled. "
            "A cancelled task must not be replaced: find what starts the new one."
        )
        forget_task(task)
    return stubborn


def _count_done(tasks: list[asyncio.Task[Any]]) -> Callable[[], int]:
    return lambda: sum(task.done() for task in tasks)


def _all_done(tasks: list[asyncio.Task[Any]]) -> Callable[[], bool]:
    return lambda: all(task.done() for task in tasks)


def _left_of(app: RunningApp, known: set[asyncio.Task[Any]]) -> list[asyncio.Task[Any]]:
    """Return the tasks that are not *known* and have to end together with *app*.

    These are tasks that it made and tasks that serve its requests. The test's own tasks
    end with the last app.
    """
    loop = asyncio.get_running_loop()
    owners = getattr(loop, "owners", {})
    is_last = all(other is app for other in _running)
    return [
        task
        for task in set(getattr(loop, "tasks", ())) - known
        if task is not asyncio.current_task()
        and not task.done()
        and (is_last or owners.get(task) is app or task in app._served_by)
    ]


def raise_exits() -> None:
    """Fail the test in which an app tried to end the process.

    Raises:
        AppExit: the first attempt of any app that is running.

    """
    for app in _running:
        for error in app.exits:
            raise error


def running_apps() -> list[RunningApp]:
    """Return the apps that are loaded now, the oldest first."""
    return list(_running)


@contextlib.contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _ignore_older_garbage() -> None:
    """Make the garbage collector ignore, from now on, what is older than the app.

    A test asks for it several times, and each time it would otherwise go through every
    module that was ever imported.
    """
    if not _running:
        gc.freeze()


def _nothing() -> None:
    """Stand in for the endpoint of a request that reached none."""


def _request_words(scope: MutableMapping[str, Any]) -> str:
    if scope["type"] == "lifespan":
        return _IN_ITS_LIFESPAN
    return f"in {scope.get('method', 'WebSocket')} {scope['path']}"


def _kind(function: Callable[..., Any]) -> str:
    if isinstance(function, Spy):
        function = function.function
    called = function if inspect.isroutine(function) else type(function).__call__
    for test, kind in (
        (inspect.iscoroutinefunction, "async def"),
        (inspect.isasyncgenfunction, "async def … yield"),
    ):
        if test(function) or test(called):
            return kind
    return "def"


def _functions(module: ModuleType, file: str) -> dict[str, CodeType]:
    """Return every function of the file by qualified name, inner ones included."""
    found: dict[str, CodeType] = {}
    todo = [
        value.__code__
        for value in vars(module).values()
        if inspect.isfunction(inspect.unwrap(value) if callable(value) else value)
        and hasattr(value, "__code__")
    ]
    while todo:
        code = todo.pop()
        if code.co_filename == file:
            found[code.co_qualname] = code
            todo.extend(c for c in code.co_consts if isinstance(c, CodeType))
    return found
