"""Learners' data is kept for seven days after the last event.

The server deletes an older room when it starts. Because an instructor may never start
it again, every command of the workshop deletes an old room, too.
"""

from __future__ import annotations

import contextlib
import time
from datetime import timedelta
from pathlib import Path

KEPT = timedelta(days=7)

FOLDER = "room"
"""The folder of the room's own database in `.workshop/`."""

DATABASE = "room.sqlite3"


def delete_old_room(home: Path) -> bool:
    """Delete the room's own database in *home* if nothing was stored for `KEPT`.

    Return whether there was one. If a file cannot be deleted, the next command tries
    again.
    """
    files = [home / FOLDER / f"{DATABASE}{suffix}" for suffix in ("", "-wal", "-shm")]
    times = []
    for file in files:
        with contextlib.suppress(OSError):
            times.append(file.stat().st_mtime)
    if not times or time.time() - max(times) < KEPT.total_seconds():
        return False
    for file in files:
        with contextlib.suppress(OSError):
            file.unlink(missing_ok=True)
    return True
