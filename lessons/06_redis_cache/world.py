"""What the tests of lesson 06 put in the place of the outside world.

Behind the app stands a real Redis. Between the two stands a door, which passes on
everything until a test makes Redis stall, refuse commands or disappear. It also counts
connections, and knows whether a command is still under way. The database is a stand-in,
and the event loop's clock moves only when a test moves it.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection

from workshop.testing import (
    Exchange,
    FakeService,
    RedisServer,
    RunningApp,
    SourceLine,
    ThreadPool,
    exchange,
    settle,
)
from workshop.testing.plugin import RunApp
from workshop.testing.reporting.source import is_learner_file
from workshop.testing.time.clock import ManualClockLoop

Seats = list[str] | None

_REAL_TIME = time.time

# What a client sends when it connects, before any command of the app.
GREETINGS = {"AUTH", "CLIENT", "HELLO", "SELECT"}
# What a Redis still does when its memory is full: it reads, and it deletes.
ALLOWED_WHEN_FULL = {
    *GREETINGS,
    *("DEL", "DISCARD", "EXEC", "EXISTS", "EXPIRE", "EXPIREAT", "GET", "GETDEL"),
    *("GETEX", "HGET", "HGETALL", "HMGET", "LLEN", "LRANGE", "MGET", "MULTI"),
    *("PEXPIRE", "PEXPIREAT", "PING", "PTTL", "PUBLISH", "SMEMBERS", "SUBSCRIBE"),
    *("TIME", "TTL", "TYPE", "UNLINK", "UNSUBSCRIBE", "UNWATCH", "WATCH", "ZRANGE"),
}
FULL = "OOM command not allowed when used memory > 'maxmemory'."
NO_PERMISSION = "NOPERM this user has no permissions to run this command"
NO_PRIMARY = "MASTERDOWN Link with MASTER is down"

# Nothing is under way if nothing has moved for so many turns of the event loop.
QUIET_TURNS = 40
# A task that runs in every turn, but does nothing else for so many turns, is polling.
POLLING_TURNS = 1_000
# How many times the clock is moved while some time passes.
MOST_STEPS = 20
# How often a slow thread or a slow Redis is given another chance: about three seconds.
PATIENCE = 10_000


class Database(FakeService):
    """The database: a different list of seats for each show, in no order.

    Attributes:
        seats: the seats of some shows; all others have two free seats.

    """

    def __init__(self) -> None:
        """Give every show two free seats, until `seats` says otherwise."""
        super().__init__("the database", self._look_up)
        self.seats: dict[int, Seats] = {}

    def asked(self, show: int) -> int:
        """Return how many times the seats of *show* have been queried."""
        return self.calls.count((show,))

    def page(self, show: int) -> dict[str, Any]:
        """Return what the page of *show* must say now."""
        return {"show": show, "free": self._look_up(show)}

    def _look_up(self, show: int) -> Seats:
        return self.seats.get(show, [f"C{show}", f"A{show}"])


@dataclass(eq=False)
class _Connection:
    """A connection of the app through the door."""

    writer: asyncio.StreamWriter
    pending: int = 0
    in_transaction: bool = False
    is_broken: bool = False  # a command of the transaction was refused
    instead: bytes = b""  # sent in place of Redis's next reply
    replied: asyncio.Event = field(default_factory=asyncio.Event)


class Door:
    """Stands between the box office and Redis: counts, refuses, or stalls.

    Attributes:
        received: how many connections the app has made.
        before_reply: called when Redis has carried out a command and the app has not
            been told. Commands then pass one at a time.

    """

    def __init__(self, redis: RedisServer) -> None:
        """Make a door in front of *redis*; it opens with `up`."""
        self.received = 0
        self.before_reply: Callable[[], Awaitable[None]] | None = None
        self._to = urlsplit(redis.url)
        self._refusal: tuple[str, Callable[[str], bool]] = ("", lambda command: False)
        self._responds = asyncio.Event()
        self._responds.set()
        self._connections: set[_Connection] = set()
        self._connecting = 0
        self._threads = ThreadPool()
        self._server: asyncio.Server | None = None
        self._port = 0

    @property
    def url(self) -> str:
        """The address that leads to Redis through this door."""
        user, at, _ = self._to.netloc.rpartition("@")
        return self._to._replace(netloc=f"{user}{at}127.0.0.1:{self._port}").geturl()

    @property
    def open(self) -> int:
        """How many connections of the app are open now."""
        return len(self._connections)

    async def up(self) -> None:
        """Accept connections, always at the same address, and pass everything on."""
        self.calm()
        if self._server is None:
            start = asyncio.start_server(self._serve, "127.0.0.1", self._port)
            self._server = await start
            self._port = self._server.sockets[0].getsockname()[1]

    async def shut(self) -> None:
        """Break all connections and accept no more, like a server that has died."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in list(self._connections):
            connection.writer.transport.abort()
        await settle()

    def vanish(self) -> None:
        """Let connecting take for ever, as if a firewall dropped every packet."""
        loop: Any = asyncio.get_running_loop()
        connect = loop.create_connection

        async def connect_unless_to_redis(*args: Any, **options: Any) -> Any:
            if self._port in (*args[2:3], options.get("port")):
                await asyncio.Event().wait()
            return await connect(*args, **options)

        loop.create_connection = connect_unless_to_redis

    def stall(self) -> None:
        """Accept connections and read commands, but never reply."""
        self._responds.clear()

    def refuse(self, words: str, *, but: Iterable[str] = ()) -> None:
        """Reply to each command, *but* some, with an error of these *words*."""
        allowed = {*but}
        self._refusal = words, lambda command: command not in allowed

    def calm(self) -> None:
        """Let Redis reply and accept connections as usual."""
        self._refusal = "", lambda command: False
        self._responds.set()
        vars(asyncio.get_running_loop()).pop("create_connection", None)

    async def quiet(self) -> None:
        """Wait until nothing is under way: no command, no thread, no other task."""
        loop = _manual_loop()
        quiet = polling = 0
        for _ in range(PATIENCE):
            scheduled, outside = loop.scheduled, loop.outside
            await asyncio.sleep(0)
            waiting = self._connecting or any(it.pending for it in self._connections)
            if waiting or self._threads.busy:
                time.sleep(0.0002)  # noqa: ASYNC251 -- threads and Redis need the processor
                quiet = polling = 0
            elif loop.outside != outside:
                quiet = polling = 0
            elif loop.scheduled > scheduled + 1:  # more than this task
                quiet, polling = 0, polling + 1
            else:
                quiet += 1
            if quiet >= QUIET_TURNS or polling >= POLLING_TURNS:
                return

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.received += 1
        connection = _Connection(writer)
        self._connections.add(connection)
        self._connecting += 1
        host, port = self._to.hostname, self._to.port or 6379
        try:
            replies, redis = await asyncio.open_connection(host, port)
        finally:
            self._connecting -= 1
        back = asyncio.create_task(self._pass_back(replies, connection))
        try:
            while command := await _command(reader):
                await self._responds.wait()
                if reader.at_eof():
                    break  # the app hung up while Redis stalled
                await self._pass_on(command, connection, redis)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._connections.discard(connection)
            back.cancel()
            redis.close()
            writer.close()

    async def _pass_on(
        self, command: bytes, connection: _Connection, redis: asyncio.StreamWriter
    ) -> None:
        name = command.split(b"\r\n")[2].decode().upper()
        words, refuses = self._refusal
        if words or self.before_reply or connection.is_broken:
            # In order, after the replies to earlier commands.
            while connection.pending:
                connection.replied.clear()
                await connection.replied.wait()
        if refuses(name):
            connection.is_broken |= connection.in_transaction
            connection.writer.write(f"-{words}\r\n".encode())
            return
        if name == "EXEC" and connection.is_broken:
            command = b"*1\r\n$7\r\nDISCARD\r\n"
            connection.instead = b"-EXECABORT Transaction discarded.\r\n"
        if name in ("MULTI", "EXEC", "DISCARD"):
            connection.in_transaction = name == "MULTI"
            connection.is_broken = False
        connection.pending += 1
        redis.write(command)

    async def _pass_back(
        self, replies: asyncio.StreamReader, connection: _Connection
    ) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while reply := await _reply(replies):
                if self.before_reply is not None:
                    await self.before_reply()
                connection.writer.write(connection.instead or reply)
                connection.instead = b""
                if not reply.startswith(b">"):  # not a reply, but a push
                    connection.pending = max(0, connection.pending - 1)
                    connection.replied.set()
        connection.pending = 0
        connection.writer.close()


def _manual_loop() -> ManualClockLoop:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, ManualClockLoop)
    return loop


async def _command(reader: asyncio.StreamReader) -> bytes:
    """Read one command as clients of Redis send it; b"" at the end."""
    command = await reader.readline()
    for _ in range(int(command[1:] or 0)):
        size = await reader.readline()
        command += size + await reader.readexactly(int(size[1:]) + 2)
    return command


async def _reply(reader: asyncio.StreamReader) -> bytes:
    """Read one reply of Redis; b"" at the end."""
    reply = await reader.readline()
    kind = reply[:1]
    size = int(reply[1:]) if kind and kind in b"$=!*~>%" else 0
    if kind and kind in b"$=!" and size >= 0:
        reply += await reader.readexactly(size + 2)
    elif kind and kind in b"*~>%":
        for _ in range(2 * size if kind == b"%" else size):
            reply += await _reply(reader)
    return reply


class Opened:
    """The connections that redis-py has made for the app.

    It keeps them alive, because what the garbage collector closes does not count as
    closed.
    """

    def __init__(self) -> None:
        """Start without connections."""
        self.clients_closed = self.pools_closed = 0
        self._all: list[tuple[AbstractConnection, SourceLine | None]] = []

    def watch(self, patch: pytest.MonkeyPatch) -> None:
        """Keep every connection that is made from now on, and count what is closed."""
        connect = AbstractConnection.connect
        close_client, close_pool = Redis.aclose, ConnectionPool.disconnect

        async def connect_and_keep(it: AbstractConnection) -> None:
            self._all.append((it, _learner_line_here()))
            await connect(it)

        async def close_client_and_count(it: Redis, *args: Any, **how: Any) -> None:
            self.clients_closed += 1
            await close_client(it, *args, **how)

        async def close_pool_and_count(
            it: ConnectionPool, *args: Any, **how: Any
        ) -> None:
            self.pools_closed += 1
            await close_pool(it, *args, **how)

        patch.setattr(AbstractConnection, "connect", connect_and_keep)
        patch.setattr(Redis, "aclose", close_client_and_count)
        patch.setattr(ConnectionPool, "disconnect", close_pool_and_count)

    def __str__(self) -> str:
        """Say where the open connections come from; empty if that is unknown."""
        lines = [line for it, line in self._all if line and it.is_connected]
        said = f"One was opened in {lines[-1]}. " if lines else ""
        if self.clients_closed and not self.pools_closed:
            said += "A client was closed, but not the pool that has its connections. "
        return said

    async def close(self) -> None:
        """Close what is still open."""
        for connection, _ in self._all:
            await connection.disconnect(nowait=True)


def _learner_line_here() -> SourceLine | None:
    """Return the innermost line of the app that led to this call."""
    frame = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        if is_learner_file(code.co_filename):
            return SourceLine(code.co_filename, frame.f_lineno, code.co_name)
        frame = frame.f_back  # type: ignore[assignment]  # None ends the loop
    return None


class OtherClocks:
    """The clocks of the module `time`, which move together with the event loop's."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        """Show the real time, and move when the event loop's clock is moved."""
        self._start = asyncio.get_running_loop().time()
        for name in ("time", "monotonic", "perf_counter"):
            patch.setattr(time, name, self._moved(getattr(time, name)))

    def set_back(self, seconds: float) -> None:
        """Show the real time again when *seconds* have passed from now on."""
        self._start = asyncio.get_running_loop().time() + seconds

    def _moved(self, real: Callable[[], float]) -> Callable[[], float]:
        loop, first = asyncio.get_running_loop(), real()

        def moved() -> float:
            caller = sys._getframe(1).f_globals.get("__name__", "")
            if caller.startswith("workshop.testing."):
                return real()  # the limits of the tests are in real time
            # Only Redis shares the real time. A slow machine must not end a pause.
            now = real() if real is _REAL_TIME else first
            return now + loop.time() - self._start

        return moved


@dataclass
class BoxOffice:
    """The running app, with the door and the database that stand behind it."""

    app: RunningApp
    redis: RedisServer
    door: Door
    opened: Opened
    database: Database
    clocks: OtherClocks

    def visit(self, show: int) -> Exchange:
        """Request the page of a show, and do not wait for it."""
        return exchange(self.app, "GET", f"/shows/{show}")

    async def see(self, *shows: int, seconds: float = 5) -> list[Exchange]:
        """Request the pages of all *shows* at once; wait until they are there."""
        pages = [self.visit(show) for show in shows]
        await self.finish(*pages, seconds=seconds)
        return pages

    async def finish(self, *pages: Exchange, seconds: float = 5) -> None:
        """Wait until *pages* are over; up to *seconds* may pass for that."""
        await self.pass_time(seconds, until=lambda: all(it.done for it in pages))

    async def pass_time(
        self, seconds: float, *, until: Callable[[], bool] = lambda: False
    ) -> float:
        """Let time pass, *seconds* at most; return how much it was.

        The clock goes from one timer to the next, in steps that are not too short for
        an app that polls.
        """
        loop = _manual_loop()
        start = loop.time()
        await self.door.quiet()
        while not until() and loop.time() < start + seconds:
            timer = loop.next_timer() or start + seconds
            soonest = loop.time() + seconds / MOST_STEPS
            before = loop.time()
            loop.move_to(min(max(timer, soonest), start + seconds))
            await self._age_what_redis_keeps(loop.time() - before)
            await self.door.quiet()
        return round(loop.time() - start, 3)

    async def shut_down(self) -> None:
        """Shut the app down, and let time pass if that takes time."""
        end = asyncio.ensure_future(self.app.shutdown())
        await self.pass_time(5, until=end.done)
        await end
        await self.door.quiet()

    def forget_errors(self) -> None:
        """Do not report an exception that the test itself has caused."""
        self.app.errors.clear()

    async def _age_what_redis_keeps(self, seconds: float) -> None:
        """Let every key that has an expiry expire earlier: Redis has its own clock."""
        for key, left in (await self.milliseconds_left()).items():
            if left >= 0:
                await self.redis.admin.pexpire(key, left - round(seconds * 1_000))

    async def milliseconds_left(self) -> dict[str, int]:
        """Return how long each key in Redis will live; -1 means forever."""
        keys = await self.redis.keys()
        return {key: await self.redis.admin.pttl(key) for key in keys}


@asynccontextmanager
async def box_office(
    run_app: RunApp, redis: RedisServer, *, start: bool = True
) -> AsyncIterator[BoxOffice]:
    """Run the app with Redis behind a door, and with a database that is a stand-in."""
    door, opened, database = Door(redis), Opened(), Database()
    await door.up()
    with pytest.MonkeyPatch.context() as patch:
        opened.watch(patch)
        clocks = OtherClocks(patch)
        try:
            async with run_app(
                env={"REDIS_URL": door.url},
                replace={"free_seats": database},
                start=start,
            ) as app:
                office = BoxOffice(app, redis, door, opened, database, clocks)
                yield office
                await door.up()
                database.recovers()
                await office.shut_down()
        finally:
            door.calm()
            await door.shut()
            await opened.close()


def told(page: Exchange) -> str:
    """Return the response in words, for a message."""
    return f"{page.status}: {page.content}" if page.complete else "no response"
