"""Detecting that nothing outside the loop can act any more."""

import asyncio
import hashlib
import queue
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from workshop.testing import Gate, settle
from workshop.testing.sync.quiescence import is_quiescent, threads_are_asleep
from workshop.testing.time.event_loop import owner

Begin = Callable[[Callable[[], object]], threading.Thread]


@pytest.fixture
def begin() -> Iterator[Begin]:
    """Return a function that starts a thread; they are waited for at the end."""
    threads: list[threading.Thread] = []

    def start(work: Callable[[], object]) -> threading.Thread:
        thread = threading.Thread(target=work, daemon=True)
        threads.append(thread)
        thread.start()
        return thread

    yield start
    for thread in threads:
        thread.join(5)
        assert not thread.is_alive()


def eventually_quiescent() -> bool:
    """Return whether it is seen within five seconds: a thread has to get there."""
    loop, end = asyncio.get_running_loop(), time.monotonic() + 5
    while not is_quiescent(loop):
        if time.monotonic() > end:
            return False
    return True


def never_quiescent() -> bool:
    """Return whether it is not seen in a good many looks, with others at work."""
    loop = asyncio.get_running_loop()
    return not any(is_quiescent(loop) for _ in range(200))


async def test_a_loop_alone_is_quiescent() -> None:
    assert is_quiescent(asyncio.get_running_loop())


async def test_a_thread_that_was_given_nothing_is_quiescent() -> None:
    await asyncio.to_thread(int)

    assert eventually_quiescent()


async def test_a_thread_that_waits_for_a_queue_or_an_event_is_quiescent(
    begin: Begin,
) -> None:
    jobs: queue.Queue[object] = queue.Queue()
    more: queue.SimpleQueue[object] = queue.SimpleQueue()
    go = threading.Event()
    begin(jobs.get)
    begin(lambda: more.get())
    begin(go.wait)

    assert eventually_quiescent()
    for thing in (jobs, more):
        thing.put(None)
    go.set()


async def test_a_thread_that_waits_at_a_gate_is_quiescent(begin: Begin) -> None:
    with Gate("the report") as gate:
        begin(gate.blocking)
        await gate.entered()

        assert eventually_quiescent()


async def test_a_thread_that_works_or_will_wake_by_itself_is_not(begin: Begin) -> None:
    busy = True

    def works() -> None:
        while busy:
            pass

    thread = begin(works)
    assert never_quiescent()
    busy = False
    thread.join()

    patience = threading.Event()
    begin(lambda: patience.wait(60))
    assert never_quiescent()
    patience.set()


async def test_a_connection_within_the_loop_is_quiescent_others_are_not() -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    loop = asyncio.get_running_loop()
    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.close()
        await settle()
        assert is_quiescent(loop)

    with socket.create_server(("127.0.0.1", 0)) as stranger:
        _, writer = await asyncio.open_connection(*stranger.getsockname())
        writer.close()
    assert not is_quiescent(loop)


async def test_an_app_with_a_timer_is_not_quiescent() -> None:
    loop = asyncio.get_running_loop()
    token = owner.set(object())
    timer = loop.call_later(60, int)
    owner.reset(token)
    assert not is_quiescent(loop)

    timer.cancel()
    assert is_quiescent(loop)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_threads_that_wait_are_asleep_and_those_that_compute_are_not() -> None:
    jobs: queue.Queue[int] = queue.Queue()
    thread = threading.Thread(
        target=lambda: hashlib.pbkdf2_hmac("sha256", b"", b"", jobs.get()), daemon=True
    )
    thread.start()

    waited = any(threads_are_asleep() for _ in range(100_000))
    jobs.put(300_000)
    computed = False
    while thread.is_alive() and not computed:
        computed = not threads_are_asleep()
    thread.join()

    assert (waited, computed) == (True, True)
