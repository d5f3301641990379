"""What lesson 04 offers to copy."""

from __future__ import annotations

import asyncio
import types
from collections.abc import Callable

import httpx2

NEVER = ConnectionError("not raised: a shop with this answer stays silent")


class RefusedError(Exception):
    """A room that is taken."""


class Outside:
    """Shops that answer, fail or stay silent, and a hotel that takes its time."""

    def __init__(self, **shops: int | BaseException) -> None:
        self.shops = shops
        self.in_flight = 0
        self.taken: set[str] = set()
        self.error: Exception = RefusedError("taken")
        self.decides = asyncio.Event()
        self.both_arrived = asyncio.Event()

    async def fetch_offer(self, shop: str, number: int) -> int:
        answer = self.shops[shop]
        if answer is NEVER:
            await self._waiting(asyncio.Event())
        if isinstance(answer, BaseException):
            raise answer
        return answer + number

    async def reserve(self, room: str) -> int:
        if room in self.taken:
            await asyncio.sleep(0)
            raise self.error
        await self._waiting(self.decides)
        return len(room)

    async def _waiting(self, event: asyncio.Event) -> None:
        self.in_flight += 1
        if self.in_flight == 2:
            self.both_arrived.set()
        try:
            await event.wait()
        finally:
            self.in_flight -= 1


def running(
    service: Callable[..., types.ModuleType], outside: Outside
) -> httpx2.AsyncClient:
    copied = service(
        "04",
        SHOPS=[*outside.shops],
        fetch_offer=outside.fetch_offer,
        reserve=outside.reserve,
        Refused=RefusedError,
    )
    vars(copied)["SECONDS"] = 0  # shops that answer at once are in time
    transport = httpx2.ASGITransport(copied.app, raise_app_exceptions=False)
    return httpx2.AsyncClient(transport=transport, base_url="http://service")


async def test_offers_name_the_shops_that_are_late_and_those_that_failed(
    service: Callable[..., types.ModuleType],
) -> None:
    outside = Outside(
        good=20,
        gone=httpx2.ConnectError("connection refused"),
        broken=KeyError("price"),
        slow_itself=TimeoutError(),
        cancelled=asyncio.CancelledError(),
        silent=NEVER,
    )
    async with running(service, outside) as client:
        response = await client.get("/products/3/offers")

    assert response.status_code == 504
    assert response.json() == {
        "offers": {"good": 23},
        "late": ["silent"],
        "failed": ["gone", "broken", "slow_itself", "cancelled"],
    }
    assert outside.in_flight == 0


async def test_offers_are_complete_when_every_shop_answers(
    service: Callable[..., types.ModuleType],
) -> None:
    async with running(service, Outside(one=20, other=30)) as client:
        response = await client.get("/products/3/offers")

    assert response.status_code == 200
    assert response.json()["offers"] == {"one": 23, "other": 33}


async def test_a_refused_room_stops_the_other_reservations(
    service: Callable[..., types.ModuleType],
) -> None:
    outside = Outside()
    outside.taken = {"attic", "cellar"}
    async with running(service, outside) as client:
        refused = await client.post("/trips", json=["hall", "attic", "cellar"])
        outside.error = httpx2.ReadTimeout("no response")
        broken = await client.post("/trips", json=["hall", "attic"])

    assert (refused.status_code, refused.json()) == (409, {"detail": "taken"})
    assert broken.status_code == 500
    assert outside.in_flight == 0


async def test_a_trip_is_confirmed_when_every_room_is_reserved(
    service: Callable[..., types.ModuleType],
) -> None:
    outside = Outside()
    async with running(service, outside) as client:
        trip = asyncio.create_task(client.post("/trips", json=["hall", "loft"]))
        await outside.both_arrived.wait()
        outside.decides.set()
        assert (await trip).json() == {"reserved": [4, 4]}


async def test_a_cancelled_request_stops_its_calls(
    service: Callable[..., types.ModuleType],
) -> None:
    outside = Outside()
    async with running(service, outside) as client:
        trip = asyncio.create_task(client.post("/trips", json=["hall", "loft"]))
        await outside.both_arrived.wait()
        trip.cancel()
        await asyncio.wait({trip})

    assert trip.cancelled()
    assert outside.in_flight == 0
