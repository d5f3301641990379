"""How long to wait before the next try."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Pauses:
    """Pauses that double after each failure, from *first* to *most* seconds.

    They vary by a random part, so that a whole course does not return in the same
    moment when the room is back.
    """

    first: float = 1.0
    most: float = 30.0

    def after(self, failures: int, asked: float | None = None) -> float:
        """Return the pause after this many failures in a row.

        It is at least the *asked* seconds, which the server may have named, but never
        longer than `most`.
        """
        doubled = min(self.most, self.first * 2.0 ** min(failures - 1, 16))
        varied = doubled * random.uniform(0.5, 1.0)  # noqa: S311 -- not a secret
        return min(self.most, max(varied, asked or 0.0))
