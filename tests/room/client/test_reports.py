"""What is reported agrees with the protocol."""

from __future__ import annotations

import uuid

import pytest

from workshop.room import protocol
from workshop.room.client import delivery, reports

POLL = str(uuid.uuid4())


@pytest.mark.parametrize(
    ("report", "kind", "facts"),
    [
        (reports.opened("03", 2), protocol.Opened, {"lesson": "03", "step": 2}),
        (
            reports.judged("03", 2, passed=False, failed=["test_a"], seconds=1.23456),
            protocol.Judged,
            {"passed": False, "failed": ("test_a",), "seconds": 1.235},
        ),
        (
            reports.judged("03", 1, passed=True, failed=["x" * 300] * 60, seconds=1e9),
            protocol.Judged,
            {"failed": ("x" * 200,) * 50, "seconds": 3600},
        ),
        (reports.hint_shown("03", 2, 3), protocol.HintShown, {"rung": 3}),
        (reports.hint_shown("03", 2, 7), protocol.HintShown, {"rung": 4}),
        (reports.change_shown("03", 2), protocol.HintShown, {"rung": 4}),
        (reports.solution_shown("03"), protocol.SolutionShown, {"lesson": "03"}),
        (reports.help_wanted(True), protocol.Help, {"wanted": True}),
        (reports.heartbeat(), protocol.Heartbeat, {}),
        (
            reports.vote(POLL, "B"),
            protocol.Vote,
            {"poll": uuid.UUID(POLL), "choice": "B"},
        ),
    ],
)
def test_a_report_is_an_event_of_the_protocol(
    report: reports.Report, kind: type, facts: dict[str, object]
) -> None:
    event = protocol.LEARNER_EVENT.validate_python(report)

    assert type(event) is kind
    assert facts.items() <= vars(event).items()
    assert event.at.tzinfo is not None


def test_the_limits_are_those_of_the_protocol() -> None:
    assert delivery.BATCH == protocol.BATCH_LIMIT
    assert delivery.HEARTBEAT_SECONDS == protocol.HEARTBEAT_SECONDS
