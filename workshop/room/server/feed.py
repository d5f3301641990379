"""Follow the log and publish what has changed.

Every worker reads all records from the database, including its own. So all workers go
through the same states in the same order.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from sqlalchemy.exc import SQLAlchemyError

from workshop.room.server.board import Board, Changes
from workshop.room.server.store import Store

INTERVAL_SECONDS = 0.5
"""The pause between two reads of the log. Changes in between are sent together."""

_LIMIT = 2_000
_log = logging.getLogger(__name__)


class Feed:
    """Applies the log of *store* to *board*.

    *publish* is called with the changes after each read, even if there are none. It is
    not called for records that were in the log before startup.

    Attributes:
        is_current: Whether the last read of the log succeeded.

    """

    def __init__(
        self, store: Store, board: Board, publish: Callable[[Changes], None]
    ) -> None:
        self._store = store
        self._board = board
        self._publish = publish
        self.is_current = True

    async def catch_up(self) -> None:
        """Apply the whole log, without publishing anything."""
        while records := await self._store.read_after(self._board.seq, _LIMIT):
            self._board.apply_all(records)

    async def run(self) -> None:
        """Follow the log until this task is cancelled."""
        while True:
            await asyncio.sleep(INTERVAL_SECONDS)
            changes = Changes()
            try:
                while True:
                    records = await self._store.read_after(self._board.seq, _LIMIT)
                    for record in records:
                        self._board.apply(record, changes)
                    if len(records) < _LIMIT:
                        break
                self.is_current = True
            except (OSError, SQLAlchemyError) as problem:
                if self.is_current:
                    _log.warning("The database does not respond: %s", problem)
                self.is_current = False
            self._publish(changes)
