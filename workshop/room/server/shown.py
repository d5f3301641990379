"""Wait until the board shows what was written.

A page that is loaded after a form was submitted must show the change, although each
worker reads the log only every half second.
"""

from __future__ import annotations

import asyncio
import contextlib

from workshop.room.server.service import RoomService

_SECONDS = 2.0
_PAUSE = 0.05


async def until_shown(service: RoomService) -> None:
    """Return once *service* has applied all stored records, at most after 2 seconds."""
    seq = service.board.seq
    while records := await service.store.read_after(seq):
        seq = records[-1].seq
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_SECONDS):
            while service.board.seq < seq:  # noqa: ASYNC110 -- the feed has no event
                await asyncio.sleep(_PAUSE)
