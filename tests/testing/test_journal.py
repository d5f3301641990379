"""The journal."""

import asyncio
import threading

import pytest

from workshop.testing import Journal, TimeLimitExceeded


async def test_events_stand_in_the_order_of_their_recording() -> None:
    journal = Journal()
    for event in ("paid", "printed", "paid"):
        journal.record(event)

    assert journal.events == ["paid", "printed", "paid"]
    assert (journal.position("paid"), journal.position("printed")) == (0, 1)
    assert "printed" in journal


def test_an_event_that_is_not_there_has_no_position_and_the_words_say_what_is() -> None:
    journal = Journal()
    journal.record("paid")

    with pytest.raises(
        TimeLimitExceeded, match=r"'printed' never happened. What did: paid."
    ):
        journal.position("printed")


async def test_a_test_can_wait_for_an_event_of_another_thread() -> None:
    journal = Journal()
    waiting = asyncio.create_task(journal.reached("paid"))
    threading.Thread(target=journal.record, args=["paid"]).start()

    await waiting


@pytest.mark.usefixtures("short_limit")
async def test_an_event_that_never_comes_fails_in_words() -> None:
    with pytest.raises(TimeLimitExceeded, match=r"^'paid' never happened.$"):
        await Journal().reached("paid")
