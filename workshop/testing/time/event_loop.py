"""The event loop that tests run on.

It is asyncio's own loop with three additions: it remembers which tasks the app made, it
notices when threads or sockets take part, and it reports a `SystemExit` in one of the
app's tasks instead of stopping.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import weakref
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from workshop.private_apis.event_loop import ObservedLoop
from workshop.testing.time.watchdog import Watchdog

if TYPE_CHECKING or sys.platform != "win32":
    from asyncio import SelectorEventLoop as PlatformLoop
else:
    from asyncio import ProactorEventLoop as PlatformLoop

# The app on whose behalf the present code runs, or None for the test itself.
# Tasks inherit it, because a task copies the context that it was made in.
owner: ContextVar[object | None] = ContextVar("owner", default=None)


class ForeignConnection:
    """A connection to a server outside of this loop: who has to speak next?

    It keeps nothing alive, so a forgotten connection is closed when it is collected.
    """

    def __init__(self, loop: ObservedLoop, transport: asyncio.Transport) -> None:
        """Observe what is written to *transport* from now on."""
        self._loop = loop
        self._transport = weakref.ref(transport)
        self._fd = transport.get_extra_info("socket").fileno()
        self._written = loop.outside
        for name in ("write", "writelines"):
            setattr(transport, name, self._observed(getattr(type(transport), name)))

    @property
    def owes_nothing(self) -> bool:
        """Whether the server has answered what was written last, at least in part."""
        transport = self._transport()
        answered = self._loop.last_read.get(self._fd, 0) > self._written
        return answered or transport is None or transport.is_closing()

    def _observed(self, write: Callable[[Any, Any], None]) -> Callable[[Any], None]:
        def observed(data: Any) -> None:
            self._loop.outside += 1
            self._written = self._loop.outside
            write(self._transport(), data)

        return observed


class WatchedLoop(ObservedLoop):
    """What the test kit adds to a loop; see the module. Mix it into a real loop.

    Attributes:
        outside: how often a thread, a process or a connection has taken part.
        strangers: how many of them cannot be observed, such as a process.
        connections: those to servers that are not part of this process.
        threads_before: the threads that were alive before this loop.
        tasks: every task made by a test or an app, as long as it lives.
        owners: the app on whose behalf a task was made, for those that have one.
        on_exit: called with a `SystemExit` of a task or callback; True swallows it.

    """

    def __init__(self, *args: Any) -> None:
        """Make the loop that this is mixed into, with *args*."""
        self.strangers = 0
        self.connections: list[ForeignConnection] = []
        self._own_ports: set[int] = set()
        self.threads_before = weakref.WeakSet(threading.enumerate())
        self.tasks: weakref.WeakSet[asyncio.Task[Any]] = weakref.WeakSet()
        self.owners: weakref.WeakKeyDictionary[asyncio.Task[Any], object] = (
            weakref.WeakKeyDictionary()
        )
        self.on_exit: Callable[[BaseException], bool] | None = None
        super().__init__(*args)

    def create_task(self, *args: Any, **options: Any) -> asyncio.Task[Any]:
        """Make a task and remember on whose behalf."""
        task: asyncio.Task[Any] = super().create_task(*args, **options)
        responsible = owner.get()
        # What the test runner itself starts is made outside any task.
        if responsible is not None or asyncio.current_task(self) is not None:
            self.tasks.add(task)
        if responsible is not None:
            self.owners[task] = responsible
        return task

    def call_soon_threadsafe(  # type: ignore[override]  # passed on as they are
        self, *args: Any, **options: Any
    ) -> asyncio.Handle:
        """Count a call from another thread, and ignore it if the loop has closed.

        A database driver's thread may still be finishing when its test is over. That
        must not become an error of the next test.
        """
        if self.is_closed():
            late = asyncio.Handle(args[0], args[1:], self)
            late.cancel()
            return late
        self.outside += 1
        return super().call_soon_threadsafe(*args, **options)

    def run_in_executor(  # type: ignore[override]  # passed on as they are
        self, *args: Any
    ) -> Any:
        """Count a job given to another thread or process."""
        self.outside += 1
        return super().run_in_executor(*args)

    async def create_connection(self, *args: Any, **options: Any) -> Any:
        """Count a connection, and observe it if the server is not part of this loop."""
        port = args[2] if len(args) > 2 else options.get("port")
        connecting = super().create_connection(*args, **options)
        if port in self._own_ports:
            self.outside += 1
            return await connecting
        return await self._observed(connecting)

    async def create_server(self, *args: Any, **options: Any) -> Any:
        """Count a listening socket."""
        self.outside += 1
        server = await super().create_server(*args, **options)
        self._own_ports.update(it.getsockname()[1] for it in server.sockets)
        return server

    async def create_unix_connection(self, *args: Any, **options: Any) -> Any:
        """Count a connection, and observe it."""
        return await self._observed(super().create_unix_connection(*args, **options))

    async def subprocess_exec(self, *args: Any, **options: Any) -> Any:
        """Count a process."""
        self.outside += 1
        self.strangers += 1
        return await super().subprocess_exec(*args, **options)

    async def subprocess_shell(self, *args: Any, **options: Any) -> Any:
        """Count a process."""
        self.outside += 1
        self.strangers += 1
        return await super().subprocess_shell(*args, **options)

    async def _observed(self, connecting: Coroutine[Any, Any, Any]) -> Any:
        self.outside += 1
        # Until it is connected, and for ever if that fails, all is possible.
        self.strangers += 1
        transport, protocol = await connecting
        self.connections.append(ForeignConnection(self, transport))
        self.strangers -= 1
        return transport, protocol

    def stops_for(self, error: BaseException) -> bool:
        """Return whether *error* is for the test runner rather than for `on_exit`."""
        if self.on_exit is None or not self.on_exit(error):
            return True
        for task in list(self.tasks):
            if task.done() and not task.cancelled():
                task.exception()  # reported already; not again when collected
        return False


class LessonLoop(WatchedLoop, PlatformLoop):
    """The loop of an ordinary lesson test, in real time."""


def events_seen(loop: asyncio.AbstractEventLoop) -> int:
    """Return how often threads or connections have taken part in what *loop* did."""
    return int(getattr(loop, "outside", 0))


def live_threads(loop: asyncio.AbstractEventLoop) -> int:
    """Return how many of the threads started after *loop* are still alive.

    anyio starts its threads without the loop, and so does an app with a pool of its
    own: the loop notices them only when they are done.
    """
    before = getattr(loop, "threads_before", None)
    return sum(
        thread.name.startswith("AnyIO worker")
        if before is None
        else thread not in before and not isinstance(thread, Watchdog)
        for thread in threading.enumerate()
    )


async def settle(cycles: int = 50) -> None:
    """Let everything that is ready run: *cycles* turns of the event loop."""
    for _ in range(cycles):
        await asyncio.sleep(0)
