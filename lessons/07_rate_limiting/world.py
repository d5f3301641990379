"""The outside world of lesson 07: customers, proxies, the blocklist and Redis.

Time is moved by hand: the app's now() and the event loop follow the same clock. Each
call comes over a connection of its own, so its port differs, and asks for another
show, ticket or word. Customers call directly or through our proxies.
"""

import ast
import asyncio
import gc
import socket
import socketserver
import threading
from collections import deque
from collections.abc import (
    AsyncIterator,
    Collection,
    Iterable,
    Iterator,
    MutableMapping,
    Sequence,
)
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from itertools import count
from urllib.parse import urlsplit

from workshop.testing import (
    Clock,
    Exchange,
    RedisProxy,
    RedisServer,
    RunApp,
    RunningApp,
    exchange,
)

ANN, BOB, CLEO, DAN = "203.0.113.1", "203.0.113.2", "203.0.113.3", "203.0.113.4"
SCALPER = "203.0.113.66"
KNOWN_SCALPER = "192.0.2.200"  # on the blocklist
BALANCER, CACHE = "10.0.0.1", "10.0.0.2"
NEIGHBOUR = "10.0.0.77"  # in the same network as our proxies, but not one of them
NOON = 1_700_000_007.0  # seven seconds into any ten: windows begin with a call

Message = MutableMapping[str, object]
Headers = Sequence[tuple[str, str]]
_numbers = count(1)
_addresses = count(1)


def open_the_box_office(app: RunningApp, clock: Clock | None = None) -> None:
    """Let the outside world answer at once; time stands still, or follows *clock*."""
    loop = asyncio.get_running_loop()

    def now() -> float:
        return NOON + (loop.time() if clock else 0)

    async def on_blocklist(address: str) -> bool:
        return address == KNOWN_SCALPER

    async def seats_left(show_id: int) -> int:
        return show_id + 5

    def print_ticket(code: str) -> str:
        return f"ticket {code}, row 7"

    app.replace("now", now)
    app.replace("on_blocklist", on_blocklist)
    app.replace("seats_left", seats_left)
    app.replace("print_ticket", print_ticket)


def new_customers(number: int = 2, *, ipv6: bool = False) -> list[str]:
    """Return addresses that have not called yet."""
    network = "2001:db8::7:" if ipv6 else "198.18.9."
    return [f"{network}{next(_addresses)}" for _ in range(number)]


def send(
    app: RunningApp,
    method: str,
    path: str,
    address: str,
    proxies: Sequence[str] = (),
    forged: Headers = (),
) -> Exchange:
    """Start a request from *address*, through *proxies*, with *forged* headers.

    The balancer appends to the last line of X-Forwarded-For, as nginx does. The cache
    adds a line of its own, as HAProxy does.
    """
    headers = list(forged)
    *seen, peer = (address, *proxies)
    for each, proxy in zip(seen, proxies, strict=True):
        appends = proxy == BALANCER and headers
        if appends and headers[-1][0] == "X-Forwarded-For":
            headers[-1] = ("X-Forwarded-For", f"{headers[-1][1]}, {each}")
        else:
            headers.append(("X-Forwarded-For", each))
    port = 40_000 + next(_numbers) % 20_000
    return exchange(app, method, path, headers=headers, client=(peer, port))


async def visit(app: RunningApp, method: str, path: str, *way: object) -> Exchange:
    """Send a request as `send` does, and return when the app is done with it."""
    call = send(app, method, path, *way)  # type: ignore[arg-type]
    await call.finished()
    return call


async def seats(
    app: RunningApp, address: str, proxies: Sequence[str] = (), forged: Headers = ()
) -> Exchange:
    """Ask for the seats of a show, each time of another."""
    path = f"/shows/{next(_numbers)}/seats"
    return await visit(app, "GET", path, address, proxies, forged)


async def ticket(
    app: RunningApp, address: str, proxies: Sequence[str] = (), forged: Headers = ()
) -> Exchange:
    """Print a ticket, each time another."""
    path = f"/tickets/K{next(_numbers)}"
    return await visit(app, "GET", path, address, proxies, forged)


async def guess(
    app: RunningApp, address: str, proxies: Sequence[str] = (), forged: Headers = ()
) -> Exchange:
    """Guess the word of the presale, each time another."""
    path = f"/presale/sesame{next(_numbers)}"
    return await visit(app, "POST", path, address, proxies, forged)


async def crowd(
    app: RunningApp,
    addresses: Iterable[str],
    method: str = "GET",
    path: str = "/shows/1/seats",
) -> None:
    """Call once from each of *addresses*; the responses do not matter."""

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        pass

    for address in addresses:
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": b"",
            "headers": [],
            "client": (address, 40_000),
            "state": dict(app.state),
        }
        await app.asgi(scope, receive, send)


def forgeries(separate_line: bool) -> list[Headers]:
    """Return what a scalper writes into the headers of five calls, one list a call."""
    many = ", ".join(f"198.51.100.{n}" for n in range(60))
    made_up = [many, BALANCER, "unknown, ,\xe9", "", "198.51.100.2, 10.0.0.2"]
    names = ("X-Real-IP", "True-Client-IP", "CF-Connecting-IP", "X-Client-IP")
    return [
        [
            *([] if separate_line else [(name, f"198.51.100.{n}") for name in names]),
            ("Forwarded", f"for=198.51.100.{n}"),
            ("X-Forwarded-For", value),
            *([("X-Real-IP", f"198.51.100.{n}")] if separate_line else []),
        ]
        for n, value in enumerate(made_up)
    ]


def largest_number(app: RunningApp, *, at_most: int) -> int:
    """Return the largest whole number in the app's code, such as a cap on customers."""
    nodes = ast.walk(ast.parse(app.file.read_text(encoding="utf-8")))
    found = [it.value for it in nodes if isinstance(it, ast.Constant)]
    return max((it for it in found if type(it) is int and it <= at_most), default=0)


def seconds(answer: Exchange) -> int | None:
    """Return the value of Retry-After, if it is a whole number."""
    text = answer.headers.get("retry-after", "")
    return int(text) if text.isdigit() else None


@contextmanager
def memory_before_is_ignored() -> Iterator[None]:
    """Hide everything that is in memory now from the two functions below."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def remembered(part: str) -> set[str]:
    """Return the texts with *part* in them that the app keeps anywhere in memory."""
    groups = (list(group) for group in in_memory())
    texts = {it for group in groups for it in group if type(it) is str and part in it}
    return texts - {part}


def sizes_in_memory() -> dict[int, int]:
    """Return how many entries each container in memory has, by its identity."""
    found = [each for each in in_memory() if isinstance(each, dict | set)]
    found += [each for each in gc.get_objects() if isinstance(each, list | deque)]
    return {id(each): len(each) for each in found}  # made after the look around


def in_memory() -> Iterator[Collection[object]]:
    """Yield everything in memory that holds something else, each once.

    A cache with a fixed size, such as uvicorn has one for addresses, is left out.
    """
    gc.collect()
    cache = type(lru_cache(int))
    holders = gc.get_objects()
    hidden = {
        id(entry)
        for each in holders
        if isinstance(each, cache) and each.cache_parameters()["maxsize"]
        for entry in (each, *gc.get_referents(each))
    }
    seen = set(hidden)
    for each in holders:
        if id(each) in hidden:
            continue
        held = gc.get_referents(each)
        yield held
        # The collector does not list a dict or tuple of mere texts and numbers, and
        # does not follow the keys of a dict.
        for group in (each, *held):
            if isinstance(group, dict | set | tuple) and id(group) not in seen:
                seen.add(id(group))
                yield group


@dataclass
class TwoWorkers:
    """Two instances of the app with one Redis; the first is behind a proxy."""

    first: RunningApp
    second: RunningApp
    proxy: RedisProxy
    redis: RedisServer

    async def pass_seconds(self, passed: float) -> None:
        """Let time pass for both workers, and for every key that will expire."""
        for app in (self.first, self.second):
            moment = app.module.now() + passed
            app.replace("now", lambda moment=moment: moment)
        for key in await self.redis.keys():
            left = await self.redis.admin.pttl(key)
            if left > 0:
                begun = -(-left // 1000) * 1000  # without the real time since then
                await self.redis.admin.pexpire(key, int(begun - 1000 * passed))

    async def endless_counts(self) -> list[str]:
        """Return the keys in Redis that never expire."""
        keys = await self.redis.keys()
        return [key for key in keys if await self.redis.admin.pttl(key) == -1]


@asynccontextmanager
async def two_workers(run_app: RunApp, redis: RedisServer) -> AsyncIterator[TwoWorkers]:
    """Start two workers."""
    with RedisProxy(redis.url) as proxy, one_by_one(proxy.url) as url:
        async with (
            run_app(env={"REDIS_URL": url}) as first,
            run_app(env={"REDIS_URL": redis.url}) as second,
        ):
            open_the_box_office(first)
            open_the_box_office(second)
            yield TwoWorkers(first, second, proxy, redis)


@contextmanager
def one_by_one(url: str) -> Iterator[str]:
    """Yield the address of a server that passes commands on to *url* one by one.

    Without it, a pipeline arrives in one piece, and nothing could come in between.
    """
    redis = urlsplit(url)
    host, port = redis.hostname or "", redis.port or 0
    with _OneByOne((host, port)) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        own = str(server.server_address[1])
        yield redis._replace(netloc=redis.netloc.replace(str(port), own)).geturl()
        server.shutdown()


class _OneByOne(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, redis: tuple[str, int]) -> None:
        self.address_family = socket.AF_INET6 if ":" in redis[0] else socket.AF_INET
        self.redis = redis
        super().__init__((redis[0], 0), _Commands)


class _Commands(socketserver.StreamRequestHandler):
    server: _OneByOne

    def handle(self) -> None:
        with suppress(OSError), socket.create_connection(self.server.redis) as redis:
            while command := self._next_command():
                redis.sendall(command)
                reply = redis.recv(65_536)
                if not reply:
                    return
                self.wfile.write(reply)

    def _next_command(self) -> bytes:
        parts = [self.rfile.readline()]  # how many words follow, such as *3
        for _ in range(int(parts[0][1:] or 0)):
            size = self.rfile.readline()
            parts += [size, self.rfile.read(int(size[1:]) + 2)]
        return b"".join(parts)
