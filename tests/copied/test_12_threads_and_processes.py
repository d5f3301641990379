"""What lesson 12 offers to copy."""

from __future__ import annotations

import multiprocessing
import threading
import time
import types
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from fastapi import FastAPI

from workshop.testing import eventually, exchange
from workshop.testing.app.exchange import Exchange

Load = Callable[..., types.ModuleType]


class Pool(ThreadPoolExecutor):
    """Stands in for a pool of processes, which breaks as they do."""

    ended = False

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self.ended = True
        super().shutdown(wait, cancel_futures=cancel_futures)


async def requested(app: FastAPI, path: str) -> Exchange:
    request = exchange(app, "GET", path)
    await request.finished()
    return request


async def test_the_library_has_one_thread_and_pools_are_replaced(service: Load) -> None:
    threads: list[int] = []
    pools: list[Pool] = []

    def read_rows(number: int) -> list[int]:
        threads.append(threading.get_ident())
        return list(range(number))

    def add_up(rows: list[int]) -> int:
        if len(rows) == 13:
            raise BrokenProcessPool
        return sum(rows)

    def start_processes() -> Executor:
        pools.append(Pool(2))
        return pools[-1]

    module = service(
        "12",
        read_rows=read_rows,
        add_up=add_up,
        start_processes=start_processes,
        LIMIT=60,
    )
    async with module.lifespan(module.app):
        got = [
            (await requested(module.app, f"/reports/{number}")).status
            for number in (3, 13, 4)
        ]
        assert got == [200, 503, 200]
        assert [pool.ended for pool in pools] == [True, False]
    assert [pool.ended for pool in pools] == [True, True]
    assert len(set(threads)) == 1
    assert threading.get_ident() not in threads


async def test_a_job_that_is_given_up_ends(service: Load) -> None:
    pools: list[ProcessPoolExecutor] = []

    def start_processes() -> Executor:
        spawn = multiprocessing.get_context("spawn")
        pools.append(ProcessPoolExecutor(1, spawn))
        return pools[-1]

    module = service(
        "12",
        read_rows=float,
        add_up=time.sleep,
        start_processes=start_processes,
        LIMIT=1,
    )
    async with module.lifespan(module.app):
        late = await requested(module.app, "/reports/600")
        assert (late.status, len(pools)) == (504, 2)
    await eventually(lambda: not multiprocessing.active_children())
    assert not multiprocessing.active_children()
