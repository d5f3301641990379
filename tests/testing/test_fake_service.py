"""The stand-in for a remote service."""

import asyncio

import pytest

from workshop.testing import FakeService, TimeLimitExceeded, settle, when_idle


def price_of(show: int, seat: str) -> str:
    return f"{seat} in show {show}"


async def test_each_caller_gets_the_answer_to_its_own_arguments() -> None:
    service = FakeService("the price list", price_of)

    answers = await asyncio.gather(service(7, "A1"), service(8, seat="B2"))

    assert [*answers] == ["A1 in show 7", "B2 in show 8"]
    assert service.calls == [(7, "A1"), (8, "B2")]
    assert service.most_in_flight == 2
    assert service.in_flight == []


async def test_no_answer_comes_in_the_turn_in_which_it_was_asked_for() -> None:
    call = asyncio.ensure_future(FakeService("the mainframe", 45)())

    await settle(1)
    assert not call.done()

    assert await call == 45


async def test_it_fails_once_for_the_calls_that_match() -> None:
    service = FakeService("the price list", price_of)
    service.fails_once(OSError("no line"), when=lambda show, seat: show == 8)

    assert await service(7, "A1") == "A1 in show 7"
    with pytest.raises(OSError, match="no line"):
        await service(8, "A1")
    assert await service(8, "A1") == "A1 in show 8"


async def test_it_fails_as_often_as_it_was_told_and_one_fault_after_another() -> None:
    service = FakeService("the mainframe", 45)
    service.fails(OSError(), times=2)
    service.fails_once(ValueError())

    results = await asyncio.gather(
        *(service() for _ in range(4)), return_exceptions=True
    )

    assert [type(result) for result in results] == [OSError, OSError, ValueError, int]


async def test_a_call_that_hangs_is_in_flight_until_its_gate_opens() -> None:
    service = FakeService("the price list", price_of)
    gate = service.hangs(when=lambda show, seat: seat == "A1")

    hanging = asyncio.ensure_future(service(7, "A1"))
    assert await service(7, "B2") == "B2 in show 7"
    assert await when_idle(lambda: service.in_flight) == [(7, "A1")]
    gate.open()

    assert await hanging == "A1 in show 7"


async def test_a_call_can_fail_late() -> None:
    service = FakeService("the mainframe", 45)
    gate = service.hangs(error=TimeoutError("gave up"))

    late = asyncio.ensure_future(service())
    await gate.entered()
    gate.open()

    with pytest.raises(TimeoutError, match="gave up"):
        await late


async def test_it_recovers_and_calls_that_hang_get_their_answers() -> None:
    service = FakeService("the mainframe", 45)
    gate = service.hangs()
    hanging = asyncio.ensure_future(service())
    await gate.entered()

    service.recovers()

    assert [await hanging, await service()] == [45, 45]


async def test_a_cancelled_call_is_not_in_flight_any_more() -> None:
    service = FakeService("the price list", price_of)
    service.hangs()
    calls = [asyncio.ensure_future(service(show, "A1")) for show in (7, 8)]
    await service.until_in_flight(2)

    calls[0].cancel()
    await settle()

    assert service.cancelled == [(7, "A1")]
    assert service.in_flight == [(8, "A1")]


@pytest.mark.usefixtures("short_limit")
async def test_too_few_calls_in_flight_are_counted_when_the_limit_has_passed() -> None:
    service = FakeService("the price list", price_of)
    service.hangs()
    waiting = asyncio.ensure_future(service.until_in_flight(3))
    await settle(1)
    calls = [asyncio.ensure_future(service(show, "A1")) for show in (7, 8)]

    with pytest.raises(TimeLimitExceeded, match=r"^At most 2 of 3 calls"):
        await waiting
    service.recovers()
    await asyncio.gather(*calls)
