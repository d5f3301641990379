"""What lesson 03 offers to copy."""

from __future__ import annotations

import threading
import types
from collections.abc import Callable

import anyio
import httpx2
import pytest

Load = Callable[..., types.ModuleType]


class MailError(Exception):
    """An exception of a mail library."""


class Messages:
    """A table of messages, and a blocking client that sends them."""

    def __init__(self, *unsent: str) -> None:
        self.texts = dict(enumerate(unsent, start=1))
        self.sent: list[str] = []
        self.marked: set[int] = set()
        self.released = threading.Event()
        self.entered = threading.Semaphore(0)

    async def store(self, text: str) -> int:
        number = len(self.texts) + 1
        self.texts[number] = text
        return number

    async def load(self, message_id: int) -> str:
        return self.texts[message_id]

    async def mark_sent(self, message_id: int) -> None:
        self.marked.add(message_id)

    async def unsent(self) -> list[int]:
        return [number for number in self.texts if number not in self.marked]

    def send(self, text: str) -> None:
        self.entered.release()
        self.released.wait(60)
        if text == "bad":
            raise MailError("no such address")
        self.sent.append(text)

    def copied(self, service: Load) -> types.ModuleType:
        return service(
            "03",
            store=self.store,
            load=self.load,
            mark_sent=self.mark_sent,
            unsent=self.unsent,
            send=self.send,
        )


def client_of(module: types.ModuleType) -> httpx2.AsyncClient:
    transport = httpx2.ASGITransport(module.app)
    return httpx2.AsyncClient(transport=transport, base_url="http://service")


async def test_the_response_does_not_wait_and_the_shutdown_does(service: Load) -> None:
    messages = Messages()
    module = messages.copied(service)
    async with module.lifespan(module.app):
        async with client_of(module) as client:
            for text in ("one", "two"):
                response = await client.post("/messages", params={"text": text})
                assert response.status_code == 201
                await anyio.to_thread.run_sync(messages.entered.acquire)
        sent_before_the_shutdown = [*messages.sent]
        messages.released.set()

    assert sent_before_the_shutdown == []
    assert sorted(messages.sent) == ["one", "two"]
    assert messages.marked == {1, 2}
    assert not module.running


async def test_a_new_process_sends_what_the_last_one_left_and_logs_a_failure(
    service: Load, caplog: pytest.LogCaptureFixture
) -> None:
    messages = Messages("first", "bad", "last")
    messages.released.set()
    module = messages.copied(service)
    async with module.lifespan(module.app):
        pass

    assert sorted(messages.sent) == ["first", "last"]
    assert messages.marked == {1, 3}
    assert "no such address" in caplog.text
    assert await messages.unsent() == [2]
