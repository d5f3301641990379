"""Each private API is still there and still does what the workshop relies on.

A failure here says which feature a new release of Python or of a package has broken.
"""

from __future__ import annotations

import ast
import asyncio
import gc
import importlib
import subprocess
import sys
import warnings
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar, copy_context
from pathlib import Path
from typing import Annotated, Any

import pluggy
import pytest

from workshop.private_apis import event_loop, interpreter, packages

WORKSHOP = Path(packages.__file__).parents[1]

# Python documents these although they begin with an underscore.
DOCUMENTED = {"_getframe", "_current_frames", "_exit", "_replace"}


class Loop(event_loop.ObservedLoop, asyncio.SelectorEventLoop):
    """Keeps what would have stopped it."""

    def __init__(self) -> None:
        self.errors: list[BaseException] = []
        super().__init__()

    def stops_for(self, error: BaseException) -> bool:
        self.errors.append(error)
        return False


def problems_of(run: Callable[[], Any]) -> list[str]:
    """Return what the loop reports when what `run()` makes is collected."""

    async def main() -> list[str]:
        said: list[str] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: said.append(context["message"]))
        await run()
        gc.collect()
        return said

    return asyncio.run(main())


# ---- the event loop


def test_a_task_whose_waker_failed_in_another_thread_is_recognised() -> None:
    async def main() -> list[bool]:
        jobs: asyncio.Queue[int] = asyncio.Queue()
        task = asyncio.create_task(jobs.get())
        await asyncio.sleep(0)
        found = [event_loop.has_lost_its_wakeup(task)]
        with pytest.raises(RuntimeError, match="Non-thread-safe"):
            await asyncio.to_thread(jobs.put_nowait, 1)
        task.cancel()
        await asyncio.sleep(0)
        found.append(event_loop.has_lost_its_wakeup(task))
        event_loop.forget_task(task)
        return found

    assert asyncio.run(main(), debug=True) == [False, True]


def test_without_run_once_sys_exit_in_an_app_would_end_the_test_run() -> None:
    async def main() -> str:
        asyncio.get_running_loop().call_soon(sys.exit, 3)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return "still running"

    with asyncio.Runner(loop_factory=Loop) as runner:
        assert runner.run(main()) == "still running"
        loop = runner.get_loop()

    assert isinstance(loop, Loop)
    assert [type(error) for error in loop.errors] == [SystemExit]


def test_without_process_events_a_wait_for_a_server_would_count_as_a_hang() -> None:
    async def main() -> int:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, Loop)
        before = loop.outside
        loop.call_soon_threadsafe(int)  # written to a socket that the loop reads
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return loop.outside - before

    with asyncio.Runner(loop_factory=Loop) as runner:
        assert runner.run(main()) == 1


def test_events_of_windows_which_are_futures_count_too() -> None:
    class Windows(asyncio.BaseEventLoop):
        """Does with them what the loop of Windows does."""

        def _process_events(self, event_list: list[Any]) -> None:
            pass

    class WindowsLoop(event_loop.ObservedLoop, Windows):
        pass

    loop = WindowsLoop()
    loop._process_events([loop.create_future(), loop.create_future()])
    loop.close()

    assert (loop.outside, loop.last_read) == (2, {})


def test_without_the_ready_queue_idleness_would_take_hundreds_of_turns() -> None:
    async def main() -> list[int]:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(0)
        counts = [event_loop.ready_callbacks(loop)]
        loop.call_soon(int)
        loop.call_soon(int)
        return [*counts, event_loop.ready_callbacks(loop)]

    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        assert runner.run(main()) == [0, 2]


@pytest.mark.skipif(sys.platform == "win32", reason="there it can only sleep")
def test_without_the_selector_a_wait_for_a_thread_would_take_all_its_time() -> None:
    async def main() -> list[str]:
        loop = asyncio.get_running_loop()
        done: list[str] = []
        loop.call_soon_threadsafe(done.append, "called")
        for _ in range(2):  # looking at the event does not take it away
            event_loop.await_events(loop, 3600)
        done.append("looked")
        await asyncio.sleep(0)
        return done

    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        assert runner.run(main()) == ["looked", "called"]


def test_without_the_list_of_timers_a_wait_for_one_would_count_as_a_hang() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        kept, cancelled = loop.call_later(60, int), loop.call_later(60, int)
        cancelled.cancel()

        assert event_loop.timers_of(loop) == [kept]

    asyncio.run(main())


def test_without_a_timers_context_it_is_unknown_whose_timer_it_is() -> None:
    async def main() -> str:
        owner = ContextVar("owner", default="nobody")
        context = copy_context()
        context.run(owner.set, "the app")
        timer = asyncio.get_running_loop().call_later(60, int, context=context)
        return event_loop.context_of(timer)[owner]

    assert asyncio.run(main()) == "the app"


def test_without_source_traceback_debug_mode_would_name_the_recorder() -> None:
    async def main() -> tuple[str, str]:
        loop = asyncio.get_running_loop()

        def recorded() -> asyncio.Handle:
            return event_loop.without_caller(loop.call_soon(int))

        line = sys._getframe().f_lineno + 1
        return repr(recorded()), f"{__file__}:{line}"

    handle, caller = asyncio.run(main(), debug=True)

    assert handle.rstrip(">").endswith(f"created at {caller}")


def test_without_forget_task_a_task_that_never_ends_would_hang_the_run() -> None:
    async def main() -> None:
        never = asyncio.create_task(asyncio.Event().wait())
        await asyncio.sleep(0)
        event_loop.forget_task(never)
        assert never not in asyncio.all_tasks()

    assert problems_of(main) == []


def test_without_error_of_a_recording_would_silence_a_lost_exception() -> None:
    async def fail() -> None:
        raise OSError("disk full")

    async def main() -> None:
        task = asyncio.create_task(fail())
        await asyncio.wait([task])
        assert str(event_loop.error_of(task)) == "disk full"

    assert problems_of(main) == ["Task exception was never retrieved"]


def test_without_wait_for_data_redis_has_no_pictures_in_virtual_time() -> None:
    class Reader(event_loop.PulledReader):
        async def pull(self) -> None:
            self.feed_data(b"+PONG\r\n")

    async def main() -> bytes:
        return await Reader().readline()

    assert asyncio.run(main()) == b"+PONG\r\n"


def test_without_max_workers_virtual_time_would_model_pools_of_another_size() -> None:
    with ThreadPoolExecutor(3) as executor:
        assert event_loop.threads_of(executor) == 3


# ---- the interpreter


@pytest.mark.one_python
def test_without_the_base_python_a_broken_environment_cannot_be_made_anew() -> None:
    code = "import sys; print(sys.prefix == sys.base_prefix)"
    base = [interpreter.base_python(), "-I", "-c", code]

    assert sys.prefix != sys.base_prefix
    assert subprocess.check_output(base, text=True).strip() == "True"


def test_without_the_warning_output_an_apps_warnings_would_be_lost() -> None:
    warning = warnings.WarningMessage("old", DeprecationWarning, "app.py", 1)
    shown = []

    with warnings.catch_warnings(record=True) as recorded:
        interpreter.current_warning_output()(warning)
    with warnings.catch_warnings():
        warnings.showwarning = lambda *args: shown.append(args[:4])
        interpreter.current_warning_output()(warning)

    assert recorded == [warning]
    assert shown == [("old", DeprecationWarning, "app.py", 1)]


def test_without_typings_cleanups_every_version_of_an_app_would_stay_alive() -> None:
    def app() -> None: ...

    _ = Annotated[int, app]
    life = weakref.ref(app)
    del app, _
    gc.collect()
    assert life() is not None, "typing keeps it"

    interpreter.empty_typing_caches()
    gc.collect()

    assert life() is None


# ---- packages


def test_without_hook_implementations_an_app_could_add_one_that_passes_it() -> None:
    class Plugin:
        @pluggy.HookimplMarker("x")
        def judge(self) -> None: ...

    class Specification:
        @pluggy.HookspecMarker("x")
        def judge(self) -> None: ...

    manager = pluggy.PluginManager("x")
    manager.add_hookspecs(Specification)
    found = packages.hook_implementations(manager.hook.judge)
    assert found == []

    manager.register(Plugin())

    assert len(found) == 1, "it is the list itself and not a copy"


def test_without_these_modules_an_app_could_change_the_code_that_judges_it() -> None:
    for name in packages.MODULES_A_TEST_RUNS_THROUGH:
        assert vars(importlib.import_module(name))


def test_without_these_names_every_test_would_count_as_tampered_with() -> None:
    for name in packages.SET_BY_PYTEST_FOR_EACH_TEST:
        module, _, attribute = name.rpartition(".")
        assert hasattr(importlib.import_module(module), attribute)


def test_without_aiosqlites_queue_a_database_has_no_pictures() -> None:
    import aiosqlite

    started: list[str] = []

    class Queue:
        def put_nowait(self, call: tuple[asyncio.Future[Any], Any]) -> None:
            future, function = call
            future.set_result(function())

    class Thread:
        daemon = True

        def __init__(self, **_: object) -> None: ...

        def start(self) -> None:
            started.append("thread")

    async def main() -> Any:
        with packages.aiosqlite_without_threads(Queue, Thread):
            async with aiosqlite.connect(":memory:") as database:
                return await database.execute_fetchall("SELECT 7")

    assert list(asyncio.run(main())) == [(7,)]
    assert started == ["thread"]


@pytest.mark.skipif(sys.platform == "win32", reason="there is no wheel for Windows")
def test_without_valkeylites_program_there_is_no_embedded_redis() -> None:
    program = packages.valkey_server()

    assert program is not None
    assert program.is_file()


# ---- and nowhere else


def test_no_other_module_uses_a_private_name_of_other_peoples_code() -> None:
    trees = {
        file: ast.parse(file.read_text(encoding="utf-8"))
        for file in WORKSHOP.rglob("*.py")
        if file.parent.name != "private_apis"
    }
    ours = DOCUMENTED.union(*map(_defined, trees.values()))

    found = [
        f"{file.relative_to(WORKSHOP)}:{line} {name}"
        for file, tree in trees.items()
        for line, name in _private_names(tree)
        if name not in ours
    ]

    assert found == []


def _defined(tree: ast.AST) -> set[str]:
    """Return the private names that a module gives to things of its own."""
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                found.add(node.name)
            case ast.Attribute(attr=name, ctx=ast.Store()):
                found.add(name)
            case ast.Name(id=name, ctx=ast.Store()):
                found.add(name)
    return found


def _private_names(tree: ast.AST) -> list[tuple[int, str]]:
    """Return what a module gets from another object or module by a private name."""
    found = []
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr=name):
                found.append((node.lineno, name))
            case ast.Call(func=ast.Name(id="getattr" | "hasattr"), args=[_, name, *_]):
                if isinstance(name, ast.Constant):
                    found.append((node.lineno, str(name.value)))
            case ast.ImportFrom(module=module, names=names):
                parts = [*(module or "").split("."), *(it.name for it in names)]
                found += [(node.lineno, part) for part in parts]
            case ast.Import(names=names):
                parts = [part for it in names for part in it.name.split(".")]
                found += [(node.lineno, part) for part in parts]
    return [
        (line, name)
        for line, name in found
        if name.startswith("_") and not name.startswith("__")
    ]
