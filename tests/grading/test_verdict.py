"""A pass is every expected test reported as passed, exactly once."""

from collections.abc import Iterator
from typing import Any

import pytest

from workshop.grading import Verdict
from workshop.grading.events import events_of_tests
from workshop.grading.verdict import Ending, TestVerdict, decide, worst
from workshop.lesson import ExpectedTest

A = ExpectedTest("test_a", 1, "A fact.", 1, frozenset())
B = ExpectedTest("test_b", 2, "B fact.", 9, frozenset())
DONE = Ending("done")


def run_of(
    name: str, outcome: str = "passed", **facts: Any
) -> Iterator[dict[str, Any]]:
    yield {"event": "start", "id": name}
    for when in ("setup", "call", "teardown"):
        said = (
            {"outcome": outcome, **facts} if when == "call" else {"outcome": "passed"}
        )
        yield {"event": "report", "id": name, "when": when, **said}


def verdicts(*events: dict[str, Any], ending: Ending = DONE) -> dict[str, TestVerdict]:
    return decide([A, B], events_of_tests(events), ending, {})


def test_all_reported_as_passed_is_a_pass() -> None:
    found = verdicts(*run_of("test_a"), *run_of("test_b"))

    assert {v.verdict for v in found.values()} == {Verdict.PASSED}


def test_without_reports_nothing_passes() -> None:
    assert verdicts()["test_a"].verdict is Verdict.NOT_RUN


def test_reports_of_unexpected_tests_are_ignored() -> None:
    found = verdicts(*run_of("test_c"), *run_of("test_b"))

    assert found["test_a"].verdict is Verdict.NOT_RUN
    assert set(found) == {"test_a", "test_b"}


@pytest.mark.parametrize("missing", ["setup", "call", "teardown"])
def test_a_test_with_a_missing_phase_has_not_passed(missing: str) -> None:
    events = [e for e in run_of("test_a") if e.get("when") != missing]

    assert verdicts(*events)["test_a"].verdict is Verdict.ERROR


def test_a_test_reported_twice_has_not_passed() -> None:
    found = verdicts(*run_of("test_a"), *run_of("test_a"))

    assert found["test_a"].verdict is Verdict.ERROR
    assert "more than once" in found["test_a"].seen


def test_seen_and_expected_are_separated() -> None:
    message = "POST /orders answered 500. Expected: 201."
    found = verdicts(*run_of("test_a", "failed", message=message))["test_a"]

    assert (found.seen, found.expected) == ("POST /orders answered 500.", "201.")
    assert found.message == message


def test_a_failed_test_hides_a_failed_clean_up() -> None:
    events = list(run_of("test_a", "failed", message="first"))
    events[-1] = {**events[-1], "outcome": "error", "message": "second"}

    assert verdicts(*events)["test_a"].seen == "first"


@pytest.mark.parametrize(
    ("kind", "verdict"),
    [
        ("timed out", Verdict.TIMED_OUT),
        ("crashed", Verdict.CRASHED),
        ("error", Verdict.ERROR),
    ],
)
def test_the_running_test_gets_the_reason_for_the_end(
    kind: Any, verdict: Verdict
) -> None:
    found = verdicts(
        {"event": "start", "id": "test_a"}, ending=Ending(kind, "It broke.")
    )

    assert (found["test_a"].verdict, found["test_a"].seen) == (verdict, "It broke.")
    assert found["test_b"].verdict is Verdict.NOT_RUN
    assert "test_a" in found["test_b"].seen


def test_a_run_that_never_began_is_reported_for_every_test() -> None:
    found = verdicts(ending=Ending("error", "No libraries."))

    assert {v.seen for v in found.values()} == {"No libraries."}


def test_an_unfinished_test_is_an_error_even_if_the_run_is_done() -> None:
    assert (
        verdicts({"event": "start", "id": "test_a"})["test_a"].verdict is Verdict.ERROR
    )


def test_the_worst_verdict_wins() -> None:
    assert worst([Verdict.PASSED, Verdict.FAILED, Verdict.CRASHED]) is Verdict.CRASHED
    assert worst([Verdict.PASSED, Verdict.NOT_RUN]) is Verdict.NOT_RUN
    assert worst([]) is Verdict.NOT_RUN
