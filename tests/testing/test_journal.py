"""The journal."""

import asyncio
import threading

import pytest

from workshop.testing import Journal, TimeLimitExceeded


async def test_events_are_in_the_order_of_their_recording() -> None:
    journal = Journal()
    for event in ("paid", "printed", "paid"):
        journal.record(event)

    assert journal.events == ["paid", "printed", "paid"]
    assert (journal.position("paid"), journal.position("printed")) == (0, 1)
    assert "printed" in journal


def test_a_missing_event_is_an_error_that_lists_the_others() -> None:
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
async def test_an_event_that_never_comes_fails_with_a_message() -> None:
    with pytest.raises(TimeLimitExceeded, match=r"^'paid' never happened.$"):
        await Journal().reached("paid")
