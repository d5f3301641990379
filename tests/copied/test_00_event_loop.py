"""What lesson 00 offers to copy."""

from __future__ import annotations

import threading
import types
from collections.abc import Callable

import anyio
import httpx2


class ReportError(Exception):
    """A report that could not be fetched."""


class Archive:
    """A blocking service that holds every call until it is released."""

    def __init__(self) -> None:
        self.released = threading.Event()
        self.count = threading.Semaphore(0)
        self.log: list[str] = []

    def fetch_report(self, number: int) -> str:
        self.count.release()
        self.released.wait(60)
        if number == 0:
            raise ReportError("no such report")
        return f"report {number}"

    async def write_log(self, text: str) -> None:
        self.log.append(text)


def running(
    service: Callable[..., types.ModuleType], archive: Archive
) -> httpx2.AsyncClient:
    copied = service(
        "00",
        fetch_report=archive.fetch_report,
        write_log=archive.write_log,
        ReportError=ReportError,
    )
    transport = httpx2.ASGITransport(copied.app)
    return httpx2.AsyncClient(transport=transport, base_url="http://service")


async def test_health_responds_while_reports_fill_the_limiter(
    service: Callable[..., types.ModuleType],
) -> None:
    archive = Archive()
    answers: list[int] = []

    async def ask(number: int) -> None:
        answers.append((await client.get(f"/reports/{number}")).status_code)

    async with (
        running(service, archive) as client,
        anyio.create_task_group() as group,
    ):
        for number in range(1, 51):
            group.start_soon(ask, number)
        for _ in range(10):
            await anyio.to_thread.run_sync(archive.count.acquire)
        health = await client.get("/health")
        in_flight_beyond_the_limit = archive.count.acquire(blocking=False)
        archive.released.set()

    assert health.json() == {"status": "ok"}
    assert not in_flight_beyond_the_limit
    assert answers == [200] * 50
    assert len(archive.log) == 50


async def test_errors_release_their_place_and_are_not_logged(
    service: Callable[..., types.ModuleType],
) -> None:
    archive = Archive()
    archive.released.set()
    async with running(service, archive) as client:
        refused = [await client.get("/reports/0") for _ in range(30)]
        served = await client.get("/reports/1")

    assert {response.status_code for response in refused} == {502}
    assert served.json() == {"report": "report 1"}
    assert archive.log == ["report 1"]
