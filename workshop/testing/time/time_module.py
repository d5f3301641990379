"""Let the module `time` follow the event loop in an app, as the clock moves it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from unittest import mock

from workshop.testing.time.event_loop import owner


@contextmanager
def time_follows_loop() -> Iterator[None]:
    """Let `time.time()` and `time.monotonic()` follow the running loop in the app.

    An app that computes its deadlines with them then sees what the test's clock says.
    Tests and the kit itself still get the real time.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()

    def following(real: Callable[[], float]) -> Callable[[], float]:
        start = real()
        return lambda: start + loop.time() - began if owner.get() else real()

    with (
        mock.patch.object(time, "time", following(time.time)),
        mock.patch.object(time, "monotonic", following(time.monotonic)),
    ):
        yield
