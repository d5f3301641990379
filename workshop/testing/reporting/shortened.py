"""Reporting repeated messages once."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

# Where an object lies in memory: another place each time, and nothing to a reader.
_ADDRESS = re.compile(r" at 0x[0-9A-Fa-f]+")


def counted(texts: Iterable[str], most: int) -> list[str]:
    """Return the different *texts*, at most *most* of them, each with its number.

    Texts that differ only in the addresses of objects count as equal.
    """
    times = Counter(_ADDRESS.sub("", text) for text in texts)
    lines = [f"{text}, {n} times" if n > 1 else text for text, n in times.items()]
    left_out = len(lines) - most
    if left_out > 0:
        lines[most:] = [f"and {left_out} other{'s' if left_out > 1 else ''}"]
    return lines
