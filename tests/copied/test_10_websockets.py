"""What lesson 10 offers to copy."""

from __future__ import annotations

import asyncio
import types
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from workshop.testing import Clock, Gate, conversation, eventually, when_idle

ANN = {"cookie": "session=ann"}


async def is_known(session: str) -> bool:
    return session == "ann"


async def test_news_reach_all_clients_and_one_that_does_not_read_has_to_leave(
    clock: Clock, service: Callable[..., types.ModuleType]
) -> None:
    module = service("10", is_known=is_known)
    ann, bob, slow = [conversation(module.app, "/news", headers=ANN) for _ in "123"]
    assert await eventually(lambda: len(module.senders) == 3)
    slow.stop_reading()
    for number in range(200):
        module.publish(f"news {number}")
        await when_idle(lambda: None)
    await clock.advance(1)
    assert await eventually(lambda: slow.done)
    assert len(module.senders) == 2
    assert len(ann.heard) == len(bob.heard) == 200
    ann.say("hello")
    ann.leave()
    bob.leave(None)
    assert await eventually(lambda: ann.done and bob.done)
    assert not module.senders
    assert (ann.error, bob.error, slow.error) == (None, None, None)


async def test_a_client_that_reads_again_gets_the_close_code(
    service: Callable[..., types.ModuleType],
) -> None:
    module = service("10", is_known=is_known)
    ann = conversation(module.app, "/news", headers=ANN)
    assert await eventually(lambda: len(module.senders) == 1)
    ann.stop_reading()
    for number in range(102):
        module.publish(f"news {number}")
        await when_idle(lambda: None)
    ann.read()
    assert await eventually(lambda: ann.done)
    assert ann.code == 1013


async def test_strangers_are_refused(
    service: Callable[..., types.ModuleType],
) -> None:
    app = service("10", is_known=is_known).app
    foreign = conversation(app, "/news", headers={**ANN, "origin": "https://evil"})
    unknown = conversation(app, "/news")
    assert await eventually(lambda: foreign.done and unknown.done)
    assert (foreign.status, unknown.status) == (403, 401)


class Session:
    """Stands in for an `async_sessionmaker`; counts the sessions that are open."""

    open = 0

    @classmethod
    @asynccontextmanager
    async def begin(cls) -> AsyncIterator[None]:
        cls.open += 1
        try:
            yield
        finally:
            cls.open -= 1


async def test_no_session_waits_for_a_client_and_each_order_gets_its_mail(
    service: Callable[..., types.ModuleType], caplog: pytest.LogCaptureFixture
) -> None:
    mail, stored, sent = Gate("the mail server"), list[str](), list[int]()

    async def store(db: None, text: str) -> int:
        stored.append(text)
        return len(stored)

    async def send_mail(number: int) -> None:
        await mail(number)
        if number == 1:
            raise ConnectionError("no mail today")
        sent.append(number)

    names = {"Session": Session, "store": store, "send_mail": send_mail}
    module = service("10", is_known=is_known, **names)
    ann, bob = [conversation(module.app, "/orders", headers=ANN) for _ in "12"]
    ann.say("A1")
    assert await eventually(lambda: ann.heard == [{"order": 1}])
    ann.stop_reading()
    ann.say("A2")
    assert await eventually(lambda: bool(ann.held_up))
    bob.say("B1")
    bob.leave(None)
    assert await eventually(lambda: bob.done and mail.waiting == 3)
    assert Session.open == 0
    finishing = asyncio.create_task(module.finish_jobs())
    assert not await eventually(finishing.done)
    mail.open()
    assert await eventually(finishing.done)
    assert (sorted(sent), bob.error, module.jobs) == ([2, 3], None, set())
    assert "no mail today" in caplog.text
    ann.read()
    ann.leave()
    assert await eventually(lambda: ann.done)
    assert ann.error is None
