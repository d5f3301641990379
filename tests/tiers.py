"""Which of many similar tests the quick tier runs: those that are not marked `slow`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import pytest


def sampled(cases: Sequence[Any], every: int = sys.maxsize) -> list[Any]:
    """Return *cases* as parameters of which all but a sample are marked `slow`.

    The sample is the first case, and the first one after each *every* cases.
    """
    return [
        pytest.param(case, marks=pytest.mark.slow) if index % every else case
        for index, case in enumerate(cases)
    ]
