"""Which of many similar tests the quick tier runs, and how much is graded at once."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

import pytest

from workshop.check.answers import AT_ONCE


def answers_at_once() -> int:
    """Return how many answers this process may have graded at the same time.

    Where several processes share the tests, they share the cores, too.
    """
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    return max(1, AT_ONCE // processes)


def sampled(cases: Sequence[Any], every: int = sys.maxsize) -> list[Any]:
    """Return *cases* as parameters of which all but a sample are marked `slow`.

    The sample is the first case, and the first one after each *every* cases.
    """
    return [
        pytest.param(case, marks=pytest.mark.slow) if index % every else case
        for index, case in enumerate(cases)
    ]
