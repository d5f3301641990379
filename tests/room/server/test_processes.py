"""The real command: kills, several workers, and an orderly end."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from benchmarks.room import (
    HOST,
    LESSON,
    Board,
    Connection,
    Learner,
    Server,
    measure_kills,
    services,
    victims,
)
from workshop.processes.loopback import free_port

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL and SIGTERM"),
]


@contextlib.asynccontextmanager
async def ended(server: Server) -> AsyncIterator[None]:
    """Kill *server* at the end of the block, if it is still there."""
    try:
        yield
    finally:
        if server.process is not None and server.process.poll() is None:
            await server.kill()


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
async def test_no_kill_loses_or_doubles_an_acknowledged_event(
    database: str, tmp_path: Path
) -> None:
    with services(database, redis=True) as options:
        server = Server(tmp_path, free_port(HOST), options)
        async with ended(server):
            results = await measure_kills(
                server, tmp_path, options, victims(server, options), learners=10
            )
    names = ["server", "redis", *(["postgres"] if database == "postgres" else [])]
    assert list(results) == names
    for result in results.values():
        assert result["sent"] == result["acknowledged"] > 0
        assert (result["lost"], result["doubled"]) == (0, 0)
        assert result["board_is_complete"]


async def test_four_workers_show_one_board(tmp_path: Path) -> None:
    with services("postgres", redis=True) as options:
        server = Server(tmp_path, free_port(HOST), [*options, "--workers", "4"])
        async with ended(server):
            await server.start()
            people = [Learner(server, number) for number in range(12)]
            await asyncio.gather(*(it.join() for it in people))
            headers = await server.log_in()
            # Each has a connection of its own, so the kernel spreads them.
            boards = [Board(server, headers) for _ in range(12)]
            following = [asyncio.create_task(it.run()) for it in boards]
            for _ in range(3):
                await asyncio.gather(*(it.save() for it in people))
            expected = {str(it.id): it.failing for it in people}
            complete = [await board.wait_for(expected, 30) for board in boards]
            for task in following:
                task.cancel()
            for person in people:
                person.connection.close()
            workers = len(server.family()) - 1
            await server.stop()
    assert all(complete)
    assert workers >= 4


async def test_a_server_that_is_asked_to_stop_tells_the_streams_first(
    tmp_path: Path,
) -> None:
    server = Server(tmp_path, free_port(HOST), [])
    async with ended(server):
        await server.start()
        ann = Learner(server, 1)
        await ann.join()
        headers = await server.log_in()
        boards = Connection(server.port, headers).events(
            f"/board/stream?lesson={LESSON}"
        )
        own = ann.connection.events("/api/stream")
        assert (await anext(boards))[0] == "changes"
        assert (await anext(own))[0] == "focus"
        server.ask_to_stop()
        # The last chunk comes after it, or this would raise an EOFError.
        assert [name async for name, _ in boards][-1] == "bye"
        assert [name async for name, _ in own][-1] == "bye"
        ann.connection.close()
        await server.stop()
