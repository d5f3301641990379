"""The report on a workshop, without names: as data, HTML and CSV."""

from __future__ import annotations

import csv
import io
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from workshop.room.server.course import CourseLesson
from workshop.room.server.records import Record
from workshop.room.server.templates import render

_LONGEST = timedelta(hours=4)
"""Longer times are left out of medians: lunch or a night interrupted the step."""

_COLUMNS = (
    *("lesson", "step", "title", "lesson_minutes_planned", "learners", "passed"),
    *("median_minutes", "runs", "read_hints", "opened_solution", "top_failures"),
)


@dataclass(frozen=True)
class StepReport:
    """What happened on one step.

    Attributes:
        learners: The number of learners who worked on it.
        passed: The number of learners who passed it.
        minutes: The median time from its first event to its first pass, or None.
        runs: The number of verdicts.
        hints: The number of learners who read at least one of its hints.
        solutions: The number of learners who opened the lesson's solution.
        failures: The tests that most learners failed at least once, with their number.

    """

    lesson: str
    step: int
    title: str
    planned: int
    learners: int
    passed: int
    minutes: float | None
    runs: int
    hints: int
    solutions: int
    failures: tuple[tuple[str, int], ...]


@dataclass
class _Step:
    begun: dict[UUID, datetime]
    passed: dict[UUID, datetime]
    runs: int
    hinted: set[UUID]
    failed: dict[str, set[UUID]]


def report(
    records: Iterable[Record], course: Mapping[str, CourseLesson]
) -> list[StepReport]:
    """Return the report on each step that at least one learner has worked on."""
    steps: dict[tuple[str, int], _Step] = defaultdict(
        lambda: _Step({}, {}, 0, set(), defaultdict(set))
    )
    solutions: dict[str, set[UUID]] = defaultdict(set)
    for record in records:
        if record.actor is not None:
            _count(record, record.actor, steps, solutions)
    return [
        _step_report(place, found, course, len(solutions[place[0]]))
        for place, found in sorted(steps.items())
    ]


def _count(
    record: Record,
    actor: UUID,
    steps: dict[tuple[str, int], _Step],
    solutions: dict[str, set[UUID]],
) -> None:
    data = record.data
    if record.kind == "solution":
        solutions[data["lesson"]].add(actor)
    if record.kind not in ("opened", "judged", "hint"):
        return
    step = steps[data["lesson"], data["step"]]
    step.begun[actor] = min(step.begun.get(actor, record.at), record.at)
    if record.kind == "hint":
        step.hinted.add(actor)
    elif record.kind == "judged":
        step.runs += 1
        if data["passed"]:
            step.passed[actor] = min(step.passed.get(actor, record.at), record.at)
        for test in data["failed"]:
            step.failed[test].add(actor)


def _step_report(
    place: tuple[str, int],
    step: _Step,
    course: Mapping[str, CourseLesson],
    solutions: int,
) -> StepReport:
    lesson = course.get(place[0])
    titles = lesson.steps if lesson else ()
    times = [step.passed[it] - step.begun[it] for it in step.passed]
    usual = [it.total_seconds() / 60 for it in times if it <= _LONGEST]
    counts = Counter({test: len(who) for test, who in step.failed.items()})
    failures = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:3]
    return StepReport(
        place[0],
        place[1],
        titles[place[1] - 1] if place[1] <= len(titles) else "",
        lesson.minutes if lesson else 0,
        len(step.begun),
        len(step.passed),
        round(statistics.median(usual), 1) if usual else None,
        step.runs,
        len(step.hinted),
        solutions,
        tuple(failures),
    )


def as_csv(steps: Iterable[StepReport]) -> str:
    """Return the report as CSV with a header row."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for it in steps:
        failures = "; ".join(f"{test} ({number})" for test, number in it.failures)
        minutes = "" if it.minutes is None else it.minutes
        row = (it.lesson, it.step, it.title, it.planned, it.learners, it.passed)
        more = (minutes, it.runs, it.hints, it.solutions, _safe_cell(failures))
        writer.writerow((*row, *more))
    return text.getvalue()


def _safe_cell(text: str) -> str:
    """Return *text*, escaped so that no spreadsheet evaluates it as a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t") else text


def as_html(
    steps: Iterable[StepReport], course: Mapping[str, CourseLesson], title: str
) -> str:
    """Return the report as a self-contained page."""
    lessons: dict[str, list[StepReport]] = defaultdict(list)
    for it in steps:
        lessons[it.lesson].append(it)
    rows = [
        (
            number,
            course[number].title if number in course else "",
            course[number].minutes if number in course else 0,
            round(sum(it.minutes or 0 for it in found), 1),
            found,
        )
        for number, found in lessons.items()
    ]
    return render("report.html", title=title, lessons=rows)
