"""What an app leaves behind: tasks, coroutines and resources."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

from workshop.testing.app.application import running_apps
from workshop.testing.app.tasks import describe
from workshop.testing.time.event_loop import settle


class Leaks:
    """Asks the loop and the garbage collector. Use it after `app.shutdown()`."""

    async def tasks(self) -> list[str]:
        """Return descriptions of the app's tasks that are still running."""
        gc.collect()
        await settle()
        loop = asyncio.get_running_loop()
        owners: dict[asyncio.Task[Any], object] = dict(getattr(loop, "owners", {}))
        return sorted(describe(task) for task in owners if not task.done())

    def never_awaited(self) -> list[str]:
        """Return coroutines that were never awaited, and the lines that made them."""
        gc.collect()
        return [each for app in running_apps() for each in app.forgotten.coroutines]

    def unclosed(self) -> list[str]:
        """Return what Python reported as never closed: sockets, files, connections."""
        gc.collect()
        return [each for app in running_apps() for each in app.forgotten.resources]
