"""Decide the verdict of a run. Pure functions from events to verdicts."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

from workshop.grading.events import ReportEvent, TestEvent
from workshop.lesson import ExpectedTest, Lesson
from workshop.terminal.control_codes import plain
from workshop.timeline import Timeline


class Verdict(StrEnum):
    """The verdict on a test, a step or a lesson, in a learner's words."""

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    TIMED_OUT = "timed out"
    CRASHED = "crashed"
    STOPPED = "stopped"
    NOT_RUN = "not run"


# The worst comes first, because the learner has to see to it first.
_WORST_FIRST = (
    Verdict.STOPPED,
    Verdict.CRASHED,
    Verdict.TIMED_OUT,
    Verdict.ERROR,
    Verdict.FAILED,
    Verdict.NOT_RUN,
    Verdict.PASSED,
)


@dataclass(frozen=True)
class Ending:
    """How the run ended.

    Attributes:
        kind: `done` if the worker finished, otherwise the reason for its end. `stopped`
            means that it reached a breakpoint.
        detail: A sentence for the learner.
        line: The line of the learner's file that was running, if known.

    """

    kind: Literal["done", "timed out", "crashed", "error", "stopped"]
    detail: str = ""
    line: str = ""


@dataclass(frozen=True)
class TestVerdict:
    """The verdict on one test.

    Attributes:
        test: The test.
        verdict: The verdict.
        seen: What happened.
        expected: What should have happened.
        on_topic: Whether an assertion about the test's own fact failed.
        line: The learner's own line.
        raised: The exceptions that the app raised meanwhile, one per line.
        mistake: Whether one of them is a failed statement of the app itself, such as a
            name that does not exist.
        forgot: The coroutines that the app created and never awaited.
        timeline: The event loop's timeline, for tests that record it.
        output: What the test printed and logged.
        traceback: The traceback, for learners who ask for it.
    """

    __test__ = False  # not a test class for pytest

    test: ExpectedTest
    verdict: Verdict
    seen: str = ""
    expected: str = ""
    on_topic: bool = False
    line: str = ""
    raised: tuple[str, ...] = ()
    mistake: bool = False
    forgot: tuple[str, ...] = ()
    output: str = ""
    traceback: str = ""
    timeline: Timeline | None = None

    @property
    def message(self) -> str:
        """What was seen and what was expected, as one text."""
        expected = f"Expected: {self.expected}" if self.expected else ""
        return " ".join(part for part in (self.seen, expected) if part)


@dataclass(frozen=True)
class StepVerdict:
    """The verdict on one step: the worst of its tests."""

    number: int
    title: str
    tests: tuple[TestVerdict, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst verdict among the tests; never passed without tests."""
        return worst(test.verdict for test in self.tests)

    @property
    def passed(self) -> bool:
        """Whether every test of the step passed."""
        return self.verdict is Verdict.PASSED


@dataclass(frozen=True)
class LessonVerdict:
    """The verdict on a file.

    `seconds` is the time from the start of the run to its verdict. `output` was printed
    before the first test or after the last. `edited_tests` names the test files that
    differ from the published ones.
    """

    lesson: Lesson
    steps: tuple[StepVerdict, ...]
    seconds: float
    output: str = ""
    ending: Ending = field(default_factory=lambda: Ending("done"))
    edited_tests: tuple[str, ...] = ()
    output_file: Path | None = None

    @property
    def by_test(self) -> dict[str, TestVerdict]:
        """The verdicts on all tests, by the test's ID."""
        return {it.test.id: it for step in self.steps for it in step.tests}

    @property
    def counts(self) -> bool:
        """Whether the tests are the published ones, so that the verdict counts.

        For authors (`WORKSHOP_AUTHOR`) it also counts with edited tests.
        """
        return not self.edited_tests or bool(os.environ.get("WORKSHOP_AUTHOR"))

    @property
    def note_on_tests(self) -> str:
        """A note on edited tests, or an empty string if there are none."""
        if not self.edited_tests:
            return ""
        names = " ".join(self.edited_tests)
        said = f"The tests of this lesson differ from the published ones ({names})."
        if self.counts:
            return said
        folder = f"lessons/{self.lesson.slug}"
        paths = " ".join(f"{folder}/{name}" for name in self.edited_tests)
        return (
            f"{said} So this verdict does not count and is not recorded. To restore "
            f"them: git checkout -- {paths}"
        )

    @property
    def verdict(self) -> Verdict:
        """The worst verdict among the steps; a run cut short never passed."""
        found = worst(step.verdict for step in self.steps)
        if found is Verdict.PASSED and self.ending.kind != "done":
            return Verdict(self.ending.kind)
        return found

    @property
    def passed(self) -> bool:
        """Whether every expected test passed."""
        return self.verdict is Verdict.PASSED

    @property
    def current(self) -> StepVerdict | None:
        """The first step that has not passed; None if all have."""
        for step in self.steps:
            if step.verdict is not Verdict.PASSED:
                return step
        return None

    def as_json(self) -> dict[str, Any]:
        """Return the verdict as the object that `--json` prints."""
        return {
            "lesson": self.lesson.slug,
            "verdict": str(self.verdict),
            "seconds": round(self.seconds, 3),
            "edited_tests": list(self.edited_tests),
            "counts": self.counts,
            "steps": [
                {
                    "step": step.number,
                    "title": step.title,
                    "verdict": str(step.verdict),
                    "tests": [
                        {
                            "id": test.test.id,
                            "verdict": str(test.verdict),
                            "message": test.message,
                            "fact": test.test.fact if test.on_topic else "",
                            "line": test.line,
                            "raised": list(test.raised),
                            "never_awaited": list(test.forgot),
                            "output": plain(test.output),
                            **(
                                {"timeline": test.timeline.as_json()}
                                if test.timeline
                                else {}
                            ),
                        }
                        for test in step.tests
                    ],
                }
                for step in self.steps
            ],
        }


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the worst of *verdicts*; without any, not run."""
    there = set(verdicts)
    return next((v for v in _WORST_FIRST if v in there), Verdict.NOT_RUN)


def decide(
    expected: Sequence[ExpectedTest],
    events: Iterable[TestEvent],
    ending: Ending,
    outputs: Mapping[str, str],
) -> dict[str, TestVerdict]:
    """Return the verdict on each *expected* test, by id.

    *events* are the worker's `start` and `report` events of one round, *outputs* the
    output of each test. A test passes only if it was reported as passed exactly once in
    its call phase, and its set-up and clean-up were reported as passed too. Reports of
    unexpected tests are ignored.
    """
    started: list[str] = []
    reports: dict[str, list[ReportEvent]] = defaultdict(list)
    for event in events:
        if event["event"] == "start":
            started.append(event["id"])
        else:
            reports[event["id"]].append(event)
    running = started[-1] if started else None
    verdicts = {}
    for test in expected:
        given = reports[test.id]
        judged = _judge(test, given)
        if judged is None:
            judged = _judge_unfinished(test, ending, running, test.id in started)
        verdicts[test.id] = replace(judged, output=outputs.get(test.id, ""))
    return verdicts


def _timeline(data: Any) -> Timeline | None:
    """Return the worker's timeline; None if it is malformed, which is no error."""
    try:
        return Timeline.from_json(data) if data else None
    except (LookupError, TypeError, ValueError):
        return None


def _judge(test: ExpectedTest, reports: Sequence[ReportEvent]) -> TestVerdict | None:
    """Return the verdict according to *reports*; None if they are incomplete."""
    bad = [r for r in reports if r["outcome"] != "passed"]
    if bad:
        # A failure in the test itself explains more than one in its clean-up.
        report = min(bad, key=lambda r: ("call", "setup", "teardown").index(r["when"]))
        seen, _, wanted = str(report.get("message", "")).partition("Expected: ")
        return TestVerdict(
            test,
            Verdict.FAILED if report["outcome"] == "failed" else Verdict.ERROR,
            seen=seen.strip(),
            expected=wanted.strip(),
            on_topic=report.get("on_topic") is True,
            line=str(report.get("line", "")),
            raised=tuple(report.get("raised", ())),
            mistake=report.get("mistake") is True,
            forgot=tuple(report.get("forgot", ())),
            traceback=str(report.get("traceback", "")),
            timeline=_timeline(report.get("timeline")),
        )
    phases = sorted(str(report["when"]) for report in reports)
    if phases == ["call", "setup", "teardown"]:
        return TestVerdict(test, Verdict.PASSED)
    if len(phases) > len(set(phases)):
        return TestVerdict(
            test,
            Verdict.ERROR,
            seen="The test was reported more than once, so its result does not count. "
            "Something in app.py interfered with the test run.",
        )
    return None


def _judge_unfinished(
    test: ExpectedTest, ending: Ending, running: str | None, started: bool
) -> TestVerdict:
    if ending.kind != "done" and (test.id == running or running is None):
        return TestVerdict(
            test, Verdict(ending.kind), seen=ending.detail, line=ending.line
        )
    if started:
        return TestVerdict(
            test,
            Verdict.ERROR,
            seen="The test began but was never reported as finished. Something in "
            "app.py ended the test run early.",
        )
    why = f"the run ended in {running}" if running else "the test run ended before it"
    return TestVerdict(test, Verdict.NOT_RUN, seen=f"Not run: {why}.")
