"""The number of cores that this process may use.

A container may have fewer than the machine.
"""

from __future__ import annotations

import os
import sys


def cores() -> int:
    """Return how many cores this process may use, at least 1."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
