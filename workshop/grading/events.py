"""The events about tests that a worker sends, each a line of JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, NotRequired, TypedDict, cast

Phase = Literal["setup", "call", "teardown"]
Outcome = Literal["passed", "failed", "error"]


class Facts(TypedDict):
    """What is known about one phase of one test.

    Attributes:
        outcome: How the phase ended.
        message: What was seen, then `Expected: ` and what should have happened.
        on_topic: Whether an assertion about the test's own fact failed.
        line: The learner's own line, as `app.py:14  await …`.
        raised: The exceptions that the app raised meanwhile.
        mistake: Whether one of them is a failed statement of the app itself.
        forgot: The coroutines that the app created and never awaited.
        timeline: `Timeline.as_json()` of tests that record one.
        traceback: Python's own text.
    """

    outcome: Outcome
    message: NotRequired[str]
    on_topic: NotRequired[bool]
    line: NotRequired[str]
    raised: NotRequired[list[str]]
    mistake: NotRequired[bool]
    forgot: NotRequired[list[str]]
    timeline: NotRequired[Any]
    traceback: NotRequired[str]


class StartEvent(TypedDict):
    """A test begins, in the round of that number (from 0)."""

    event: Literal["start"]
    id: str
    round: NotRequired[int]


class ReportEvent(Facts):
    """A phase of a test has ended."""

    event: Literal["report"]
    id: str
    when: Phase
    round: NotRequired[int]


TestEvent = StartEvent | ReportEvent


def events_of_tests(events: Iterable[Mapping[str, Any]]) -> list[TestEvent]:
    """Return those of a worker's *events* that are about tests."""
    return [
        cast(TestEvent, event)
        for event in events
        if event["event"] in ("start", "report")
    ]
