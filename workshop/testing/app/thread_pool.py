"""The thread pool that `def` routes and dependencies share."""

from __future__ import annotations

from anyio import CapacityLimiter
from anyio.to_thread import current_default_thread_limiter


class ThreadPool:
    """anyio's default limiter of the running loop: a number of tokens and a queue.

    A request for a `def` route reaches the queue within some turns of the loop. After
    `settle()` the numbers are therefore certain, and `waiting` shows that the pool is
    exhausted without waiting for a timeout.
    """

    @property
    def tokens(self) -> int | float:
        """How many threads may work at once."""
        return _limiter().total_tokens

    @property
    def busy(self) -> int:
        """How many threads are at work now."""
        return _limiter().borrowed_tokens

    @property
    def waiting(self) -> int:
        """How many calls queue for a thread now."""
        return _limiter().statistics().tasks_waiting

    def shrink(self, tokens: int = 4) -> None:
        """Leave only *tokens* threads, whatever the app set in its startup.

        A test can then exhaust the pool with a few requests, and an app that merely
        enlarged the pool gains nothing. Ends with the test's loop.
        """
        _limiter().total_tokens = tokens


def _limiter() -> CapacityLimiter:
    return current_default_thread_limiter()
