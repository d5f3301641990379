"""Run a lesson's tests in a fresh process and decide the verdict.

A pass is never the absence of a failure: the tests expected are known before
the run, and only all of them reported as passed, once each, is a pass.
This package does not know about terminals.
"""

from workshop.grading.engine import grade
from workshop.grading.verdict import (
    LessonVerdict,
    StepVerdict,
    TestVerdict,
    Verdict,
)
from workshop.sandbox.limits import Limits

__all__ = [
    "LessonVerdict",
    "Limits",
    "StepVerdict",
    "TestVerdict",
    "Verdict",
    "grade",
]
