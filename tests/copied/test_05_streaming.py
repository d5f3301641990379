"""What lesson 05 offers to copy."""

from __future__ import annotations

import asyncio
import types
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from workshop.testing import Exchange, exchange, settle

Service = Callable[..., types.ModuleType]


class FeedError(Exception):
    """A subscription that broke."""


@dataclass
class Item:
    """Something that is streamed."""

    id: int
    data: str = "some\ntext"


@dataclass
class Source:
    """Stores items and sends them to subscriptions. Closing one has to be awaited."""

    stored: list[Item] = field(default_factory=list)
    queues: list[asyncio.Queue[Item | None]] = field(default_factory=list)
    ended: bool = False
    on_subscribe: Callable[[], None] = lambda: None

    def publish(self, number: int) -> None:
        self.stored.append(Item(number))
        for queue in self.queues:
            queue.put_nowait(self.stored[-1])

    def breaks(self) -> None:
        for queue in self.queues:
            queue.put_nowait(None)

    async def topic_exists(self, topic: str) -> bool:
        return topic == "news"

    async def has_ended(self, topic: str, last: int) -> bool:
        return self.ended and last >= self.stored[-1].id

    async def stored_after(self, topic: str, last: int) -> list[Item]:
        return [item for item in self.stored if item.id > last]

    @asynccontextmanager
    async def subscribe(self, topic: str) -> AsyncIterator[AsyncIterator[Item]]:
        queue = asyncio.Queue[Item | None]()
        self.queues.append(queue)
        self.on_subscribe()
        try:
            yield self.items(queue)
        finally:
            await asyncio.sleep(0)
            self.queues.remove(queue)

    async def items(self, queue: asyncio.Queue[Item | None]) -> AsyncIterator[Item]:
        while item := await queue.get():
            yield item
        raise FeedError


@pytest.fixture
def source() -> Source:
    """A source with three stored items."""
    return Source([Item(1), Item(2), Item(4)])


@pytest.fixture
def read(service: Service, source: Source) -> Callable[..., Exchange]:
    """Return a function that opens the stream of a topic."""
    copied = service(
        "05",
        topic_exists=source.topic_exists,
        has_ended=source.has_ended,
        stored_after=source.stored_after,
        subscribe=source.subscribe,
        Item=Item,
        FeedError=FeedError,
    )

    def get(topic: str = "news", last: str = "") -> Exchange:
        headers = {"Last-Event-ID": last} if last else {}
        return exchange(copied.app, "GET", f"/topics/{topic}/events", headers=headers)

    return get


def ids(stream: Exchange) -> list[int]:
    lines = stream.body.decode().splitlines()
    return [int(line[3:]) for line in lines if line.startswith("id:")]


async def arrived(stream: Exchange, *expected: int) -> None:
    while ids(stream) != [*expected]:
        message = await stream.next_message()
        assert message is not None, ids(stream)
    await settle()
    assert ids(stream) == [*expected]


async def test_a_disconnect_closes_the_subscription(
    source: Source, read: Callable[..., Exchange]
) -> None:
    ann, bob = read(), read()
    for stream in (ann, bob):
        await arrived(stream, 1, 2, 4)
    ann.disconnect()
    await ann.finished()
    assert len(source.queues) == 1

    source.publish(7)
    await arrived(bob, 1, 2, 4, 7)
    bob.disconnect()
    await bob.finished()
    assert source.queues == []


async def test_each_item_is_sent_once_to_a_client_that_reconnects(
    source: Source, read: Callable[..., Exchange]
) -> None:
    source.on_subscribe = lambda: source.publish(5)
    stream = read(last="2")
    await arrived(stream, 4, 5)
    source.publish(6)
    await arrived(stream, 4, 5, 6)
    stream.disconnect()
    await stream.finished()


async def test_a_broken_feed_sends_trouble_and_ends_normally(
    source: Source, read: Callable[..., Exchange]
) -> None:
    stream = read()
    await arrived(stream, 1, 2, 4)
    source.breaks()
    await stream.finished()
    assert stream.complete
    assert stream.error is None
    assert b"event: trouble" in stream.body
    assert source.queues == []


@pytest.mark.parametrize(
    ("topic", "last", "status"), [("x", "", 404), ("news", "4", 204)]
)
async def test_a_status_comes_before_the_stream(
    source: Source,
    read: Callable[..., Exchange],
    topic: str,
    last: str,
    status: int,
) -> None:
    source.ended = True
    stream = read(topic, last)
    await stream.finished()
    assert (stream.status, stream.body if status == 204 else b"") == (status, b"")
    assert source.queues == []
