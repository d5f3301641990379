"""One task that stores what many requests want stored."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from anyio import wait_all_tasks_blocked

from workshop.room.server.records import Draft
from workshop.room.server.store import Appended
from workshop.room.server.writer import BusyError, Writer

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


class GatedStore:
    """A store whose commits wait until the test opens the gate."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.gate = asyncio.Event()
        self.failure: Exception | None = None

    async def append(self, drafts: Sequence[Draft]) -> Appended:
        """Note the size of the batch, and wait."""
        self.batches.append(len(drafts))
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        strangers = {it.actor for it in drafts if it.actor and it.kind == "left"}
        return Appended(frozenset(it.id for it in drafts), frozenset(strangers))


def draft(kind: str = "help") -> Draft:
    return Draft(kind, NOW, uuid4(), {})


async def running(store: GatedStore, requests: list[list[Draft]]) -> list[object]:
    """Let *requests* come while the first commit is under way."""
    writer = Writer(store, linger_seconds=0)
    task = asyncio.create_task(writer.run())
    first = asyncio.create_task(writer.write([draft()]))
    await wait_all_tasks_blocked()
    others = [asyncio.create_task(writer.write(it)) for it in requests]
    await wait_all_tasks_blocked()
    store.gate.set()
    try:
        results = await asyncio.gather(*others, return_exceptions=True)
        await asyncio.gather(first, return_exceptions=True)
        return list(results)
    finally:
        task.cancel()


async def test_requests_that_come_during_a_commit_share_the_next_one() -> None:
    store = GatedStore()
    requests = [[draft(), draft()] for _ in range(50)]
    results = await running(store, requests)
    assert store.batches == [1, 100]
    for request, result in zip(requests, results, strict=True):
        assert isinstance(result, Appended)
        assert result.new == {it.id for it in request}


async def test_a_batch_has_a_limit_and_nothing_is_left_behind() -> None:
    store = GatedStore()
    results = await running(store, [[draft() for _ in range(200)] for _ in range(6)])
    assert store.batches == [1, 400, 400, 400]
    assert len(results) == 6


async def test_a_request_is_told_about_its_own_strangers_only() -> None:
    store = GatedStore()
    gone = draft("left")
    here, there = await running(store, [[draft()], [gone]])
    assert isinstance(here, Appended)
    assert isinstance(there, Appended)
    assert not here.strangers
    assert there.strangers == {gone.actor}


async def test_a_failed_commit_fails_every_request_in_it_and_the_next_one_works() -> (
    None
):
    store = GatedStore()
    store.failure = OSError("gone")
    results = await running(store, [[draft()], [draft()]])
    assert all(isinstance(it, OSError) for it in results)
    store.failure = None
    assert await running(store, [[draft()]])


async def test_requests_are_refused_when_too_many_wait_for_the_database() -> None:
    store = GatedStore()
    results = await running(store, [[draft()] for _ in range(320)])
    assert sum(isinstance(it, BusyError) for it in results) == 20


@pytest.mark.parametrize("kind", ["help", "left"])
async def test_a_client_that_leaves_during_the_commit_disturbs_nobody(
    kind: str,
) -> None:
    store = GatedStore()
    writer = Writer(store, linger_seconds=0)
    task = asyncio.create_task(writer.run())
    leaving = asyncio.create_task(writer.write([draft(kind)]))
    await wait_all_tasks_blocked()
    leaving.cancel()
    store.gate.set()
    assert (await writer.write([draft()])).new
    task.cancel()
