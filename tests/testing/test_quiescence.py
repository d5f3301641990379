"""Detecting that nothing outside the loop can act any more."""

import asyncio
import gc
import hashlib
import queue
import socket
import sys
import threading
import time
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from workshop.testing import Gate, settle
from workshop.testing.sync.quiescence import activity, is_quiescent, threads_are_asleep
from workshop.testing.time.event_loop import WatchedLoop, owner

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


async def test_a_thread_that_waits_for_another_one_is_quiescent(begin: Begin) -> None:
    go = threading.Event()
    other = begin(go.wait)
    begin(other.join)

    assert eventually_quiescent()
    begin(lambda: other.join(60))
    assert never_quiescent()
    go.set()


async def test_a_thread_that_waits_for_the_next_job_in_a_loop_is_quiescent(
    begin: Begin,
) -> None:
    jobs: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
    started, patience = threading.Event(), threading.Event()

    def works() -> None:
        for job in iter(jobs.get, None):
            started.set()
            job()

    begin(works)
    assert eventually_quiescent()
    jobs.put(lambda: patience.wait(60))
    started.wait()
    assert never_quiescent()
    patience.set()
    jobs.put(None)


@pytest.mark.parametrize("jobs", [0, 3])
async def test_an_executor_without_a_job_is_quiescent(jobs: int) -> None:
    with ThreadPoolExecutor(2) as executor:
        for job in [executor.submit(int) for _ in range(jobs)]:
            job.result()
        assert eventually_quiescent()

        with Gate("the job") as gate:
            executor.submit(gate.blocking)
            await gate.entered()
            assert eventually_quiescent()

        started, patience = threading.Event(), threading.Event()

        def works() -> None:
            started.set()
            patience.wait(60)

        executor.submit(works)
        started.wait()
        assert never_quiescent()
        patience.set()


@pytest.fixture
async def elsewhere(begin: Begin) -> AsyncIterator[asyncio.AbstractEventLoop]:
    """An event loop that runs in another thread, which starts after the test's loop."""
    loop = asyncio.SelectorEventLoop()
    thread = begin(loop.run_forever)
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.mark.skipif(sys.platform == "win32", reason="another select()")
async def test_an_idle_loop_in_another_thread_is_quiescent(
    elsewhere: asyncio.AbstractEventLoop,
) -> None:
    assert eventually_quiescent()

    waits = asyncio.run_coroutine_threadsafe(asyncio.Event().wait(), elsewhere)
    assert eventually_quiescent()
    elsewhere.call_soon_threadsafe(waits.cancel)


@pytest.mark.skipif(sys.platform == "win32", reason="another select()")
async def test_a_loop_with_a_timer_in_another_thread_is_not_quiescent(
    elsewhere: asyncio.AbstractEventLoop,
) -> None:
    asyncio.run_coroutine_threadsafe(asyncio.sleep(0), elsewhere).result()
    sleeps = asyncio.run_coroutine_threadsafe(asyncio.sleep(60), elsewhere)
    # The timer is there before the next job is done.
    asyncio.run_coroutine_threadsafe(asyncio.sleep(0), elsewhere).result()

    assert never_quiescent()
    sleeps.cancel()
    assert eventually_quiescent()


async def test_a_loop_with_a_connection_in_another_thread_is_not_quiescent(
    elsewhere: asyncio.AbstractEventLoop,
) -> None:
    async def listen() -> asyncio.Server:
        return await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)

    async def close() -> None:
        server.close()

    server = asyncio.run_coroutine_threadsafe(listen(), elsewhere).result()
    assert never_quiescent()
    asyncio.run_coroutine_threadsafe(close(), elsewhere).result()


async def test_a_loop_that_works_in_another_thread_is_not_quiescent(
    elsewhere: asyncio.AbstractEventLoop,
) -> None:
    busy = True

    async def works() -> None:
        while busy:
            await settle(1)

    working = asyncio.run_coroutine_threadsafe(works(), elsewhere)
    asyncio.run_coroutine_threadsafe(asyncio.sleep(0), elsewhere).result()
    assert never_quiescent()
    busy = False
    working.result()


class Lockable:
    """A block that computes when it is entered."""

    busy = True

    def __init__(self) -> None:
        self.own = threading.Lock()

    def __enter__(self) -> None:
        while self.busy:
            pass

    def __exit__(self, *_: object) -> None:
        pass


async def test_a_thread_that_waits_at_the_block_of_a_lock_is_quiescent(
    begin: Begin,
) -> None:
    lock, lockable, again = threading.Lock(), Lockable(), threading.RLock()
    passed: queue.SimpleQueue[str] = queue.SimpleQueue()

    def waits() -> None:
        with lock:
            passed.put("lock")
        with lockable.own:  # also with a comment
            passed.put("attribute")
        with next(iter([again])):
            passed.put("call")

    with again:
        with lockable.own:
            with lock:
                begin(waits)
                assert eventually_quiescent()
            assert passed.get() == "lock"
            assert eventually_quiescent()
        assert passed.get() == "attribute"
        assert eventually_quiescent()


async def test_a_thread_that_computes_at_the_beginning_of_a_block_is_not(
    begin: Begin,
) -> None:
    lockable = Lockable()

    def computes() -> None:
        with lockable:
            pass

    begin(computes)
    assert never_quiescent()
    lockable.busy = False


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


async def test_a_thread_between_two_lines_is_not_quiescent(begin: Begin) -> None:
    # Code that the compiler added has no line number, and a thread may be there.
    lock = threading.Lock()
    lock.acquire()

    def waits() -> None:
        lock.acquire()
        lock.release()

    begin(waits)
    assert eventually_quiescent()
    waits.__code__ = waits.__code__.replace(co_linetable=b"")
    begin(waits)
    assert never_quiescent()
    lock.release()


async def test_a_loop_is_active_if_it_turns_or_computes() -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, WatchedLoop)
    before = activity(loop)

    await settle(1)
    after = activity(loop)
    assert after[0] > before[0]

    hashlib.sha512(bytes(1_000_000)).digest()
    assert (activity(loop) > after) is hasattr(time, "pthread_getcpuclockid")


async def test_a_connection_within_the_loop_is_quiescent() -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        assert is_quiescent(asyncio.get_running_loop())
        writer.close()
        await settle()


async def test_a_server_elsewhere_is_quiescent_once_it_has_answered() -> None:
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as server:
        reader, writer = await asyncio.open_connection(*server.getsockname())
        peer, _ = server.accept()
        looks = [is_quiescent(loop)]
        for question in (b"first", b"second"):
            writer.write(question)
            looks.append(is_quiescent(loop))
            peer.sendall(b"answer")
            await reader.read(100)
            looks.append(is_quiescent(loop))
        writer.writelines([b"never ", b"answered"])
        looks.append(is_quiescent(loop))
        writer.close()
        peer.close()

    assert looks == [False, False, True, False, True, False]
    assert is_quiescent(loop)


async def test_a_connection_that_fails_or_a_process_is_never_quiescent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(*address)

    assert not is_quiescent(asyncio.get_running_loop())


async def test_a_connection_to_a_server_elsewhere_is_not_kept_alive() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        reader, writer = await asyncio.open_connection(*server.getsockname())
        forgotten = weakref.ref(writer.transport)
        writer.close()
        await writer.wait_closed()
        del reader, writer
        await settle()
        gc.collect()

    assert forgotten() is None


async def test_an_app_with_a_timer_is_not_quiescent() -> None:
    loop = asyncio.get_running_loop()
    token = owner.set(object())
    timer = loop.call_later(60, int)
    owner.reset(token)
    assert not is_quiescent(loop)
    assert not is_quiescent(loop, 61)
    assert is_quiescent(loop, 59)

    timer.cancel()
    assert is_quiescent(loop)


@pytest.mark.usefixtures("clock")
async def test_under_a_manual_clock_a_timer_changes_nothing() -> None:
    token = owner.set(object())
    asyncio.get_running_loop().call_later(60, int)
    owner.reset(token)

    assert is_quiescent(asyncio.get_running_loop())


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
