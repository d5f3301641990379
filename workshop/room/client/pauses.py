"""The pauses between retries: exponential backoff with jitter."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Pauses:
    """Pauses that double after each failure, from *first* to *most* seconds.

    They are randomized, so that not all learners reconnect at the same moment when the
    room is back.
    """

    first: float = 1.0
    most: float = 30.0

    def after(self, failures: int, asked: float | None = None) -> float:
        """Return the pause after this many failures in a row.

        It is at least *asked* seconds, the server's `Retry-After`, and at most `most`.
        """
        doubled = min(self.most, self.first * 2.0 ** min(failures - 1, 16))
        varied = doubled * random.uniform(0.5, 1.0)  # noqa: S311 -- not a secret
        return min(self.most, max(varied, asked or 0.0))
