"""Measure the room under load: a full workshop, a burst, reconnects, and kills.

    python -m benchmarks.room [--json] [--learners 300] [--streams 1000] [--kills]
                              [--database postgres] [--workers 4] [--seconds 30]

Works with any Python: the workshop's environment is set up if it is missing. The server
is the real command, in its own process. The learners are in this process, which needs
a core for itself. In this order:

- all learners join, and all streams are opened, 20 of them boards;
- for `--seconds`, each learner saves every ten seconds on average: `cpu_percent` (of
  one core) and `memory_mb` are the server's; `p95_seconds` is the time from just
  before a learner's request until a board shows the change;
- 300 posts a second for five seconds: `burst_…`;
- 300 streams are cut and reconnect at once: `herd_seconds` is the time until all have
  received their first event;
- `lost` and `doubled` count acknowledged events that the log contains never or twice.

With --kills, the server, Redis and PostgreSQL are killed with SIGKILL in turn, while
learners send events and try again until each is acknowledged.

With --json, one object is printed, with these names as keys.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit
from uuid import UUID, uuid4

from benchmarks.inside import HERE, enter

if TYPE_CHECKING:
    import psutil

HOST = "127.0.0.1"
BOARDS = 20
LESSON = "03"
ROOT = Path(__file__).resolve().parents[1]
_FAILURES = (OSError, EOFError, asyncio.IncompleteReadError, ValueError)


@dataclass
class Response:
    """A response: its status, headers in small letters, and body."""

    status: int
    headers: dict[str, str]
    body: bytes


class Connection:
    """A connection that is kept open, as lean as possible.

    The load comes from the same two cores as the server, so a real client library
    would mostly measure itself.
    """

    def __init__(self, port: int, headers: dict[str, str]) -> None:
        self._port = port
        self._headers = headers
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(
        self, method: str, path: str, body: bytes = b"", kind: str = "application/json"
    ) -> Response:
        """Send a request and return the response.

        Raises:
            OSError, EOFError, ValueError: The connection failed. It is closed then.

        """
        try:
            if self._streams is None:
                self._streams = await asyncio.open_connection(HOST, self._port)
            reader, writer = self._streams
            writer.write(self._head(method, path, len(body), kind) + body)
            await writer.drain()
            status, headers = await _read_head(reader)
            length = int(headers.get("content-length", "0"))
            return Response(status, headers, await reader.readexactly(length))
        except BaseException:
            self.close()
            raise

    async def events(self, path: str) -> AsyncIterator[tuple[str, str]]:
        """Open a stream, and yield the name and the data of its events."""
        reader, writer = await asyncio.open_connection(HOST, self._port, limit=2**24)
        try:
            writer.write(self._head("GET", path, 0, ""))
            status, _ = await _read_head(reader)
            if status != 200:
                raise OSError(f"the stream's status is {status}")
            name, data = "", ""
            while True:
                size = int((await reader.readline()).strip() or b"0", 16)
                if size == 0:
                    return
                chunk = await reader.readexactly(size)
                await reader.readexactly(2)
                for line in chunk.decode().split("\n"):
                    if line.startswith("event: "):
                        name = line[7:]
                    elif line.startswith("data: "):
                        data += line[6:]
                    elif not line and name:
                        yield name, data
                        name, data = "", ""
        finally:
            writer.close()

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    def _head(self, method: str, path: str, length: int, kind: str) -> bytes:
        lines = [f"{method} {path} HTTP/1.1", f"host: {HOST}:{self._port}"]
        lines += [f"{name}: {value}" for name, value in self._headers.items()]
        if length:
            lines += [f"content-length: {length}", f"content-type: {kind}"]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def _read_head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in head[1:] if line)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    return int(head[0].split()[1]), headers


class Server:
    """The room's server in a process of its own, which can be killed."""

    def __init__(self, home: Path, port: int, options: list[str]) -> None:
        self.port = port
        self.code = self.secret = ""
        self._home = home
        self._errors = home / "server_errors.txt"
        self._options = options
        self.process: subprocess.Popen[str] | None = None

    async def start(self) -> None:
        """Start it, and return when it accepts connections.

        Raises:
            RuntimeError: It does not start.

        """
        self.process = await asyncio.to_thread(self._start)
        for _ in range(2400):  # four workers on two busy cores need half a minute
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection(HOST, self.port)
                writer.close()
                return
            if self.process.poll() is not None:
                break
            await asyncio.sleep(0.05)
        errors = self._errors.read_text("utf-8")
        raise RuntimeError(f"The room's server accepts no connections. {errors}")

    def _start(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "workshop", "room", "--host", HOST]
        environment = os.environ | {
            "WORKSHOP_HOME": str(self._home),
            "PYTHONUNBUFFERED": "1",
            "PYTHONIOENCODING": "utf-8",
        }
        with self._errors.open("w", encoding="utf-8") as errors:
            process = subprocess.Popen(
                [*command, "--port", str(self.port), *self._options],
                cwd=ROOT,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                encoding="utf-8",
                start_new_session=True,
            )
        assert process.stdout is not None
        for line in process.stdout:
            if found := re.search(r"/join\?code=(\w+)", line):
                self.code = found[1]
            elif found := re.search(r"secret=(\S+)", line):
                self.secret = found[1]
            elif "Ctrl-C" in line:
                return process
        status, written = process.wait(), self._errors.read_text("utf-8")
        raise RuntimeError(f"The room's server ended with {status}. {written}")

    def family(self) -> list[psutil.Process]:
        """Return the process and its children."""
        import psutil

        assert self.process is not None
        own = psutil.Process(self.process.pid)
        return [own, *own.children(recursive=True)]

    async def kill(self) -> None:
        """Kill it and its workers with SIGKILL."""
        assert self.process is not None
        for process in self.family():
            process.kill()
        await asyncio.to_thread(self.process.communicate)

    def ask_to_stop(self) -> None:
        """Send it the signal that asks for an orderly end, as Ctrl-C does."""
        assert self.process is not None
        self.process.terminate()

    async def stop(self) -> float:
        """Ask it to stop, and return how long that took in seconds."""
        assert self.process is not None
        begun = time.monotonic()
        self.ask_to_stop()
        await asyncio.to_thread(self.process.communicate, None, 30)
        return time.monotonic() - begun

    def cpu_seconds(self) -> float:
        """Return the processor time that it has used so far."""
        times = [process.cpu_times() for process in self.family()]
        return sum(it.user + it.system for it in times)

    def memory_mb(self) -> float:
        """Return the memory that the largest of its processes uses."""
        return max(it.memory_info().rss for it in self.family()) / 1e6

    def board_headers(self, cookie: str) -> dict[str, str]:
        """Return the headers of a browser that is logged in to the board."""
        return {"cookie": cookie, "origin": f"http://{HOST}:{self.port}"}

    async def log_in(self) -> dict[str, str]:
        """Log in to the board, and return the headers for it."""
        connection = Connection(self.port, {})
        form = urlencode({"secret": self.secret, "name": "Iris"}).encode()
        kind = "application/x-www-form-urlencoded"
        response = await connection.send("POST", "/board/login", form, kind)
        connection.close()
        return self.board_headers(response.headers["set-cookie"].split(";")[0])


@dataclass
class Learner:
    """A learner who sends events until each of them is acknowledged."""

    server: Server
    number: int
    id: UUID = field(default_factory=uuid4)
    token: str = "t" * 43
    failing: int = 0
    sent: list[str] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Prepare the connection."""
        headers = {"authorization": f"Bearer {self.id}.{self.token}"}
        self.connection = Connection(self.server.port, headers)
        self._one_at_a_time = asyncio.Lock()

    async def join(self) -> None:
        """Join the room; try again until that works."""
        body = {
            "code": self.server.code,
            "learner": str(self.id),
            "token": self.token,
            "name": f"Learner {self.number:03}",
        }
        await self._until_accepted("/api/join", body)

    def next_number(self) -> int:
        """Return how many tests fail in the next verdict: another number each time."""
        self.failing = self.failing % 50 + 1
        return self.failing

    async def save(self, failing: int = 0) -> None:
        """Send a failed verdict, after those before."""
        number = failing or self.next_number()
        async with self._one_at_a_time:
            await self._save(number)

    async def _save(self, failing: int) -> None:
        event = {
            "id": str(uuid4()),
            "at": datetime.now(UTC).isoformat(),
            "kind": "judged",
            "lesson": LESSON,
            "step": 1,
            "passed": False,
            "failed": [f"test_{number}" for number in range(failing)],
            "seconds": 0.4,
        }
        self.sent.append(str(event["id"]))
        begun = time.monotonic()
        await self._until_accepted("/api/events", {"events": [event]})
        self.waits.append(time.monotonic() - begun)
        self.acknowledged.append(str(event["id"]))

    async def _until_accepted(self, path: str, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        while True:
            with contextlib.suppress(*_FAILURES):
                response = await asyncio.wait_for(
                    self.connection.send("POST", path, data), 10
                )
                if response.status == 200:
                    return
                if response.status != 503:
                    raise RuntimeError(f"{path}: {response.status} {response.body!r}")
            await asyncio.sleep(0.1 + 0.2 * random.random())  # noqa: S311

    async def listen(self, heard: Callable[[], None]) -> None:
        """Keep a stream open; *heard* is called when it has its first event."""
        async for _ in self.connection.events("/api/stream"):
            heard()


class Board:
    """A board that knows what it shows, and comes back when its stream is lost.

    Attributes:
        shown: The number of failing tests that each learner's row shows.
        snapshots: How often it got everything anew.

    """

    def __init__(self, server: Server, headers: dict[str, str]) -> None:
        self._connection = Connection(server.port, headers)
        self.shown: dict[str, int] = {}
        self.snapshots = 0
        self.seen: dict[tuple[str, int], float] = {}
        self.changed = asyncio.Event()

    async def run(self) -> None:
        """Follow the room until this task is cancelled."""
        while True:
            with contextlib.suppress(*_FAILURES):
                path = f"/board/stream?lesson={LESSON}"
                async for name, data in self._connection.events(path):
                    if name == "changes":
                        self._apply(json.loads(data))
            await asyncio.sleep(0.2)

    def _apply(self, change: dict[str, Any]) -> None:
        if "rows" in change:
            self.snapshots += 1
            self.shown.clear()
            self._read(change["rows"])
        for name, html in change["parts"].items():
            if name.startswith("row-"):
                self._read(html)
        self.changed.set()

    def _read(self, html: str) -> None:
        now = time.monotonic()
        for row in html.split("<tr ")[1:]:
            name = re.search(r'id="row-([^"]+)"', row)
            count = re.search(r"(\d+) fail", row)
            if name and count:
                self.shown[name[1]] = int(count[1])
                self.seen.setdefault((name[1], int(count[1])), now)

    async def wait_for(self, expected: dict[str, int], seconds: float) -> bool:
        """Return whether the board shows *expected* within so many seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.shown != expected:
                    self.changed.clear()
                    await self.changed.wait()
        return self.shown == expected


@contextlib.contextmanager
def services(choice: str, *, redis: bool) -> Iterator[list[str]]:
    """Start the database servers, and yield the options that name them."""
    from workshop.services.keeper import kept
    from workshop.services.postgres import sqlalchemy_url

    with contextlib.ExitStack() as stack:
        options: list[str] = []
        stack.callback(_reap)
        if choice == "postgres":
            server = stack.enter_context(kept("postgres"))
            options += ["--database", sqlalchemy_url(server.url)]
        if redis:
            url = stack.enter_context(kept("redis")).url
            stack.callback(_shut_down, url)
            options += ["--redis", url]
        yield options


_started_again: list[subprocess.Popen[bytes]] = []
"""The servers that were killed and started again. They end with their services."""


def _reap() -> None:
    while _started_again:
        process = _started_again.pop()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _shut_down(redis: str) -> None:
    """Stop the Redis at *redis*, which may be one that `kill_redis` has started."""
    from redis import Redis
    from redis.exceptions import RedisError

    with Redis.from_url(redis) as client, contextlib.suppress(RedisError, OSError):
        client.shutdown(nosave=True)


async def stored_ids(options: list[str], home: Path) -> Counter[str]:
    """Return how often each event's id is in the log."""
    from workshop.room.server.store import Store, database_engine

    url = f"sqlite+aiosqlite:///{(home / 'room' / 'room.sqlite3').as_posix()}"
    if "--database" in options:
        url = options[options.index("--database") + 1]
    engine = database_engine(url)
    try:
        store, seq, found = Store(engine), 0, Counter[str]()
        while records := await store.read_after(seq):
            found.update(str(it.id) for it in records if it.kind == "judged")
            seq = records[-1].seq
        return found
    finally:
        await engine.dispose()


def count_lost(learners: list[Learner], stored: Counter[str]) -> dict[str, int]:
    """Return how many events were sent, acknowledged, lost and doubled."""
    acknowledged = [it for learner in learners for it in learner.acknowledged]
    return {
        "sent": sum(len(learner.sent) for learner in learners),
        "acknowledged": len(acknowledged),
        "lost": sum(stored[it] == 0 for it in acknowledged),
        "doubled": sum(number > 1 for number in stored.values()),
    }


async def measure_load(
    server: Server, home: Path, options: list[str], chosen: argparse.Namespace
) -> dict[str, Any]:
    """Return the figures of a workshop."""
    await server.start()
    learners = [Learner(server, number) for number in range(chosen.learners)]
    await _in_groups([learner.join() for learner in learners], 50)
    headers = await server.log_in()
    board = Board(server, headers)
    boards = [board, *(Board(server, headers) for _ in range(BOARDS - 1))]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(it.run()) for it in boards]
        crowd = Crowd(learners)
        await crowd.open(group, max(0, chosen.streams - BOARDS))
        # A steady workshop.
        cpu, begun = server.cpu_seconds(), time.monotonic()
        delays = await _saves(learners, board, chosen.seconds, len(learners) / 10)
        cpu_percent = 100 * (server.cpu_seconds() - cpu) / (time.monotonic() - begun)
        # A burst: everybody saves at the same time.
        for learner in learners:
            learner.waits.clear()
        cpu = server.cpu_seconds()
        burst = await _saves(learners, board, 5, 300)
        cpu_burst = server.cpu_seconds() - cpu
        waits = [it for learner in learners for it in learner.waits]
        # A reconnecting herd.
        herd = await crowd.reconnect(group, min(300, chosen.streams - BOARDS))
        memory = server.memory_mb()
        expected = {str(it.id): it.failing for it in learners if it.failing}
        is_complete = await board.wait_for(expected, 10)
        stopped = await server.stop()
        for task in tasks:
            task.cancel()
        crowd.close()
        for learner in learners:
            learner.connection.close()
    counts = count_lost(learners, await stored_ids(options, home))
    return {
        "learners": len(learners),
        "streams": chosen.streams,
        "cpu_percent": round(cpu_percent, 1),
        "p95_seconds": _p95(delays),
        "burst_cpu_seconds": round(cpu_burst, 2),
        "burst_p95_seconds": _p95(burst),
        "burst_post_p95_seconds": _p95(waits),
        "herd_seconds": round(herd, 3),
        "memory_mb": round(memory, 1),
        "stop_seconds": round(stopped, 2),
        "board_is_complete": is_complete,
        **counts,
    }


class Crowd:
    """The learners' open streams."""

    def __init__(self, learners: list[Learner]) -> None:
        self._learners = learners
        self._open: list[asyncio.Task[None]] = []

    async def open(self, group: asyncio.TaskGroup, number: int) -> None:
        """Open so many streams; return when all have their first event."""
        waiting = number
        all_there = asyncio.Event()

        async def keep_open(learner: Learner) -> None:
            nonlocal waiting
            first = True

            def heard() -> None:
                nonlocal first, waiting
                if first:
                    first, waiting = False, waiting - 1
                    if waiting == 0:
                        all_there.set()

            with contextlib.suppress(*_FAILURES):
                await learner.listen(heard)

        for index in range(number):
            learner = self._learners[index % len(self._learners)]
            self._open.append(group.create_task(keep_open(learner)))
        if number:
            async with asyncio.timeout(60):
                await all_there.wait()

    async def reconnect(self, group: asyncio.TaskGroup, number: int) -> float:
        """Lose so many streams and open them at once; return the seconds it takes."""
        lost, self._open = self._open[:number], self._open[number:]
        for task in lost:
            task.cancel()
        await asyncio.gather(*lost, return_exceptions=True)
        begun = time.monotonic()
        await self.open(group, number)
        return time.monotonic() - begun

    def close(self) -> None:
        """Close all of them."""
        for task in self._open:
            task.cancel()


async def _saves(
    learners: list[Learner], board: Board, seconds: float, per_second: float
) -> list[float]:
    """Let learners save in turn, and return how long the board waited for each."""
    begun = time.monotonic()
    expected: dict[tuple[str, int], float] = {}
    async with asyncio.TaskGroup() as group:
        for index in range(int(seconds * per_second)):
            delay = begun + index / per_second - time.monotonic()
            if delay > 0:
                await asyncio.sleep(delay)
            learner = learners[index % len(learners)]
            number = learner.next_number()
            key = (str(learner.id), number)
            board.seen.pop(key, None)
            expected[key] = time.monotonic()
            group.create_task(learner.save(number))
    await asyncio.sleep(2)  # for the last ones to arrive
    return [
        max(0.0, board.seen[key] - sent)
        for key, sent in expected.items()
        if key in board.seen
    ]


async def measure_kills(
    server: Server,
    home: Path,
    options: list[str],
    victims: list[tuple[str, Callable[[], Awaitable[None]]]],
    *,
    learners: int = 40,
) -> dict[str, dict[str, Any]]:
    """Return what was lost, for each kind of *victims*, which are killed in turn."""
    await server.start()
    people = [Learner(server, number) for number in range(learners)]
    await _in_groups([it.join() for it in people], 20)
    board = Board(server, await server.log_in())
    results = {}
    async with asyncio.TaskGroup() as group:
        following = group.create_task(board.run())
        for name, kill in victims:
            before = [(len(it.sent), len(it.acknowledged)) for it in people]
            await _save_while(people, kill)
            is_complete = await board.wait_for(
                {str(it.id): it.failing for it in people if it.failing}, 20
            )
            stored = await stored_ids(options, home)
            counts = count_lost(people, stored)
            counts["sent"] -= sum(sent for sent, _ in before)
            counts["acknowledged"] -= sum(done for _, done in before)
            results[name] = {**counts, "board_is_complete": is_complete}
        following.cancel()
    for person in people:
        person.connection.close()
    await server.stop()
    return results


async def _save_while(
    people: list[Learner], kill: Callable[[], Awaitable[None]]
) -> None:
    """Let everybody save again and again while *kill* is under way."""
    is_over = False

    async def keep_saving(learner: Learner) -> None:
        for _ in range(3):
            await learner.save()
        while not is_over:
            await learner.save()
            await asyncio.sleep(0.1 * random.random())  # noqa: S311
        await learner.save()

    async with asyncio.TaskGroup() as group:
        for learner in people:
            group.create_task(keep_saving(learner))
        await asyncio.sleep(0.5)
        await kill()
        is_over = True


async def kill_and_restart(process_id: int, command: list[str] | None = None) -> None:
    """Kill a server and its children with SIGKILL, and start it again.

    The new one runs as the same user in the same folder. *command* starts it, if its
    process does not show how it was started.
    """
    import psutil

    main = psutil.Process(process_id)
    again, folder = command or main.cmdline(), main.cwd()
    identity: dict[str, Any] = {}
    if sys.platform != "win32":
        identity = {"user": main.uids().real, "group": main.gids().real}
        identity["extra_groups"] = []
    family = [main, *main.children(recursive=True)]
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    await asyncio.to_thread(psutil.wait_procs, family, 10)
    await asyncio.sleep(1)

    def start_again() -> None:
        process = subprocess.Popen(
            again,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            **identity,
        )
        _started_again.append(process)

    await asyncio.to_thread(start_again)


async def kill_redis(url: str) -> None:
    """Kill the embedded Valkey at *url*, and start it again."""
    from redis import Redis

    with Redis.from_url(url, decode_responses=True) as client:
        server: dict[str, Any] = client.info("server")
    port = str(server["tcp_port"])
    command = [str(server["executable"]), "--port", port, "--bind", HOST]
    command += ["--save", "", "--appendonly", "no"]
    await kill_and_restart(int(server["process_id"]), command)


async def kill_postgres(url: str) -> None:
    """Kill the embedded PostgreSQL at *url*, and start it again."""
    folder = Path(parse_qs(urlsplit(url).query)["host"][0])
    notes = (folder / "data" / "postmaster.pid").read_text(encoding="utf-8")
    await kill_and_restart(int(notes.split()[0]))


async def _in_groups(work: list[Any], size: int) -> None:
    for start in range(0, len(work), size):
        await asyncio.gather(*work[start : start + size])


def _p95(values: list[float]) -> float:
    if len(values) < 2:
        return round(values[0], 3) if values else -1.0
    return round(statistics.quantiles(values, n=20)[-1], 3)


def _print(result: dict[str, Any]) -> None:
    for name, value in result.items():
        if isinstance(value, dict):
            shown = ", ".join(f"{key} {it}" for key, it in value.items())
            print(f"{name:<24} {shown}")
        else:
            print(f"{name:<24} {value}")


def main() -> None:
    """Measure what the options ask for, and print it."""
    parser = argparse.ArgumentParser(description="Measure the room.")
    parser.add_argument("--json", action="store_true", help="print one object")
    parser.add_argument("--learners", type=int, default=300)
    parser.add_argument("--streams", type=int, default=1_000)
    parser.add_argument("--seconds", type=float, default=30, help="of steady work")
    parser.add_argument("--kills", action="store_true", help="kill the servers")
    parser.add_argument("--database", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument(HERE, action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    enter("benchmarks.room", ("core", "room", "postgres"))
    from workshop.processes.loopback import free_port

    _allow_files()
    if chosen.workers > 1:
        chosen.database = "postgres"
    wants_redis = chosen.kills or chosen.workers > 1
    with (
        tempfile.TemporaryDirectory() as folder,
        services(chosen.database, redis=wants_redis) as options,
    ):
        home = Path(folder)
        more = ["--workers", str(chosen.workers)] if chosen.workers > 1 else []
        server = Server(home, free_port(HOST), [*options, *more])
        try:
            if chosen.kills:
                result: dict[str, Any] = asyncio.run(
                    measure_kills(server, home, options, victims(server, options))
                )
            else:
                result = asyncio.run(measure_load(server, home, options, chosen))
        finally:
            if server.process is not None and server.process.poll() is None:
                asyncio.run(server.kill())
    if chosen.json:
        print(json.dumps(result))
    else:
        _print(result)


def victims(
    server: Server, options: list[str]
) -> list[tuple[str, Callable[[], Awaitable[None]]]]:
    """Return what can be killed: always the server, and the services in *options*."""

    async def kill_server() -> None:
        await server.kill()
        await server.start()

    found: list[tuple[str, Callable[[], Awaitable[None]]]] = [("server", kill_server)]
    if "--redis" in options:
        redis = options[options.index("--redis") + 1]
        found.append(("redis", lambda: kill_redis(redis)))
    if "--database" in options:
        postgres = options[options.index("--database") + 1]
        found.append(("postgres", lambda: kill_postgres(postgres)))
    return found


def _allow_files() -> None:
    """Allow this process, and the server after it, to open thousands of sockets."""
    if sys.platform != "win32":
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = 8_192 if most == resource.RLIM_INFINITY else min(8_192, most)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))


if __name__ == "__main__":
    main()
