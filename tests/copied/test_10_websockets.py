"""What lesson 10 offers to copy."""

from __future__ import annotations

import types
from collections.abc import Callable

from workshop.testing import Clock, conversation, eventually, when_idle

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
