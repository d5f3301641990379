"""The time axis: the position of each moment, and the labelled moments."""

from __future__ import annotations

from dataclasses import dataclass

_STEPS = (0.1, 0.2, 0.5)
_FROM_SECONDS_ON = 10_000


@dataclass(frozen=True)
class Scale:
    """Maps 0 to *duration* milliseconds to positions from *left*, *width* in all."""

    duration: float
    left: float
    width: float

    def at(self, moment: float) -> float:
        """Return the position of *moment*, at the edge if it is outside the scale."""
        if self.duration <= 0:
            return self.left
        part = min(1.0, max(0.0, moment / self.duration))
        return self.left + part * self.width

    def ticks(self, most: int) -> list[tuple[float, str]]:
        """Return at most *most* round moments, starting at 0, with their labels.

        >>> Scale(300, 0, 100).ticks(4)
        [(0.0, '0 ms'), (100.0, '100'), (200.0, '200'), (300.0, '300')]
        """
        step = 0.1
        for step in _round_steps():
            if self.duration / step <= most - 1:
                break
        seconds = self.duration >= _FROM_SECONDS_ON
        unit, divisor = ("s", 1000) if seconds else ("ms", 1)
        # Multiplying avoids the rounding errors of sums such as 0.1 + 0.2.
        moments = [n * step for n in range(int(self.duration / step + 1e-9) + 1)]
        return [
            (moment, f"{moment / divisor:g}" if moment else f"0 {unit}")
            for moment in moments
        ]


def _round_steps() -> list[float]:
    return [step * 10**power for power in range(9) for step in _STEPS]
